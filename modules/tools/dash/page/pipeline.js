import {get} from './api.js';
import {facts, h, panel, pill, table} from './dom.js';
import {ago, bytes, count, millis, short} from './format.js';
import {filled} from './parts.js';

const stage = (name, state, pairs, command) => h('section', {class: 'stage', 'aria-label': name}, h('h2', {}, name, state), facts(pairs), h('p', {class: 'command'}, h('code', {}, command)));

export function pipeline(root) {
  const stages = h('div', {class: 'stages'}), lanes = h('div'), models = h('div');
  root.append(h('div', {class: 'title'}, h('h1', {}, 'Pipeline'), h('p', {}, 'From the agents’ spools through the log to features, scores and this page.')), stages,
      panel('Lanes', 'amoskys inspect heads', lanes), panel('Models', 'amoskys score models', models));
  let heads = null, known = null, newest = null;
  const draw = () => {
    if (!newest) return;
    const log = newest.log;
    const waiting = heads?.reduce((sum, row) => sum + Number(row.ahead), 0), silent = heads?.filter((row) => row.silent).length ?? 0;
    const scored = known?.scored;
    stages.replaceChildren(
        stage('Agents', heads === null ? '' : silent > 0 ? pill(`${silent} silent`, 'warn') : pill(heads.length ? 'Reporting' : 'None yet', heads.length ? 'good' : 'mute'),
            [['Lanes', count(heads?.length)], ['Envelopes waiting at agents', count(waiting)]], 'amoskys inspect heads'),
        stage('Log', log ? pill(log.damaged_segments ? 'Damaged' : 'Whole', log.damaged_segments ? 'bad' : 'good') : pill('Missing', 'bad'),
            log ? [['Records', count(log.records)], ['On disk', bytes(log.file_bytes)], ['Segments', count(log.segments)], ['Oldest record', ago(log.oldest_received)], ['Newest record', ago(log.newest_received, millis(newest.time))], ['Disk free', bytes(log.disk_free_bytes)]] : [['Trouble', newest.trouble]], 'amoskys inspect summary'),
        stage('Features and scores', scored ? pill('Scoring', 'good') : pill('Not yet', 'mute'),
            [['Newest scored window', scored ? ago(scored.window_end) : 'none'], ['Scored windows kept', count(known?.windows)], ['Unusual', count(known?.unusual)]], 'amoskys score run'),
        stage('This page', pill(newest.behind ? 'Catching up' : 'Up to date', newest.behind ? 'warn' : 'good'),
            [['Records looked at', count(newest.records)], ['Events looked at', short(newest.events)], ['Devices', count(newest.devices.total)]], 'amoskys dash'));
  };
  const run = filled(lanes, async () => {
    heads = (await get('agents')).agents;
    draw();
    return table('Lanes', [['Agent', (row) => row.agent, 'name-cell'], ['Lane', (row) => row.lane], ['State', (row) => (row.silent ? pill('Silent', 'warn') : pill('Reporting', 'good'))],
      ['Last sequence', (row) => count(row.last_sequence), 'num'], ['Committed', (row) => count(row.committed), 'num'], ['Waiting', (row) => count(row.ahead), 'num'], ['Last head', (row) => ago(row.received), 'num']],
    heads, 'No agent has sent a signed head yet: they come every 30 s.');
  });
  const runScores = async () => {
    const answer = await get('scores', {limit: 1000}).catch(() => ({scores: []}));
    known = {scored: answer.scores.find((row) => row.window_end), windows: answer.scores.length, unusual: answer.scores.filter((row) => row.anomaly).length};
    draw();
  };
  runScores();
  filled(models, async () => {
    const answer = await get('models');
    return table('Models', [['Name', (row) => row.name, 'name-cell'], ['Kind', (row) => row.kind], ['Trained', (row) => ago(row.trained)], ['Rows', (row) => count(row.rows), 'num'],
      ['Columns', (row) => count(row.columns), 'num'], ['Threshold', (row) => short(row.threshold), 'num']], answer.models, 'No model has been trained yet. `amoskys score train` makes one; `amoskys up` does it by itself.');
  });
  const timer = setInterval(() => { run(); runScores(); }, 10000);
  return {overview(now) { newest = now; draw(); }, close() { clearInterval(timer); }};
}

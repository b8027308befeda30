import {get, post} from './api.js';
import {choice, facts, h, link, panel, pill, table} from './dom.js';
import {ago, clock, count, short} from './format.js';
import {device, events, filled, level, pages} from './parts.js';

const states = [['open', 'Open'], ['acknowledged', 'Acknowledged'], ['resolved', 'Resolved'], ['', 'All']];
const stateTone = {open: 'bad', acknowledged: 'warn', resolved: 'good'};
const stateWord = {open: 'Open', acknowledged: 'Acknowledged', resolved: 'Resolved'};

function inbox(state) {
  const place = h('div'), tools = h('div', {class: 'tools'}), told = h('p', {class: 'why', role: 'status'});
  let chosen = 'open', opened = null;
  const may = state.role === 'analyst' || state.role === 'admin';

  const act = async (id, what, body) => {
    try {
      await post(`threats/${id}/${what}`, body);
      told.textContent = `${id}: done`;
    } catch (error) {
      told.textContent = `${id}: ${error.message}`;
    }
    run();
  };
  const detail = (row) => {
    const note = h('input', {'aria-label': 'Note', placeholder: 'Note (optional)', maxlength: 500});
    const button = (text, what, body, off) => h('button', {type: 'button', disabled: !may || off, onclick: () => act(row.id, what, body())}, text);
    return h('div', {class: 'detail'},
        facts([['Rule', row.rule], ['First', clock(row.first, true)], ['Last', clock(row.last, true)], ['Times', count(row.count)], ['Score', short(row.score)],
          ['Incident', row.incident ? `A-${String(row.incident).padStart(6, '0')}` : '–'], ['Label', row.label || '–'], ['Note', row.note || '–'],
          ...Object.entries(row.values).map(([name, value]) => [name, String(value)])]),
        h('p', {}, h('strong', {}, 'Evidence: '), row.evidence.length === 0 ? 'none kept' : row.evidence.slice(0, 16).flatMap((offset, i) => [i > 0 && ', ', link(`envelope/${offset}`, `record ${offset}`)]),
            row.evidence.length + row.evidence_left_out > 16 && ` and ${count(row.evidence.length + row.evidence_left_out - 16)} more`),
        row.responses.length > 0 && h('p', {}, h('strong', {}, 'Suggested: '), row.responses.join('; ')),
        h('div', {class: 'tools'}, note, button('Acknowledge', 'ack', () => ({note: note.value}), row.state !== 'open'), button('Resolve', 'resolve', () => ({note: note.value}), row.state === 'resolved'),
            ['normal', 'suspicious', 'critical'].map((word) => button(`It was ${word}`, 'label', () => ({label: word}), row.label === word)),
            !may && h('span', {class: 'why'}, 'Changing needs the role analyst.')),
        h('p', {class: 'command'}, h('code', {}, `amoskys score alerts show ${row.id}`)));
  };
  const run = filled(place, async () => {
    const answer = await get('threats', {state: chosen, limit: 100});
    const rows = answer.threats;
    const made = table('Alerts', [
      ['Level', (row) => level(row.level)], ['State', (row) => pill(stateWord[row.state] ?? row.state, stateTone[row.state] ?? 'mute')],
      ['What', (row) => h('button', {type: 'button', class: 'quiet', 'aria-expanded': String(opened === row.id), onclick: () => { opened = opened === row.id ? null : row.id; run(); }}, row.title || row.rule), 'what'],
      ['Devices', (row) => row.devices.slice(0, 3).flatMap((name, i) => [i > 0 && ', ', device(name)]), 'name-cell'],
      ['ATT&CK', (row) => row.techniques.join(', ') || '–'], ['Times', (row) => count(row.count), 'num'], ['Last', (row) => ago(row.last), 'num']],
    rows, chosen === 'open' ? 'No alert is open.' : 'No alert is in this state.');
    const at = rows.findIndex((row) => row.id === opened);
    if (at >= 0) made.querySelectorAll('tbody tr')[at].after(h('tr', {class: 'opened'}, h('td', {colspan: 7}, detail(rows[at]))));
    return [made, answer.total > rows.length && h('p', {class: 'why'}, `${count(answer.total)} in all, the last ${count(rows.length)} are shown.`)].filter(Boolean);
  });
  const draw = () => tools.replaceChildren(choice('State', states, chosen, (value) => { chosen = value; draw(); run(); }), told);
  draw();
  return {made: panel('Alerts', 'amoskys score alerts list --state open', tools, place), run: () => { if (!place.querySelector('input:focus')) run(); }};
}

export function threats(root, {state}) {
  const scored = h('div'), serious = h('div'), alerts = inbox(state);
  root.append(h('div', {class: 'title'}, h('h1', {}, 'Threats'), h('p', {}, 'What rules raised, what models found unusual and what devices call serious, each with its reason and its evidence.')),
      alerts.made, panel('Unusual windows', 'amoskys score run -o ndjson', scored), panel('Warnings, errors and alarms', 'amoskys inspect events --severity CRITICAL --newest', serious));
  const run = filled(scored, async () => {
    const answer = await get('scores', {limit: 1000});
    const rows = answer.scores.filter((row) => row.anomaly).slice(0, 50);
    return table('Unusual windows', [
      ['Window', (row) => h('span', {class: 'time'}, row.window_start ? clock(row.window_start, true) : '–')],
      ['State', () => pill('Unusual', 'warn')], ['Device', (row) => (row.device ? device(row.device) : '–'), 'name-cell'],
      ['Score', (row) => `${short(row.score)} over ${short(row.threshold)}`, 'num'], ['Model', (row) => row.model],
      ['Why', (row) => h('span', {class: 'why'}, row.why), 'what']], rows,
    answer.scores.length === 0 ? 'Nothing has been scored yet. `amoskys up` scores every minute; `amoskys score run --out STATE/scores.ndjson` does it once.'
      : `All ${count(answer.scores.length)} scored windows are in their usual range.`);
  });
  let word = 'CRITICAL';
  const draw = () => serious.replaceChildren(h('div', {class: 'tools'}, choice('Severity', [['CRITICAL', 'Critical'], ['ERROR', 'Error'], ['WARN', 'Warning']], word, (value) => { word = value; draw(); })),
      pages(async (cursor) => {
        const answer = await get('events', {severity: word, limit: 20, cursor});
        return {rows: answer.events, next: answer.next};
      }, (rows) => events(rows, 'No event of this severity is in the log.')));
  draw();
  const timer = setInterval(() => { if (!scored.contains(document.activeElement)) run(); }, 15000);
  return {alerts() { alerts.run(); }, close() { clearInterval(timer); }};
}

import {get} from './api.js';
import {h, panel, pill, table} from './dom.js';
import {clock, count, short} from './format.js';
import {device, events, filled, pages} from './parts.js';

export function threats(root) {
  const scored = h('div'), serious = h('div');
  root.append(h('div', {class: 'title'}, h('h1', {}, 'Threats'), h('p', {}, 'What the models found unusual and what devices call serious, each with its reason and its evidence.')),
      panel('Unusual windows', 'amoskys score run -o ndjson', scored), panel('Warnings, errors and alarms', 'amoskys inspect events --severity CRITICAL --newest', serious));
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
  const draw = () => serious.replaceChildren(h('div', {class: 'tools'}, h('div', {class: 'choice', role: 'group', 'aria-label': 'Severity'},
      [['CRITICAL', 'Critical'], ['ERROR', 'Error'], ['WARN', 'Warning']].map(([value, text]) =>
        h('button', {type: 'button', 'aria-pressed': String(value === word), onclick: () => { word = value; draw(); }}, text)))),
  pages(async (cursor) => {
    const answer = await get('events', {severity: word, limit: 20, cursor});
    return {rows: answer.events, next: answer.next};
  }, (rows) => events(rows, `No event of this severity is in the log.`)));
  draw();
  const timer = setInterval(() => { if (!scored.contains(document.activeElement)) run(); }, 15000);
  return {close() { clearInterval(timer); }};
}

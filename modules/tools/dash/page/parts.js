// What several views show: rows of events, waiting for an answer, pages of a list.
import {h, link, pill, table} from './dom.js';
import {clock} from './format.js';

const severities = {INFO: 'mute', WARN: 'warn', ERROR: 'bad', CRITICAL: 'bad'};
export const severity = (word) => pill({INFO: 'Info', WARN: 'Warning', ERROR: 'Error', CRITICAL: 'Critical'}[word] ?? word ?? 'Info', severities[word] ?? 'mute');
const levels = {informational: ['Informational', 'mute'], low: ['Low', 'mute'], medium: ['Medium', 'warn'], high: ['High', 'bad'], critical: ['Critical', 'bad']};
export const level = (word) => pill(...(levels[word] ?? [word, 'mute']));
// "2 critical, 1 high" of open alerts.
export function levelCounts(rows) {
  return ['critical', 'high', 'medium', 'low', 'informational'].map((word) => [rows.filter((row) => row.level === word).length, word])
      .filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`).join(', ');
}
export const status = (word) => pill({active: 'Active', late: 'Late', silent: 'Silent'}[word] ?? word, {active: 'good', late: 'warn', silent: 'bad'}[word] ?? 'mute');
export const device = (name) => link(`devices/${encodeURIComponent(name)}`, name);

export function events(rows, nothing, withDevice = true) {
  return table('Events', [
    ['Time', (row) => h('span', {class: 'time', title: row.time}, clock(row.time))],
    ['Severity', (row) => severity(row.severity)],
    ...(withDevice ? [['Device', (row) => device(row.device), 'name-cell']] : []),
    ['What', (row) => row.what, 'what'],
    ['Evidence', (row) => (row.offset ? link(`envelope/${row.offset}`, `record ${row.offset}`) : '–'), 'num'],
  ], rows, nothing);
}

// Shows what `load` gives in `place`, or why it could not; again when asked.
export function filled(place, load) {
  let asked = 0;
  const run = async () => {
    const mine = ++asked;
    try {
      const made = await load();
      if (mine === asked) place.replaceChildren(...[made].flat());
    } catch (error) {
      if (mine === asked) place.replaceChildren(h('p', {class: 'error', role: 'alert'}, error.message));
    }
  };
  if (!place.childElementCount) place.replaceChildren(h('p', {class: 'empty'}, 'Reading…'));
  run();
  return run;
}

// A list that goes on: load(cursor) gives {rows, next}; show(rows) draws them.
export function pages(load, show) {
  const place = h('div'), older = h('button', {type: 'button', onclick: () => turn()}, 'Older'), newest = h('button', {type: 'button', onclick: () => turn(true)}, 'Newest');
  let next = null;
  async function turn(first) {
    older.disabled = newest.disabled = true;
    try {
      const got = await load(first ? '' : next);
      next = got.next;
      newest.disabled = first === true;
      place.replaceChildren(show(got.rows));
    } catch (error) {
      place.replaceChildren(h('p', {class: 'error', role: 'alert'}, error.message));
    }
    older.disabled = !next;
  }
  turn(true);
  return h('div', {class: 'paged'}, place, h('div', {class: 'tools'}, newest, older));
}

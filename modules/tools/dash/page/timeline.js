import {get} from './api.js';
import {bars, strip} from './chart.js';
import {choice, facts, h, link, panel, pill, table} from './dom.js';
import {clock, count, short} from './format.js';
import {device, filled, status} from './parts.js';

const spans = [['-1h', '1 h'], ['-24h', '24 h'], ['-7d', '7 d'], ['-30d', '30 d']];

export function timeline(root) {
  const regular = h('div'), heat = h('div'), gaps = h('div'), tools = h('div');
  let since = '-24h';
  const command = h('code', {});
  const told = panel('How regularly envelopes came', null, regular, h('p', {class: 'command'}, command));
  told.querySelector('.head').append(tools);
  root.append(h('div', {class: 'title'}, h('h1', {}, 'Timeline')), told,
      panel('Collection, last 24 hours in quarters of an hour', 'amoskys inspect summary --top 1000', heat), panel('What is known to be missing', 'amoskys inspect gaps', gaps));
  const run = () => filled(regular, async () => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const tz = /^[A-Za-z_+\-/0-9]+$/.test(zone ?? '') ? zone : 'UTC';
    command.textContent = `amoskys inspect timeline --since ${since} --tz ${tz}`;
    const answer = await get('timeline', {since, tz});
    const health = answer.health_percent;
    return [facts([['Regular intervals', [h('span', {}, `${health} % `), pill(health >= 99 ? 'Regular' : health >= 90 ? 'Some late' : 'Irregular', health >= 99 ? 'good' : health >= 90 ? 'warn' : 'bad')]],
      ['Envelopes', count(answer.envelopes)], ['An hour', short(answer.per_hour)], ['Hours covered', short(answer.span_hours)], ['Intervals', `${count(answer.intervals_ok)} of ${count(answer.intervals)} in time`]]),
    h('h3', {}, `Envelopes by hour of the day (${tz})`), bars(answer.hours, 'Envelopes by hour of the day', answer.hours.map((_, i) => `${String(i).padStart(2, '0')}:00`))];
  });
  const draw = () => tools.replaceChildren(choice('Time', spans, since, (value) => { since = value; draw(); run(); }));
  draw();
  run();
  const runHeat = filled(heat, async () => {
    const answer = await get('devices', {limit: 40});
    return [table('Collection by device', [['Status', (row) => status(row.status)], ['Device', (row) => device(row.device), 'name-cell'], ['24 hours ago … now', (row) => strip(row.heat, row.device), 'heat-cell wide-heat']],
      answer.devices, 'No device has been heard of yet.'),
    h('p', {class: 'why'}, 'Pale: nothing came. Stronger: more events than in the device’s other quarters. ', answer.total > 40 && link('devices', `all ${count(answer.total)} devices`))];
  });
  filled(gaps, async () => {
    const answer = await get('gaps');
    const rows = answer.gaps.slice(0, 200);
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((key) => key !== 'schema');
    const shown = (value) => (value === null || value === undefined || value === '' ? '–' : typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? clock(value, true) : String(value));
    return table('Gaps', columns.map((key) => [key.replaceAll('_', ' '), (row) => shown(row[key]), rows.every((row) => typeof row[key] === 'number') ? 'num' : undefined]), rows,
        'Nothing is known to be missing: no gap marker, no damage, no new epoch.');
  });
  const timer = setInterval(() => { if (!heat.contains(document.activeElement)) runHeat(); }, 15000);
  return {close() { clearInterval(timer); }};
}

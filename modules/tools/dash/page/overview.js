import {get} from './api.js';
import {levelCounts} from './parts.js';
import {chart} from './chart.js';
import {empty, h, link, panel, pill, table} from './dom.js';
import {ago, bytes, count, millis, short} from './format.js';
import {device, events, filled, status} from './parts.js';

const feedRows = 14;

export function overview(root) {
  const tiles = h('div', {class: 'tiles'}), rates = h('div'), feed = h('div'), quiet = h('div'), agents = h('div');
  let rows = [], paused = false, before = null, perSecond = null;
  const pause = h('button', {type: 'button', 'aria-pressed': 'false', onclick: () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Go on' : 'Pause';
    if (!paused) drawFeed();
  }}, 'Pause');
  const feedPanel = panel('Newest events', 'amoskys inspect tail', feed);
  feedPanel.querySelector('.head').append(pause);
  root.append(h('div', {class: 'title'}, h('h1', {}, 'Overview')), tiles,
      h('div', {class: 'grid2'}, panel('Events a minute, by source', 'amoskys inspect top', rates),
          panel('Devices that are late or silent', 'amoskys inspect summary', quiet)),
      feedPanel, panel('Agents', 'amoskys inspect heads', agents));
  feed.append(empty('Reading…'));

  const drawFeed = () => feed.replaceChildren(events(rows.slice(0, feedRows), 'Nothing but metrics in their usual range has come yet.'));
  // What matters first: serious events and what the bus says of itself, before the rest that comes.
  Promise.all([...['CRITICAL', 'ERROR', 'WARN'].map((severity) => ({severity})), {kind: 'audit'}].map((wanted) => get('events', {...wanted, limit: feedRows})))
      .then((answers) => {
        const known = new Set(rows.map((row) => JSON.stringify(row)));
        rows = [...rows, ...answers.flatMap((answer) => answer.events).filter((row) => !known.has(JSON.stringify(row)))]
            .sort((a, b) => (a.time < b.time ? 1 : -1)).slice(0, 100);
        drawFeed();
      }, (error) => feed.replaceChildren(empty(error.message)));
  const refreshQuiet = filled(quiet, async () => {
    const [late, silent] = await Promise.all(['late', 'silent'].map((word) => get('devices', {status: word, limit: 8})));
    const all = [...late.devices, ...silent.devices];
    return [table('Late and silent devices', [['Status', (row) => status(row.status)], ['Device', (row) => device(row.device), 'name-cell'],
      ['Last seen', (row) => ago(row.last_seen), 'num']], all.slice(0, 8), 'Every device was heard of in the last five minutes.'),
    late.total + silent.total > 8 && h('p', {}, link('devices', `all ${count(late.total + silent.total)}`))].filter(Boolean);
  });
  const refreshAgents = filled(agents, async () => {
    const answer = await get('agents');
    return table('Agents', [
      ['Agent', (row) => row.agent, 'name-cell'], ['Lane', (row) => row.lane],
      ['State', (row) => (row.silent ? pill('Silent', 'warn') : pill('Reporting', 'good'))],
      ['Head signed', (row) => pill({ok: 'Verified', wrong: 'Wrong', unknown_key: 'Unknown key'}[row.signature] ?? row.signature, row.signature === 'ok' ? 'good' : 'bad')],
      ['Committed', (row) => count(row.committed), 'num'], ['Waiting at the agent', (row) => count(row.ahead), 'num'],
      ['Last head', (row) => ago(row.received), 'num']], answer.agents, 'No agent has sent a signed head yet: they come every 30 s.');
  });
  const timer = setInterval(() => { refreshQuiet(); refreshAgents(); }, 15000);

  let alerts = null;
  const refreshAlerts = () => get('threats', {state: 'open', limit: 1000}).then((answer) => { alerts = answer; }, () => { alerts = null; })
      .then(() => before && view.overview(before));

  const tile = (name, value, unit, note) => h('div', {class: 'tile'}, h('span', {class: 'name'}, name),
      h('span', {class: 'value'}, value, unit && h('small', {}, ` ${unit}`)), h('span', {class: 'note'}, note ?? '\u00a0'));

  const view = {
    overview(now) {
      if (before && now.time !== before.time) {
        const seconds = (millis(now.time) - millis(before.time)) / 1000;
        if (seconds >= 0.5) perSecond = Math.max(0, (now.events - before.events) / seconds);
      }
      if (before?.time !== now.time) before = now;
      const log = now.log, lost = Number(now.lost_events);
      tiles.replaceChildren(
          tile('Events', now.behind || perSecond === null ? '…' : short(perSecond), 'a second', `${short(now.events)} looked at`),
          tile('Devices', count(now.devices.total), '', `${count(now.devices.active)} active, ${count(now.devices.late)} late, ${count(now.devices.silent)} silent`),
          tile('Open alerts', alerts ? count(alerts.total) : '–', '', alerts ? levelCounts(alerts.threats) || 'nothing to look at' : 'not known'),
          tile('Records in the log', log ? short(log.records) : '–', '', log ? `newest ${ago(log.newest_received, millis(now.time))}` : now.trouble),
          tile('Known to be lost', count(lost), lost === 1 ? 'event' : 'events', lost === 0 ? 'nothing is missing' : 'Timeline lists the gaps'),
          tile('Log on disk', log ? bytes(log.file_bytes) : '–', '', log ? `${count(log.segments)} segment${log.segments === 1 ? '' : 's'}, ${count(log.damaged_segments)} damaged` : ''),
          tile('Disk free', log ? bytes(log.disk_free_bytes) : '–', '', log?.disk_bytes ? `${Math.round(100 * log.disk_free_bytes / log.disk_bytes)} % of ${bytes(log.disk_bytes)}` : ''));
      const full = now.minutes.slice(0, -1);
      if (full.length < 2) {
        rates.replaceChildren(empty('The first whole minutes are still to come.'));
        return;
      }
      if (rates.dataset.drawn === full.at(-1).time || rates.querySelector('svg:focus, details[open]')) return;
      rates.dataset.drawn = full.at(-1).time;
      const first = millis(full[0].time), minutes = Math.round((millis(full.at(-1).time) - first) / 60000) + 1;
      const times = Array.from({length: minutes}, (_, i) => first + i * 60000);
      const at = new Map(full.map((minute) => [millis(minute.time), minute]));
      const sources = [...new Set(full.flatMap((minute) => Object.keys(minute.events)))].sort().slice(0, 6);
      rates.replaceChildren(sources.length === 0 ? empty('No events in the last hour.') : chart({label: 'Events a minute by source', times,
        lines: sources.map((name) => ({name, values: times.map((time) => at.get(time)?.events[name] ?? null)}))}));
    },
    events(more) {
      rows = [...more.filter((row) => row.change !== 'SNAPSHOT').reverse(), ...rows].slice(0, 100);
      if (!paused && !feed.contains(document.activeElement)) drawFeed();
    },
    alerts: refreshAlerts,
    close() { clearInterval(timer); },
  };
  refreshAlerts();
  return view;
}

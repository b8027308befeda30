import {get} from './api.js';
import {chart, strip} from './chart.js';
import {choice, empty, facts, h, link, panel, table} from './dom.js';
import {ago, clock, count, measured, millis, quoted, short} from './format.js';
import {device as deviceLink, events, filled, pages, status} from './parts.js';

const ranges = [['-15m', '15 min'], ['-1h', '1 h'], ['-6h', '6 h'], ['-24h', '24 h'], ['-7d', '7 d']];

function list(root) {
  const place = h('div'), told = h('p', {class: 'why', role: 'status'});
  let wanted = '', chosen = '', cursors = [''], timer = null;
  const run = filled(place, async () => {
    const answer = await get('devices', {q: wanted, status: chosen, limit: 50, cursor: cursors.at(-1)});
    told.textContent = `${count(answer.total)} device${answer.total === 1 ? '' : 's'}`;
    back.disabled = cursors.length === 1;
    next.disabled = answer.next === null;
    next.onclick = () => { cursors.push(answer.next); run(); };
    return table('Devices', [
      ['Status', (row) => status(row.status)], ['Device', (row) => deviceLink(row.device), 'name-cell'],
      ['Sources', (row) => row.sources.join(', ')], ['Events', (row) => short(row.events), 'num'],
      ['Warnings', (row) => count(row.warnings), 'num'], ['Last seen', (row) => ago(row.last_seen), 'num'],
      ['Last 24 hours', (row) => strip(row.heat, row.device), 'heat-cell']], answer.devices,
    wanted || chosen ? 'No device fits.' : 'No device has been heard of yet. An agent that publishes shows here within a second.');
  });
  const again = () => { cursors = ['']; run(); };
  const search = h('input', {type: 'search', placeholder: 'Part of the name', 'aria-label': 'Search devices', oninput: () => {
    clearTimeout(timer);
    timer = setTimeout(() => { wanted = search.value; again(); }, 200);
  }});
  const back = h('button', {type: 'button', onclick: () => { cursors.pop(); run(); }}, 'Previous 50');
  const next = h('button', {type: 'button'}, 'Next 50');
  const filters = h('div', {class: 'tools'});
  const drawFilters = () => filters.replaceChildren(search, choice('Status', [['', 'All'], ['active', 'Active'], ['late', 'Late'], ['silent', 'Silent']], chosen,
      (value) => { chosen = value; drawFilters(); again(); }), told);
  drawFilters();
  root.append(h('div', {class: 'title'}, h('h1', {}, 'Devices')),
      panel('All devices', 'amoskys inspect summary --top 1000 -o json', filters, place, h('div', {class: 'tools'}, back, next)));
  const refresh = setInterval(() => { if (!place.contains(document.activeElement)) run(); }, 10000);
  return {close() { clearInterval(refresh); }};
}

function metricPanel(name, values) {
  const place = h('div'), tools = h('div', {class: 'tools'}), names = h('div', {class: 'metrics', role: 'group', 'aria-label': 'Metrics'});
  const keys = [...new Set(values.map((value) => value.metric))];
  const liveliest = ['cpu_percent', 'cpu_pct', 'process_cpu_percent', 'ifInOctets', 'memory_percent'].find((key) => keys.includes(key));
  let metric = liveliest ?? values.find((value) => typeof value.value === 'number')?.metric ?? keys[0], range = '-1h';
  const command = h('code', {});
  const run = () => filled(place, async () => {
    command.textContent = `amoskys inspect events --device=${quoted(name)} --metric=${quoted(metric)} --since=${range}`;
    const [answer, scores] = await Promise.all([get('metrics', {device: name, metric, since: range}),
      get('scores', {device: name, limit: 1000}).catch(() => ({scores: []}))]);
    if (answer.series.length === 0) return empty(`No numbers of ${metric} in this time. Absent is not zero: nothing came.`);
    const first = millis(answer.since), step = answer.step_seconds * 1000;
    const times = answer.series[0].values.map((_, i) => first + i * step);
    const marks = scores.scores.filter((row) => row.anomaly).map((row) => ({from: millis(row.window_start), to: millis(row.window_end), text: `unusual: ${row.why}`}));
    const lines = answer.series.slice(0, 6).map((each) => ({name: each.index || metric, values: each.values, band: each.band}));
    const inside = marks.filter((mark) => mark.to >= first);
    const unit = `${answer.unit ?? ''}${answer.per_second ? '/s' : ''}`;
    return [h('h3', {}, `${metric}${unit ? `, ${unit}` : ''}`), chart({label: `${metric} of ${name}`, times, lines, marks: inside, unit}),
      h('p', {class: 'why'}, [lines.length === 1 && lines[0].band && 'Shaded: the usual range, median ± 3 robust deviations of what is shown.',
        inside.length > 0 && `▼ ${count(inside.length)} window${inside.length === 1 ? '' : 's'} that the model found unusual.`,
        answer.per_second && 'A counter: shown as its rate.', answer.series.length > 6 && `${answer.series.length} rows of the device's table, the first 6 are shown.`,
        !answer.complete && 'Not all of this time could be read in two seconds.'].filter(Boolean).join(' '))];
  });
  const draw = () => {
    tools.replaceChildren(choice('Time', ranges, range, (value) => { range = value; draw(); run(); }));
    names.replaceChildren(...keys.map((key) => {
      const of = values.filter((value) => value.metric === key);
      const newest = of.length === 1 ? measured(of[0].value, of[0].unit, of[0].type) : `${of.length} rows`;
      return h('button', {type: 'button', 'aria-pressed': String(key === metric), onclick: () => { metric = key; draw(); run(); }}, h('span', {}, key), h('span', {}, newest));
    }));
  };
  const made = panel('Metrics', null, h('div', {class: 'split'}, names, place), h('p', {class: 'command'}, command));
  made.querySelector('.head').append(tools);
  if (keys.length === 0) return panel('Metrics', null, empty('This device has sent no metrics.'));
  draw();
  run();
  return made;
}

const processColumns = [['Time', (row) => h('span', {class: 'time', title: row.time}, clock(row.time, true))], ['Change', (row) => row.change ?? '–'],
  ['PID', (row) => row.pid, 'num'], ['Parent', (row) => row.ppid ?? '–', 'num'], ['Name', (row) => row.name, 'name-cell'], ['Executable', (row) => row.exe || '–', 'what'],
  ['User', (row) => row.uid ?? '–', 'num'], ['Evidence', (row) => link(`envelope/${row.offset}`, `record ${row.offset}`), 'num']];
const flowColumns = [['Start', (row) => h('span', {class: 'time', title: row.start_time}, clock(row.start_time ?? row.time, true))], ['Protocol', (row) => row.protocol],
  ['From', (row) => `${row.src_ip}:${row.src_port}`, 'name-cell'], ['To', (row) => `${row.dst_ip}:${row.dst_port}`, 'name-cell'],
  ['Sent', (row) => `${short(row.bytes_sent)} B`, 'num'], ['Received', (row) => `${short(row.bytes_recv)} B`, 'num'],
  ['Evidence', (row) => link(`envelope/${row.offset}`, `record ${row.offset}`), 'num']];

function one(root, name) {
  const top = h('div', {class: 'title'}, h('h1', {}, name)), body = h('div', {class: 'grid2'});
  root.append(h('p', {}, link('devices', '← all devices')), top, body);
  const more = (what, columns, nothing) => pages(async (cursor) => {
    const answer = await get(what, {device: name, limit: 12, cursor});
    return {rows: answer.events, next: answer.next};
  }, (rows) => (columns ? table(what, columns, rows, nothing) : events(rows, nothing, false)));
  filled(body, async () => {
    const told = await get(`devices/${encodeURIComponent(name)}`);
    top.append(status(told.status), h('p', {}, `${told.sources.join(', ')} · last seen ${ago(told.last_seen)}`));
    const metrics = metricPanel(name, told.values);
    metrics.classList.add('wide');
    const parts = [metrics,
      panel('Last 24 hours', null, strip(told.heat, name), facts([['First seen', clock(told.first_seen, true)], ['Last seen', clock(told.last_seen, true)],
        ['Events', count(told.events)], ['Warnings', count(told.warnings)], ['Alarms', count(told.alarms)], ['Kinds', told.kinds.join(', ')]]),
      h('p', {class: 'why'}, 'Pale: nothing came in that quarter of an hour. Absent is not zero.')),
      panel('Newest events', `amoskys inspect events --device=${quoted(name)} --newest`, more('events', null, 'No events.'))];
    const wide = (made) => { made.classList.add('wide'); return made; };
    if (told.kinds.includes('process'))
      parts.push(wide(panel('Processes', `amoskys inspect events --device=${quoted(name)} --kind process --newest`, more('processes', processColumns, 'No process events.'))));
    if (told.kinds.includes('flow'))
      parts.push(wide(panel('Flows', `amoskys inspect events --device=${quoted(name)} --kind flow --newest`, more('flows', flowColumns, 'No flows.'))));
    return parts;
  });
  return {};
}

export function devices(root, {part}) {
  return part[0] ? one(root, part[0]) : list(root);
}

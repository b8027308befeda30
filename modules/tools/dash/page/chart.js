// A line chart in SVG: what this page needs of one, and no more. Breaks where values are absent,
// a band for what is usual, marks for what was unusual, a reading under the pointer or the arrow
// keys, and the same numbers as a table.
import {h, svg, table} from './dom.js';
import {clock, short} from './format.js';

const WIDTH = 720, HEIGHT = 240, LEFT = 64, RIGHT = 12, TOP = 12, BOTTOM = 28;

function steps(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const out = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) out.push(Math.abs(at) < step / 1e6 ? 0 : at);
  return out;
}

// times: milliseconds; lines: [{name, values, band}]; marks: [{from, to, text}]
export function chart({label, times, lines, marks = [], unit = '', show = short}) {
  const all = lines.flatMap((line) => [...line.values, ...(line.band && lines.length === 1 ? [line.band.low, line.band.high] : [])])
      .filter((value) => value !== null && Number.isFinite(value));
  let low = Math.min(0, ...all), high = Math.max(...all);
  if (low < 0 && Math.min(...lines.flatMap((line) => line.values.filter((v) => v !== null))) >= 0) low = 0;
  if (all.length > 0 && Math.min(...all) > 0 && Math.min(...all) > 0.5 * high) low = Math.min(...all) - 0.1 * (high - Math.min(...all) || high);
  if (high <= low) high = low + 1;
  high += (high - low) * 0.06;
  const first = times[0], last = times[times.length - 1];
  const x = (time) => LEFT + (WIDTH - LEFT - RIGHT) * (last > first ? (time - first) / (last - first) : 0.5);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low));
  const clip = (time) => Math.max(first, Math.min(last, time));

  const grid = steps(low, high, 4).map((value) => [
    svg('line', {class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value)}),
    svg('text', {class: 'tick', x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end'}, show(value))]);
  const hours = [];
  for (let i = 0; i < 5; ++i) {
    const time = first + (last - first) * i / 4;
    hours.push(svg('text', {class: 'tick', x: x(time), y: HEIGHT - 8, 'text-anchor': i === 0 ? 'start' : i === 4 ? 'end' : 'middle'},
        last - first > 36 * 3600e3 ? clock(time, true).slice(5, 16) : clock(time).slice(0, 5)));
  }
  const drawn = lines.map((line, index) => {
    let path = '', pen = false;
    const alone = [];
    line.values.forEach((value, i) => {
      if (value === null) { pen = false; return; }
      path += `${pen ? 'L' : 'M'}${x(times[i]).toFixed(1)} ${y(value).toFixed(1)}`;
      if (!pen && (line.values[i + 1] ?? null) === null) alone.push(svg('circle', {class: `dot s${index % 6}`, cx: x(times[i]), cy: y(value), r: 2}));
      pen = true;
    });
    return [svg('path', {class: `line s${index % 6}`, d: path}), ...alone];
  });
  const band = lines.length === 1 && lines[0].band;
  const spans = marks.filter((mark) => mark.to >= first && mark.from <= last).map((mark) => {
    const from = x(clip(mark.from)), to = x(clip(mark.to));
    return [svg('rect', {class: 'mark', x: from, y: TOP, width: Math.max(to - from, 2), height: HEIGHT - TOP - BOTTOM}),
      svg('path', {class: 'flag', d: `M${from} ${TOP}l5 -8h-10z`}, svg('title', {}, mark.text))];
  });
  const cross = svg('line', {class: 'cross', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden'});
  const reading = h('p', {class: 'reading', 'aria-live': 'off'}, '\u00a0');
  let at = -1;
  const read = (i) => {
    at = Math.max(0, Math.min(times.length - 1, i));
    cross.setAttribute('x1', x(times[at]));
    cross.setAttribute('x2', x(times[at]));
    cross.setAttribute('visibility', 'visible');
    reading.replaceChildren(`${clock(times[at], true)}   ` + lines.map((line) =>
      `${lines.length > 1 ? `${line.name}: ` : ''}${line.values[at] === null || line.values[at] === undefined ? 'nothing came' : `${show(line.values[at])}${unit ? ` ${unit}` : ''}`}`).join('   '));
  };
  const picture = svg('svg', {class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', tabindex: '0', 'aria-label': `${label}. Arrow keys read values; a table follows.`,
    onpointermove: (event) => {
      const box = picture.getBoundingClientRect();
      const time = first + (last - first) * ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
      let best = 0;
      for (let i = 1; i < times.length; ++i) if (Math.abs(times[i] - time) < Math.abs(times[best] - time)) best = i;
      read(best);
    },
    onkeydown: (event) => {
      const by = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity}[event.key];
      if (by === undefined) return;
      event.preventDefault();
      read(at < 0 ? times.length - 1 : Math.max(0, Math.min(times.length - 1, at + by)));
    }},
  band && svg('rect', {class: 'band', x: LEFT, width: WIDTH - LEFT - RIGHT, y: y(Math.min(band.high, high)), height: Math.max(y(Math.max(band.low, low)) - y(Math.min(band.high, high)), 0)}),
  grid.flat(), hours, spans.flat(), drawn.flat(), cross);
  const legend = lines.length > 1 && h('ul', {class: 'legend'}, lines.map((line, index) => h('li', {}, h('span', {class: `key s${index % 6}`, 'aria-hidden': 'true'}), line.name)));
  const numbers = h('details', {class: 'numbers', ontoggle: () => {
    if (numbers.open && numbers.childElementCount === 1)
      numbers.append(table(`${label} as a table`, [['Time', (i) => clock(times[i], true)],
        ...lines.map((line) => [line.name || 'Value', (i) => (line.values[i] === null ? '–' : show(line.values[i])), 'num'])],
      times.map((_, i) => i).reverse(), 'no values'));
  }}, h('summary', {}, 'Show as a table'));
  return h('figure', {}, picture, legend, reading, numbers);
}

// 96 quarters of an hour, oldest first; null = nothing came.
export function strip(heat, label) {
  const parts = {low: '', mid: '', high: ''};
  const most = Math.max(...heat.map((value) => value ?? 0), 1);
  heat.forEach((value, i) => {
    if (value === null) return;
    parts[value > 0.66 * most ? 'high' : value > 0.33 * most ? 'mid' : 'low'] += `M${i * 2} 0h1.7v14h-1.7z`;
  });
  const seen = heat.filter((value) => value !== null).length;
  return svg('svg', {class: 'strip', viewBox: '0 0 192 14', preserveAspectRatio: 'none', role: 'img',
    'aria-label': `${label}: events in ${seen} of ${heat.length} quarters of an hour of the last day`},
  svg('rect', {class: 'none', width: 192, height: 14}), Object.entries(parts).map(([name, d]) => d && svg('path', {class: name, d})));
}

export function bars(values, label, names) {
  const most = Math.max(...values, 1);
  return svg('svg', {class: 'bars', viewBox: '0 0 480 132', role: 'img', 'aria-label': `${label}: ${values.map((v, i) => `${names[i]} ${v}`).join(', ')}`},
      values.map((value, i) => {
        const tall = 100 * value / most, wide = 480 / values.length;
        return [svg('rect', {class: 'bar', x: i * wide + 2, y: 108 - tall, width: wide - 4, height: Math.max(tall, value ? 1 : 0), rx: 2}, svg('title', {}, `${names[i]}: ${value}`)),
          i % 3 === 0 && svg('text', {class: 'tick', x: i * wide + wide / 2, y: 126, 'text-anchor': 'middle'}, names[i].slice(0, 2))];
      }).flat());
}

// Numbers, sizes and times as people read them; the units stand with the numbers.
const plain = new Intl.NumberFormat('en', {maximumFractionDigits: 2});
const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});

export function count(value) {
  return value === null || value === undefined ? '–' : whole.format(Number(value));
}
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return '–';
  const number = Number(value);
  const size = Math.abs(number);
  for (const [least, divisor, unit] of [[1e12, 1e12, 'T'], [1e9, 1e9, 'G'], [1e6, 1e6, 'M'], [1e4, 1e3, 'k']])
    if (size >= least) return `${(number / divisor).toFixed(size / divisor >= 100 ? 0 : 1)} ${unit}`;
  if (size !== 0 && size < 0.01) return number.toExponential(1);
  return size >= 100 ? whole.format(number) : plain.format(number);
}
export function bytes(value) {
  if (value === null || value === undefined) return '–';
  let number = Number(value);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (number < 1024 || unit === 'TiB') return `${number >= 100 || unit === 'B' ? number.toFixed(0) : number.toFixed(1)} ${unit}`;
    number /= 1024;
  }
  return '';
}
export const millis = (time) => (time ? Date.parse(time.slice(0, 23) + 'Z') : null);
export function ago(time, now = Date.now()) {
  if (!time) return 'never';
  const seconds = Math.round((now - millis(time)) / 1000);
  if (seconds < -2) return `in ${span(-seconds)}`;
  return seconds < 2 ? 'now' : `${span(seconds)} ago`;
}
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}
const two = (number) => String(number).padStart(2, '0');
export function clock(time, withDay) {
  const at = new Date(typeof time === 'number' ? time : millis(time));
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return `${withDay ? day : ''}${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
// One word of a shell, whatever a device calls itself: command lines are there to be copied.
export function quoted(text) {
  return /^[\w.@%+=:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
// The value of a metric with its unit.
export function measured(value, unit, type) {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  if (unit === 'bytes') return bytes(value);
  return `${type === 'COUNTER' ? count(value) : short(value)}${unit ? ` ${unit}` : ''}`;
}

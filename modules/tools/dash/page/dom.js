// Elements of the page. Text goes in as text nodes only: nothing that a device says becomes markup.
const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'value') node.value = value;
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const shapes = {good: '●', warn: '▲', bad: '■', mute: '○'};
// A status is a word and a shape; the colour only repeats it.
export function pill(word, tone) {
  return h('span', {class: `pill ${tone}`}, h('span', {'aria-hidden': 'true'}, shapes[tone]), word);
}

export function link(target, ...text) {
  return h('a', {href: `#/${target}`}, ...text);
}

// A panel names the command line that gives the same data.
export function panel(title, command, ...body) {
  return h('section', {class: 'panel', 'aria-label': title},
      h('div', {class: 'head'}, h('h2', {}, title)), ...body,
      command && h('p', {class: 'command'}, h('span', {class: 'visually-hidden'}, 'The same on the command line: '),
          h('code', {}, command)));
}

export const empty = (text) => h('p', {class: 'empty'}, text);

// columns: [title, row => cell, 'num' for numbers]
export function table(label, columns, rows, nothing) {
  if (rows.length === 0) return empty(nothing);
  return h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${label}: table`}, h('table', {},
      h('thead', {}, h('tr', {}, columns.map(([title, , kind]) => h('th', {scope: 'col', class: kind}, title)))),
      h('tbody', {}, rows.map((row) => h('tr', {}, columns.map(([, cell, kind]) => h('td', {class: kind}, cell(row))))))));
}

export function facts(pairs) {
  return h('dl', {class: 'facts'}, pairs.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

export function choice(label, options, chosen, pick) {
  return h('div', {class: 'choice', role: 'group', 'aria-label': label}, options.map(([value, text]) =>
      h('button', {type: 'button', 'aria-pressed': String(value === chosen), onclick: () => pick(value)}, text)));
}

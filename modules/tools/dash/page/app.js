// The page: which view is shown, the one stream that all views listen to, who is signed in.
import {get, post} from './api.js';
import {h, pill} from './dom.js';
import {ago} from './format.js';
import {overview} from './overview.js';
import {devices} from './devices.js';
import {threats} from './threats.js';
import {timeline} from './timeline.js';
import {pipeline} from './pipeline.js';
import {envelope} from './envelope.js';

const views = {overview: ['Overview', overview], devices: ['Devices', devices], threats: ['Threats', threats],
  timeline: ['Timeline', timeline], pipeline: ['Pipeline', pipeline], envelope: ['Envelope', envelope]};
const main = document.getElementById('main');
const state = {role: 'nobody', overview: null, heard: 0, open: false};
let shown = null, stream = null;

function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem('theme', name);
  document.getElementById('theme').textContent = name === 'dark' ? 'Light' : 'Dark';
}
theme(localStorage.getItem('theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));
document.getElementById('theme').addEventListener('click', () => theme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));

// Live: told of the log within 5 s. Stale: the log has had nothing for a minute. Disconnected: no stream.
function showState() {
  const now = state.overview;
  const newest = now?.log?.newest_received;
  let word = 'Disconnected', tone = 'bad';
  if (state.open && Date.now() - state.heard < 5000) {
    const age = newest ? (Date.parse(now.time.slice(0, 23) + 'Z') - Date.parse(newest.slice(0, 23) + 'Z')) / 1000 : Infinity;
    [word, tone] = now?.trouble ? ['No log', 'bad'] : now?.behind ? ['Catching up', 'warn'] : age > 60 ? [`Stale, last record ${ago(newest)}`, 'warn'] : ['Live', 'good'];
  }
  const place = document.getElementById('live');
  if (place.textContent.slice(1) !== word) place.replaceChildren(pill(word, tone));
}
setInterval(showState, 1000);

function route() {
  const [name, ...rest] = location.hash.replace(/^#\//, '').split('/');
  const view = views[name] ? name : 'overview';
  shown?.close?.();
  document.getElementById('nav').replaceChildren(...Object.entries(views).map(([key, [title]]) =>
    h('a', {href: `#/${key}`, 'aria-current': key === view ? 'page' : null}, title)));
  document.title = `${views[view][0]} · amoskys`;
  main.replaceChildren();
  shown = views[view][1](main, {state, part: rest.map(decodeURIComponent)});
  if (state.overview) shown?.overview?.(state.overview);
}

function listen() {
  stream?.close();
  stream = new EventSource('/api/v1/stream');
  const heard = () => { state.open = true; state.heard = Date.now(); };
  stream.onopen = heard;
  stream.onerror = () => {
    state.open = false;
    showState();
    if (stream.readyState === EventSource.CLOSED) setTimeout(start, 3000);
  };
  stream.addEventListener('overview', (event) => {
    heard();
    state.overview = JSON.parse(event.data);
    showState();
    shown?.overview?.(state.overview);
  });
  stream.addEventListener('events', (event) => { heard(); shown?.events?.(JSON.parse(event.data)); });
  stream.addEventListener('alerts', () => { heard(); shown?.alerts?.(); });
  stream.addEventListener('gap', () => { heard(); shown?.gap?.(); });
}

function login() {
  const told = h('p', {role: 'alert'});
  const token = h('input', {type: 'password', name: 'token', autocomplete: 'current-password', required: true, 'aria-label': 'Token'});
  main.replaceChildren(h('section', {class: 'panel login'}, h('h1', {}, 'Sign in'),
      h('p', {class: 'why'}, 'With a token of this server. ', h('code', {}, 'amoskys dash token NAME'), ' makes one.'),
      h('form', {onsubmit: async (event) => {
        event.preventDefault();
        try {
          await post('login', {token: token.value});
          await start();
        } catch (error) {
          told.className = 'error';
          told.textContent = error.message;
        }
      }}, token, h('button', {class: 'main'}, 'Sign in')), told));
  token.focus();
}

async function start() {
  try {
    const session = await get('session');
    state.role = session.role;
    const who = document.getElementById('who');
    who.replaceChildren(session.role === 'nobody' ? '' : `${session.name} (${session.role})`);
    if (session.role === 'nobody') { login(); return; }
  } catch {
    setTimeout(start, 3000);
    return;
  }
  listen();
  route();
}
addEventListener('hashchange', () => { if (state.role !== 'nobody') { route(); main.focus({preventScroll: true}); scrollTo(0, 0); } });
showState();
start();

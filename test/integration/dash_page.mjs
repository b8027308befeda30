// Drives Chromium over the page. Usage: node dash_page.mjs MODULES URL HOSTILE_DEVICE [SCREENSHOT_FOLDER]
// Prints one JSON object: what went wrong (errors, axe, wide, foreign), and what was seen.
import {createRequire} from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [modules, url, hostile, folder] = process.argv.slice(2);
const load = createRequire(path.join(modules, 'node_modules', 'x.js'));
const {chromium} = load('playwright-core');
const axe = fs.readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');
const patience = Number(process.env.AMOSKYS_TEST_PATIENCE ?? 60) * 1000;
const told = {errors: [], foreign: [], axe: [], wide: [], views: {}};

const browser = await chromium.launch({executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage']});

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on('console', (message) => { if (message.type() === 'error') told.errors.push(`console: ${message.text()}`); });
  page.on('pageerror', (error) => told.errors.push(`page: ${error.message}`));
  page.on('dialog', (dialog) => { told.errors.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => { if (new URL(request.url()).origin !== new URL(url).origin) told.foreign.push(request.url()); });
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  return page;
}

// A view has come when the status says so and nothing is being read any more.
async function show(page, view) {
  await page.goto(`${url}#/${view}`);
  await page.waitForFunction(() => document.querySelectorAll('main h1').length === 1 && ![...document.querySelectorAll('.empty')].some((each) => each.textContent === 'Reading…'));
}

const views = ['overview', 'devices', `devices/${encodeURIComponent(hostile)}`, 'devices/router-1', 'threats', 'timeline', 'pipeline', 'envelope', 'envelope/NEWEST'];
let newest = 1;
const name = (view) => view.replace(encodeURIComponent(hostile), 'hostile').replaceAll('/', '-');

// 1. Live data, every view, nothing that a device says runs.
{
  const page = await open({viewport: {width: 1280, height: 900}, colorScheme: 'light'});
  await page.goto(url);
  await page.waitForFunction(() => document.getElementById('live').textContent.includes('Live'));
  told.first_paint_ms = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null);
  told.asset_bytes = await page.evaluate(() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
      .filter((entry) => !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.encodedBodySize, 0));
  await page.waitForFunction(() => [...document.querySelectorAll('.tile')].some((tile) => tile.textContent.startsWith('Devices') && !/^Devices0/.test(tile.textContent)));
  newest = await page.evaluate(async () => (await (await fetch('/api/v1/events?kind=metric&limit=1')).json()).events[0].offset);
  for (const view of views) {
    await show(page, view.replace('NEWEST', newest));
    const text = await page.evaluate(() => document.getElementById('main').innerText);
    told.views[name(view)] = text;
    const ran = await page.evaluate(() => ({run: window.hostile === 1, images: document.querySelectorAll('main img').length}));
    if (ran.run || ran.images) told.errors.push(`${view}: a device's name became markup`);
  }
  // The keyboard alone: the skip link, a view, a chart's values.
  await page.goto(url);
  await page.waitForSelector('.tile');
  await page.keyboard.press('Tab');
  told.first_focus = await page.evaluate(() => document.activeElement.textContent);
  await show(page, 'devices/router-1');
  await page.waitForSelector('svg.chart');
  await page.focus('svg.chart');
  await page.keyboard.press('ArrowLeft');
  told.reading = await page.evaluate(() => document.querySelector('.reading').textContent);
  await page.context().close();
}

// 2. What axe-core finds, in both themes. It has to be let past the policy that the page itself keeps.
for (const colorScheme of ['light', 'dark']) {
  const page = await open({viewport: {width: 1280, height: 900}, colorScheme, bypassCSP: true});
  await page.goto(url);
  await page.waitForFunction(() => document.getElementById('live').textContent.includes('Live'));
  for (const view of views) {
    await show(page, view.replace('NEWEST', newest));
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await window.axe.run(document, {resultTypes: ['violations']})).violations
        .map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`));
    told.axe.push(...found.map((each) => `${colorScheme} ${name(view)} ${each}`));
  }
  await page.context().close();
}

// 3. From a phone to a wall: nothing is wider than the window; pictures for whoever looks.
for (const [width, height] of [[390, 844], [1280, 900], [2560, 1440]]) {
  for (const colorScheme of folder ? ['light', 'dark'] : ['light']) {
    const page = await open({viewport: {width, height}, colorScheme});
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById('live').textContent.includes('Live'));
    for (const view of views) {
      await show(page, view.replace('NEWEST', newest));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) told.wide.push(`${name(view)} at ${width}: ${wide} pixels too wide`);
      if (folder) await page.screenshot({path: path.join(folder, `${name(view)}-${width}-${colorScheme}.png`), fullPage: width < 2000});
    }
    await page.context().close();
  }
}
await browser.close();
console.log(JSON.stringify(told));

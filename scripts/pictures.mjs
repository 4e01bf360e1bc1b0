// npm run pictures: records the pictures of the README and of docs/ in docs/pictures/. Real commands on a small real project whose
// tests run away: `devctl tree` and `devctl monitor` in tmux, `devctl report` in Debian's chromium.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { palettePng } from './palette-png.mjs';
import { terminalPicture } from './terminal-picture.mjs';

const repository = fileURLToPath(new URL('..', import.meta.url));
const program = join(repository, 'bin', 'devctl.js');
const pictures = join(repository, 'docs', 'pictures');
const fresh = mkdtempSync(join(tmpdir(), 'devctl-pictures-'));
const shop = join(fresh, 'shop');
const COLUMNS = 120;
const LINES = 30;
const MOST_BYTES = 50_000;

const PROGRAMS = {
  'db.mjs': `console.log('database system is ready to accept connections');
setInterval(() => console.log('checkpoint complete: wrote 3 buffers'), 2500);`,
  'api.mjs': `import { existsSync, writeFileSync } from 'node:fs';
setTimeout(() => console.log('listening on 4000'), 900);
let order = 4710;
setInterval(() => console.log('POST /orders', (order += 1), '201'), 700);
// The first one fails, so that there is a restart to be seen.
if (!existsSync('.failed')) setTimeout(() => { writeFileSync('.failed', ''); console.error('pool exhausted'); process.exit(1); }, 7000);`,
  'web.mjs': `import { spawn } from 'node:child_process';
spawn('node', ['bundler.mjs', '--watch'], { stdio: 'inherit' });
setTimeout(() => console.log('ready in 640 ms'), 640);`,
  'bundler.mjs': `setInterval(() => { const end = Date.now() + 40; while (Date.now() < end); console.log('rebuilt in 38 ms'); }, 1500);`,
  'tests.mjs': `import { spawn } from 'node:child_process';
console.log('watching for changes');
let count = 0;
setTimeout(() => {
  const timer = setInterval(() => {
    if ((count += 1) > 34) return clearInterval(timer);
    spawn('node', ['worker.mjs', String(count)], { stdio: 'inherit' });
    console.log('RUN worker', count);
  }, 280);
}, 14_000);`,
  'worker.mjs': `const kept = []; for (let i = 0; i < 12; i += 1) kept.push(Buffer.alloc(1024 * 1024, 1));
process.on('SIGTERM', () => Number(process.argv[2]) % 7 === 0 || process.exit(0));
setInterval(() => { const end = Date.now() + 8; while (Date.now() < end); }, 900);`,
};

const MANIFEST = {
  name: 'shop',
  stopGrace: '1s',
  services: {
    db: { command: ['node', 'db.mjs'], ready: { log: 'ready to accept' } },
    api: {
      command: ['node', 'api.mjs'],
      dependsOn: ['db'],
      ready: { log: 'listening' },
      restart: 'on-failure',
    },
    web: { command: 'node web.mjs', dependsOn: ['api'], ready: { log: 'ready in' } },
    tests: { command: 'node tests.mjs', dependsOn: ['db'], limits: { processes: 20 } },
  },
};

const env = { ...process.env, PS1: '$ ', TERM: 'xterm-256color', SHELL: '/bin/sh', ENV: '' };
for (const name of Object.keys(env))
  if (/^(DEVCTL_|NO_COLOR|FORCE_COLOR|CI$|TMUX)/.test(name)) delete env[name];

const devctl = (...args) =>
  execFileSync(process.execPath, [program, ...args], { cwd: shop, env, encoding: 'utf8' });
const tmux = (...args) =>
  execFileSync('tmux', ['-S', join(fresh, 'tmux.sock'), '-f', '/dev/null', ...args], {
    cwd: shop,
    env,
    encoding: 'utf8',
  });
const screen = () => tmux('capture-pane', '-p', '-e');
const type = (line) => tmux('send-keys', line, 'Enter');

/** Waits for a condition and not for a time, because a recorded event must have happened. */
async function until(what, holds) {
  for (let look = 0; look < 600; look += 1) {
    if (holds()) return;
    await delay(100);
  }
  throw new Error(`waited in vain for ${what}:\n${screen()}`);
}

function processesOf(name) {
  const { services } = JSON.parse(devctl('tree', '--json'));
  return services.find(({ service }) => service === name)?.processes ?? 0;
}

async function record() {
  mkdirSync(shop, { recursive: true });
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(shop, '.devctl.json'), JSON.stringify(MANIFEST, null, 2));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(shop, name), `${text}\n`);
  tmux('new-session', '-d', '-x', String(COLUMNS), '-y', String(LINES), '/bin/sh');
  type(`devctl() { '${process.execPath}' '${program}' "$@"; }; clear`);
  await until('a prompt', () => /^\$ *$/m.test(screen()));

  devctl('start');
  await until('the restart', () => statusOf('api').restarts === 1);
  await until('the tests to grow', () => processesOf('tests') >= 4);
  type('clear; devctl tree');
  await until('the tree', () => /held by/.test(screen()));
  save(
    'tree',
    screen(),
    'devctl tree: every process of every service of a project, with cpu, memory and age',
  );

  type('clear; devctl monitor');
  await until('the monitor', () => /tests .*running/.test(screen()));
  tmux('send-keys', 'Down', 'Down', 'Down');
  await until('the runaway', () => processesOf('tests') >= 26);
  await delay(1500);
  save(
    'monitor',
    screen(),
    'devctl monitor: the services of a project with sparklines, the processes of one of them as a tree, and its log',
  );
  tmux('send-keys', 'q');
  await until('the end of it', () => processesOf('tests') >= 35);
  await delay(6000);
  devctl('stop');
  await picturePage();
}

/** Reads the state of a service. The exit code, which says whether all are up, does not matter here. */
function statusOf(name) {
  const options = { cwd: shop, env, encoding: 'utf8' };
  const { stdout } = spawnSync(process.execPath, [program, 'status', '--json'], options);
  return JSON.parse(stdout).services.find((service) => service.name === name);
}

function save(name, text, title) {
  const shown = text.replace(/^.*devctl\(\) \{.*$/gm, '');
  requireNeutral(name, shown);
  writeFileSync(join(pictures, `${name}.svg`), terminalPicture(shown, COLUMNS, title));
  console.log(`docs/pictures/${name}.svg`);
}

async function picturePage() {
  const page = join(fresh, 'report.html');
  devctl('report', '--html', page);
  console.log(devctl('report'));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    const tab = await browser.newPage({
      viewport: { width: 1120, height: 1000 },
      colorScheme: 'light',
    });
    await tab.goto(pathToFileURL(page).href);
    // The picture ends at the edge of the window.
    const seen = await tab.evaluate(SEEN);
    requireNeutral('report', seen);
    const path = join(pictures, 'report.png');
    writeFileSync(path, palettePng(await readPixels(browser, await tab.screenshot())));
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes`);
    console.log(`docs/pictures/report.png (${size} bytes)`);
  } finally {
    await browser.close();
  }
}

const SEEN = `[...document.querySelectorAll('main *')]
  .filter((one) => one.getBoundingClientRect().top < innerHeight && one.children.length === 0)
  .map((one) => one.textContent).join('\\n')`;

/** Has the browser decode a screenshot. */
async function readPixels(browser, png) {
  const blank = await browser.newPage();
  const source = `data:image/png;base64,${png.toString('base64')}`;
  const { width, height, text } = await blank.evaluate(async (from) => {
    const image = new Image();
    image.src = from;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { width, height, data } = context.getImageData(0, 0, image.width, image.height);
    let text = '';
    for (let at = 0; at < data.length; at += 4) {
      text += String.fromCharCode(data[at], data[at + 1], data[at + 2]);
    }
    return { width, height, text };
  }, source);
  return { width, height, pixels: Buffer.from(text, 'latin1') };
}

/** Refuses a picture that tells of the machine on which it was made. */
function requireNeutral(name, text) {
  const secrets = [fresh, tmpdir(), repository, hostname(), process.execPath, userInfo().homedir];
  const found = secrets.filter((secret) => secret.length > 2 && text.includes(secret));
  if (found.length > 0) throw new Error(`${name} shows ${found.join(', ')}`);
}

try {
  await record();
} finally {
  spawnSync(process.execPath, [program, 'stop', '--force'], { cwd: shop, env, stdio: 'inherit' });
  spawnSync('tmux', ['-S', join(fresh, 'tmux.sock'), 'kill-server']);
  rmSync(fresh, { recursive: true, force: true });
}

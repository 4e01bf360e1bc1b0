import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collectRepository } from '../../src/init/collect.ts';
import { toManifestText } from '../../src/init/manifest-text.ts';
import { examineManifest, examineText } from '../../src/manifest/load.ts';
import { currentRunFolder } from '../support/run-folder.ts';
import { byName, proposeFor } from './read.ts';

const scripts = (all: Record<string, string>, more: object = {}) => ({
  'package.json': { name: 'shop', scripts: all, ...more },
});

test.each([
  ['dev before start', { start: 'node x.js', dev: 'node y.js' }, { shop: 'npm run dev' }],
  [
    'start:dev, as nest has it',
    { start: 'nest start', 'start:dev': 'nest start --watch' },
    { shop: 'npm run start:dev' },
  ],
  ['start alone', { start: 'node x.js', build: 'tsc' }, { shop: 'npm run start' }],
  [
    'start and watch',
    { start: 'node x.js', watch: 'tsc -w' },
    { shop: 'npm run start', 'shop-watch': 'npm run watch' },
  ],
  ['a dev script watches by itself', { dev: 'vite', watch: 'tsc -w' }, { shop: 'npm run dev' }],
  ['watch alone', { watch: 'tsc --watch' }, { shop: 'npm run watch' }],
  [
    'npm-run-all',
    { dev: 'npm-run-all -p dev:*', 'dev:api': 'node a.js', 'dev:web': 'vite' },
    { api: 'npm run dev:api', web: 'npm run dev:web' },
  ],
  [
    'run-p',
    { dev: 'run-p dev:api dev:web', 'dev:api': 'node a.js', 'dev:web': 'vite' },
    { api: 'npm run dev:api', web: 'npm run dev:web' },
  ],
  [
    'concurrently with scripts',
    {
      dev: 'concurrently -k -n a,b "npm:dev:api" "npm run dev:web"',
      'dev:api': 'node a.js',
      'dev:web': 'vite',
    },
    { a: 'npm run dev:api', b: 'npm run dev:web' },
  ],
  [
    'concurrently with commands',
    { dev: 'concurrently "node a.js" "tsc -w"' },
    { node: 'node a.js', tsc: 'PATH="$PWD/node_modules/.bin:$PATH" tsc -w' },
  ],
  [
    'a sequence before is kept whole',
    { dev: 'npm-run-all build -p dev:*', 'dev:a': 'x', 'dev:b': 'y' },
    { shop: 'npm run dev' },
  ],
  [
    'commands of several parts find the programs of node_modules, too',
    { dev: 'concurrently -n a,b "cd x && vite" "npm run gen && vite"' },
    {
      a: 'export PATH="$PWD/node_modules/.bin:$PATH"; cd x && vite',
      b: 'export PATH="$PWD/node_modules/.bin:$PATH"; npm run gen && vite',
    },
  ],
  [
    'a hook before is kept',
    { dev: 'run-p a b', a: 'x', b: 'y', predev: 'npm run gen' },
    { shop: 'npm run dev' },
  ],
  [
    'a short form with arguments is kept whole',
    { dev: 'concurrently "npm:a -- --x" "npm:b"', a: 'x', b: 'y' },
    { shop: 'npm run dev' },
  ],
  [
    'what the shell must read is kept whole',
    { dev: 'concurrently "node $FILE" "tsc -w"' },
    { shop: 'npm run dev' },
  ],
])('scripts: %s', (_name, all, expected) => {
  const found = byName(proposeFor(scripts(all)));
  const commands = Object.fromEntries(
    Object.entries(found).map(([name, { command }]) => [name, command]),
  );
  expect(commands).toEqual(expected);
});

test('variables before commands side by side belong to each of them', () => {
  const dev = 'cross-env NODE_ENV="d x" concurrently "node a.js" "npm:b"';
  expect(byName(proposeFor(scripts({ dev, b: 'y' })))).toEqual({
    node: { command: 'node a.js', env: { NODE_ENV: 'd x' } },
    b: { command: 'npm run b', env: { NODE_ENV: 'd x' } },
  });
});

test('a part of the script of a workspace finds the programs of the root', () => {
  const found = proposeFor({
    'package.json': { workspaces: ['apps/*'] },
    'apps/web/package.json': { scripts: { dev: 'concurrently "tsc -w" "npm:b"', b: 'y' } },
  });
  expect(byName(found)).toMatchObject({
    'web-tsc': {
      command:
        'PATH="$PWD/node_modules/.bin:$PWD/../node_modules/.bin:$PWD/../../node_modules/.bin:$PATH" tsc -w',
    },
  });
});

test.each([
  ['itself', { dev: 'devctl up' }],
  ['through npx', { dev: 'npx --no-install devctl start' }],
  ['through a path', { dev: 'node node_modules/devctl/bin/devctl.js start' }],
  ['through another script', { dev: 'npm run services', services: 'devctl start && vite' }],
  ['through a hook', { dev: 'vite', predev: 'devctl start db' }],
  ['through a file', { dev: 'sh start-dev.sh' }],
])('a script that calls devctl is not taken: %s', (_name, all) => {
  const { services, notes } = proposeFor({ ...scripts(all), 'start-dev.sh': 'devctl start &\n' });
  expect(services).toEqual([]);
  expect(notes.join('\n')).toMatch(/scripts\.dev is not taken: it calls devctl/);
});

test.each<[string, Record<string, unknown>]>([
  ['npm with an option', scripts({ dev: 'npm -s run services', services: 'devctl start' })],
  ['node --run', scripts({ dev: 'node --run services', services: 'devctl start' })],
  ['run-s', scripts({ dev: 'run-s services web', services: 'devctl start', web: 'vite' })],
  [
    'a pattern that cannot be taken apart',
    scripts({ dev: 'concurrently "npm:dev:*" > $LOG', 'dev:all': 'devctl up' }),
  ],
  ['a hook of a called script', scripts({ dev: 'npm run a', a: 'vite', prea: 'devctl start' })],
  ['the root, by --prefix', scripts({ up: 'devctl up', start: 'npm --prefix . run up' })],
  [
    'a package, through turbo',
    {
      ...scripts({ dev: 'turbo run dev' }, { workspaces: ['apps/*'] }),
      'apps/web/package.json': { scripts: { dev: 'devctl up' } },
    },
  ],
  [
    'the root, from a package',
    {
      ...scripts({ services: 'devctl up' }, { workspaces: ['apps/*'] }),
      'apps/web/package.json': { scripts: { dev: 'npm -w ../.. run services' } },
    },
  ],
  ['a program without an extension', { ...scripts({ dev: './bin/up' }), 'bin/up': 'devctl up' }],
  [
    'a program that a program runs',
    { ...scripts({ dev: 'sh tools/a.sh' }), 'tools/a.sh': './b.bash', 'tools/b.bash': 'devctl up' },
  ],
  [
    'a launcher in JavaScript',
    { ...scripts({ dev: 'node dev.mjs' }), 'dev.mjs': "spawn('npx', ['devctl', 'up'])" },
  ],
  [
    'a Makefile',
    { ...scripts({ dev: 'make dev' }), Makefile: 'dev: db\n\tvite\ndb:\n\tdevctl start db\n' },
  ],
  ['a Procfile', { ...scripts({ up: 'devctl up' }), Procfile: 'web: yarn up\n' }],
  ['mprocs', { ...scripts({ up: 'devctl up' }), 'mprocs.yaml': 'procs: {a: {shell: npm run up}}' }],
  [
    'process-compose',
    {
      'process-compose.yaml': 'processes: {a: {command: ./up.sh}}',
      'up.sh': 'exec npx devctl up',
    },
  ],
  ['pm2', { 'ecosystem.json': { apps: [{ script: 'up.sh' }] }, 'up.sh': 'devctl up' }],
  [
    'nx',
    {
      'nx.json': {},
      'apps/a/project.json': { targets: { serve: { options: { commands: ['devctl up'] } } } },
    },
  ],
])('what calls devctl further away is not taken either: %s', (_name, files) => {
  const { services, notes } = proposeFor(files);
  expect(services).toEqual([]);
  expect(notes.join('\n')).toMatch(/ is not taken: it calls devctl/);
});

test.each<[string, Record<string, unknown>]>([
  ['its records and its file', scripts({ dev: 'rm -rf .devctl.json devctl.log && vite' })],
  ['a folder of that name', scripts({ dev: 'node devctl/server.js' })],
  ['a comment', { ...scripts({ dev: 'sh dev.sh' }), 'dev.sh': '# or: devctl up\nvite\n' }],
  [
    'another script beside it',
    scripts({ up: 'devctl up', dev: 'npm run dev:web', 'dev:web': 'vite' }),
  ],
  [
    'the same name in another package',
    {
      ...scripts({ dev: 'devctl up' }, { workspaces: ['apps/*'] }),
      'apps/web/package.json': { scripts: { dev: 'npm run gen && vite', gen: 'x' } },
    },
  ],
])('what only looks like a call of devctl is taken: %s', (_name, files) => {
  expect(proposeFor(files).services).toHaveLength(1);
});

test.each([
  ['another manager', { dev: 'pm2 start x.js', start: 'node x.js' }, 'another manager'],
  ['containers', { dev: 'docker compose up', start: 'node x.js' }, 'containers'],
])('a script that runs %s is passed over for the next', (_name, all, why) => {
  const found = proposeFor(scripts(all));
  expect(byName(found)).toMatchObject({ shop: { command: 'npm run start' } });
  expect(found.notes.join('\n')).toContain(why);
});

test('tests are one-offs; the placeholder of npm init is none', () => {
  expect(
    proposeFor(scripts({ dev: 'vite', test: 'vitest run', e2e: 'playwright test' })).oneOffs,
  ).toEqual([
    { command: 'npm test', from: 'package.json: scripts.test' },
    { command: 'npm run e2e', from: 'package.json: scripts.e2e' },
  ]);
  const empty = { dev: 'vite', test: 'echo "Error: no test specified" && exit 1' };
  expect(proposeFor(scripts(empty)).oneOffs).toEqual([]);
});

test.each([
  ['packageManager', { packageManager: 'pnpm@9.0.0' }, {}, 'pnpm run dev', 'pnpm install'],
  ['pnpm', {}, { 'pnpm-lock.yaml': '' }, 'pnpm run dev', 'pnpm install'],
  ['yarn', {}, { 'yarn.lock': '' }, 'yarn run dev', 'yarn install'],
  ['bun', {}, { 'bun.lock': '' }, 'bun run dev', 'bun install'],
  ['npm with its lock file', {}, { 'package-lock.json': '{}' }, 'npm run dev', 'npm ci'],
  ['nothing says so', {}, {}, 'npm run dev', 'npm install'],
])('the package manager: %s', (_name, fields, files, command, install) => {
  const more = { ...fields, devDependencies: { vite: '*' } };
  const found = proposeFor({ ...scripts({ dev: 'vite' }, more), ...files });
  expect(byName(found)).toMatchObject({ shop: { command } });
  expect(found.install).toBe(install);
  const installed = { ...scripts({ dev: 'vite' }, more), ...files, 'node_modules/x': '' };
  expect(proposeFor(installed).install).toBe(null);
});

test.each([
  ['vite', 'vite', {}, 5173],
  ['vite by its flag', 'vite --port 4000', {}, 4000],
  [
    'vite by its configuration',
    'vite',
    { 'vite.config.ts': 'export default { server: { host: true, port: 4001 } }' },
    4001,
  ],
  [
    'vite, whose preview has a port',
    'vite',
    { 'vite.config.ts': 'export default { preview: { port: 4001 } }' },
    5173,
  ],
  [
    'vite, whose hot reload has a port',
    'vite',
    { 'vite.config.ts': 'export default { server: { hmr: { port: 24678 }, host: true } }' },
    5173,
  ],
  [
    'vite with a proxy before its port',
    'vite',
    {
      'vite.config.ts':
        "export default { server: { proxy: { '/api': { target: 'http://localhost:1' } }, port: 4004 } }",
    },
    4004,
  ],
  ['node with a debugger', 'node --inspect=9229 x.js', { 'x.js': 'app.listen(3307)' }, 3307],
  [
    'vite with a computed port',
    'vite',
    { 'vite.config.ts': 'export default { server: { port: Number(env.P) } }' },
    null,
  ],
  [
    'vite with the default of a variable',
    'vite',
    {
      'vite.config.ts': 'export default { server: { port: Number(process.env.WEB_PORT ?? 4002) } }',
    },
    4002,
  ],
  [
    'vite with a variable of its env file',
    'vite',
    {
      'vite.config.ts': 'export default { server: { port: parseInt(env.WEB_PORT || "4002") } }',
      '.env': 'WEB_PORT=4003',
    },
    4003,
  ],
  [
    'express, a variable of another name',
    'node server.js',
    { 'server.js': 'const port = Number(process.env.API_PORT ?? 3306);\nserver.listen(port)' },
    3306,
  ],
  ['vite build', 'vite build --watch', {}, null],
  ['vitest is none', 'vitest', {}, null],
  ['next', 'next dev --turbopack', {}, 3000],
  ['next with -p', 'next dev -p 3005', {}, 3005],
  ['next with PORT', 'PORT=3006 next dev', {}, 3006],
  ['next with a computed port', 'next dev -p $WEB_PORT', {}, null],
  [
    'nuxt',
    'nuxt dev',
    { 'nuxt.config.ts': 'export default defineNuxtConfig({ devServer: { port: 3007 } })' },
    3007,
  ],
  [
    'astro',
    'astro dev',
    { 'astro.config.mjs': 'export default defineConfig({ server: { port: 4444 } })' },
    4444,
  ],
  ['create-react-app', 'react-scripts start', { '.env': 'PORT=3100\n' }, 3100],
  ['angular', 'ng serve', {}, 4200],
  [
    'nest',
    'nest start --watch',
    { 'src/main.ts': 'await app.listen(process.env.PORT ?? 3200);' },
    3200,
  ],
  ['express', 'nodemon server.js', { 'server.js': 'app.listen(3300, () => {})' }, 3300],
  [
    'express, a variable',
    'node server.js',
    { 'server.js': 'const port = process.env.PORT || 3301;\napp.listen(port)' },
    3301,
  ],
  [
    'express, dotenv',
    'node server.js',
    {
      'server.js': "require('dotenv').config();\napp.listen(process.env.PORT || 3302)",
      '.env': 'PORT=3303',
    },
    3303,
  ],
  [
    'express, an env file that nobody reads',
    'node server.js',
    { 'server.js': 'app.listen(process.env.PORT || 3302)', '.env': 'PORT=3303' },
    3302,
  ],
  [
    'fastify',
    'tsx watch src/index.ts',
    { 'src/index.ts': "await app.listen({ host: '0.0.0.0', port: 3304 })" },
    3304,
  ],
  ['bun', 'bun --hot src/index.ts', { 'src/index.ts': 'Bun.serve({ fetch, port: 3305 })' }, 3305],
  ['a port from elsewhere', 'node server.js', { 'server.js': 'app.listen(config.port)' }, null],
  ['commented out', 'node server.js', { 'server.js': '// app.listen(3306)\nstart();' }, null],
  ['django', 'python manage.py runserver 0.0.0.0:8001', {}, 8001],
  ['flask', 'flask --app app run --port 5001', {}, 5001],
  ['uvicorn', 'uvicorn main:app --reload', {}, 8000],
  ['rails', 'bin/rails server', { 'config/puma.rb': 'port ENV.fetch("PORT") { 3010 }' }, 3010],
])('the port of %s', (_name, dev, files, port) => {
  const { shop } = byName(proposeFor({ ...scripts({ dev }), ...files }));
  expect(shop?.ports).toEqual(port === null ? undefined : [port]);
});

test('tsc --watch is ready by its own line', () => {
  expect(byName(proposeFor(scripts({ dev: 'tsc --watch' })))).toMatchObject({
    shop: { ready: { log: 'Watching for file changes' } },
  });
});

test('two dev servers of the same default: neither port is certain', () => {
  const one = { scripts: { dev: 'vite' } };
  const found = proposeFor({ 'web/package.json': one, 'admin/package.json': one });
  expect(found.services.map(({ ports }) => ports)).toEqual([undefined, undefined]);
  expect(found.services[0]?.notes.join()).toContain('5173 or the next');
});

test('servers that no script names', () => {
  const found = proposeFor({
    'backend/manage.py': 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "x")',
    'backend/.venv/bin/python': '',
    'ml/main.py': 'app = FastAPI()',
    'ml/uv.lock': '',
    'old/app.py': 'from flask import Flask\napp = Flask(__name__)',
  });
  expect(byName(found)).toEqual({
    backend: { command: '.venv/bin/python manage.py runserver', cwd: 'backend' },
    ml: { command: 'uv run python -m uvicorn main:app --reload', cwd: 'ml' },
    old: { command: 'python3 -m flask --app app run --debug', cwd: 'old', ports: [5000] },
  });
});

test('the process of a Procfile whose PORT is that of .env gets it from there alone', () => {
  const found = proposeFor({
    Procfile: 'web: vite --port $PORT\nworker: node w.js\n',
    '.env': 'PORT=8000\nexport PORT="8123"\n',
  });
  const envFile = '.env';
  expect(byName(found)).toEqual({
    web: { command: 'vite --port $PORT', envFile, ports: [8123] },
    worker: { command: 'node w.js', envFile, env: { PORT: '8223' } },
  });
});

test('a process of a Procfile whose program does not use PORT gets none, and check notes nothing', () => {
  const files = {
    Procfile:
      'web: node a.js\napi: node b.js\nworker: node w.js\njob: sh ./job.sh\nfar: node f.js\n',
    'a.js': 'listen(process.env.PORT)',
    'b.js': 'listen(process.env.PORT)',
    'w.js': "require('node:fs')",
    'job.sh': 'sleep 1',
    'f.js': "require('./b')",
    '.env': 'PORT=8000\n',
  };
  const found = proposeFor(files);
  const given = Object.entries(byName(found)).map(([name, { env }]) => [name, env?.PORT]);
  expect(Object.fromEntries(given)).toEqual({ api: '8100', far: '8400' });
  const root = mkdtempSync(join(currentRunFolder(), 'ports-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  writeFileSync(join(root, '.devctl.json'), toManifestText(found, null));
  const { problems, warnings } = examineManifest({ file: join(root, '.devctl.json') });
  expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
});

test('a file of a manager of processes comes before scripts', () => {
  const found = proposeFor({
    ...scripts({ dev: 'foreman start -f Procfile.dev', test: 'jest' }),
    'Procfile.dev': 'web: vite --port $PORT\n# no: process\n\nworker: node w.js\n',
    Procfile: 'web: node production.js',
  });
  expect(byName(found)).toEqual({
    web: { command: 'vite --port $PORT', env: { PORT: '5000' }, ports: [5000] },
    worker: { command: 'node w.js', env: { PORT: '5100' } },
  });
  expect(found.oneOffs).toHaveLength(1);
});

test.each([
  ['a dev script is nearer than a Procfile for production', { dev: 'vite' }, 'npm run dev'],
  ['start is what Heroku runs as well', { start: 'node x.js' }, 'gunicorn app'],
])('%s', (_name, all, command) => {
  const found = proposeFor({ ...scripts(all), Procfile: 'web: gunicorn app' });
  expect(found.services.map((one) => one.command)).toEqual([command]);
});

test('mprocs.yaml', () => {
  const found = proposeFor({
    'mprocs.yaml': `procs:
  web: {shell: "npm run dev", cwd: "<CONFIG_DIR>/web", env: {PORT: 3000, GONE: null}, stop: SIGINT}
  db: {cmd: ["postgres", "-D", "data"], stop: hard-kill, autostart: false}
  self: {shell: devctl up}
  off: null
`,
  });
  expect(byName(found)).toEqual({
    web: { command: 'npm run dev', cwd: 'web', env: { PORT: '3000' }, stop: { signal: 'SIGINT' } },
    db: { command: ['postgres', '-D', 'data'], stop: { signal: 'SIGKILL' }, autostart: false },
  });
});

test('process-compose.yaml', () => {
  const found = proposeFor({
    'process-compose.yaml': `environment: [SHARED=1]
processes:
  migrate: {command: ./migrate.sh}
  api:
    command: node api.js
    working_dir: ./api
    environment: [PORT=4000]
    depends_on:
      migrate: {condition: process_completed_successfully}
      cache: {condition: process_healthy}
      gone: {condition: process_started}
    availability: {restart: on_failure}
    shutdown: {signal: 2, timeout_seconds: 10}
    readiness_probe: {http_get: {port: 4000, path: health}}
  cache: {command: redis-server, ready_log_line: "Ready to accept (all)"}
  off: {command: x, disabled: true}
`,
  });
  expect(byName(found)).toEqual({
    migrate: { command: './migrate.sh', env: { SHARED: '1' }, oneShot: true },
    api: {
      command: 'node api.js',
      cwd: 'api',
      env: { SHARED: '1', PORT: '4000' },
      ready: { http: 'http://127.0.0.1:4000/health' },
      dependsOn: { migrate: 'completed', cache: 'ready' },
      restart: 'on-failure',
      stop: { signal: 'SIGINT', grace: '10s' },
    },
    cache: {
      command: 'redis-server',
      env: { SHARED: '1' },
      ready: { log: 'Ready to accept \\(all\\)' },
    },
    off: { command: 'x', env: { SHARED: '1' }, autostart: false },
  });
});

test("pm2's ecosystem file: literals are read, code is not run", () => {
  const found = proposeFor({
    'ecosystem.config.js': `// all of it
const path = require('path');
module.exports = {
  apps: [
    { name: 'api', script: './api.js', args: ['--port', "4000"], cwd: './server', env: { NODE_ENV: 'development', SECRET: process.env.SECRET }, instances: 'max', kill_timeout: 5000, },
    { name: "job", script: 'worker.py', autorestart: true },
    { name: 'npm', script: 'npm', args: 'run dev', interpreter: 'none' },
    { name: 'computed', script: path.join(__dirname, 'x.js') },
  ],
};
process.exit(99);
`,
  });
  expect(byName(found)).toEqual({
    api: {
      command: 'node ./api.js --port 4000',
      cwd: 'server',
      env: { NODE_ENV: 'development' },
      stop: { grace: '5000ms' },
    },
    job: { command: 'python3 worker.py', restart: 'always' },
    npm: { command: 'npm run dev' },
  });
  expect(found.notes.join('\n')).toContain('computed is not taken');
  expect(found.services[0]?.notes.join('\n')).toContain('SECRET');
});

test('what a start script starts is shown, not taken', () => {
  const { services, notes } = proposeFor({
    ...scripts({ dev: 'vite' }),
    'start-dev.sh': '#!/bin/sh\n# not this &\nnode a.js \\\n  --port 1 > a.log &\nwait\na && b\n',
  });
  expect(services).toHaveLength(1);
  expect(notes).toEqual([
    'start-dev.sh starts in the background, and nothing of it is taken:',
    '  node a.js --port 1 > a.log &',
  ]);
});

const POSTGRES = `{image: postgres, ports: ['\${DB:-5432}:5432']}`;

test.each<[what: string, files: Record<string, string>, containers: object | null, notes: RegExp]>([
  [
    'all of a usual file',
    { 'docker-compose.yml': `services: {db: ${POSTGRES}}` },
    { from: 'docker-compose.yml', names: ['db'], ports: new Map([[5432, 'db']]) },
    /^$/,
  ],
  [
    'not what is built, is of a profile, or has the name of a service',
    {
      'compose.yaml': `services: {db: ${POSTGRES}, app: {build: .}, tool: {image: x, profiles: [x]}, shop: {image: y}}`,
      'compose.override.yaml': "services: {db: {ports: ['5433:5432']}}",
      '.env': 'DB=5000',
    },
    {
      services: ['db'],
      from: 'compose.yaml, compose.override.yaml',
      names: ['db'],
      ports: new Map([
        [5000, 'db'],
        [5433, 'db'],
      ]),
    },
    /app is not taken: it is built\n.*tool is not taken: it belongs to a profile\n.*shop is not taken: a service has that name/,
  ],
  [
    'a file for development alone, which compose does not look for',
    { 'docker-compose.dev.yml': 'services: {db: {image: x}}' },
    {
      file: 'docker-compose.dev.yml',
      from: 'docker-compose.dev.yml',
      names: ['db'],
      ports: new Map(),
    },
    /^$/,
  ],
  [
    'nothing of a file that includes others',
    { 'compose.yaml': 'include: [a.yaml]\nservices: {db: {image: x}}' },
    null,
    /compose\.yaml is not taken: "include" is not supported/,
  ],
])('containers: %s', (_what, files, containers, notes) => {
  const found = proposeFor({ ...scripts({ dev: 'vite' }), ...files });
  expect(found.containers).toEqual(containers);
  expect(found.notes.join('\n')).toMatch(notes);
});

test('a service depends on the container whose port a variable names', () => {
  const files = { 'compose.yaml': `services: {db: ${POSTGRES}}` };
  const depends = { dependsOn: { db: 'ready' } };
  const url = { ...files, '.env': 'DATABASE_URL=postgres://x@localhost:5432/y' };
  expect(byName(proposeFor({ ...scripts({ dev: 'x' }), ...url }))).toMatchObject({ shop: depends });
  const own = { ...files, Procfile: 'web: x', '.env': 'PGPORT=1\nDB_PORT=5432' };
  expect(byName(proposeFor(own))).toMatchObject({ web: depends });
  const other = { ...files, '.env': 'REDIS_URL=redis://localhost:6379' };
  expect(byName(proposeFor({ ...scripts({ dev: 'x' }), ...other })).shop).not.toHaveProperty(
    'dependsOn',
  );
});

test('a file that cannot be read is named, and the rest counts', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
    .concat(
      [...'bcdefgh'].map(
        (name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`,
      ),
    )
    .join('\n');
  const { services, notes } = proposeFor({
    ...scripts({ dev: 'vite' }),
    'turbo.json': '{ "tasks": ',
    'mprocs.yaml': 'procs: {a: [}',
    'compose.yaml': bomb,
  });
  expect(services.map(({ name }) => name)).toEqual(['shop']);
  expect(notes.join('\n')).toMatch(/mprocs\.yaml cannot be read/);
  expect(notes.join('\n')).toMatch(/turbo\.json cannot be read: it is not JSON, see line 1/);
  expect(notes.join('\n')).toMatch(/compose\.yaml cannot be read: .*alias/);
});

test('names are those that a manifest accepts, each once', () => {
  const one = { scripts: { dev: 'x' } };
  const found = proposeFor({
    'package.json': { name: '@acme/.web app!', workspaces: ['*/*'], ...one },
    'a/web/package.json': one,
    'b/web/package.json': one,
  });
  expect(found.services.map(({ name }) => name)).toEqual(['web-app', 'web', 'web-2']);
});

test('keys of prototypes, and files that nobody would write, end in no service and in no crash', () => {
  const many = 'server: {'.repeat(50_000);
  const found = proposeFor({
    'package.json': `{"name": "__proto__", "workspaces": ["${'*a'.repeat(50)}"], "scripts": {
      "dev": "vite", "__proto__": "x", "constructor": "y", "start": "${'bun '.repeat(30_000)}"}}`,
    [`${'a'.repeat(100)}/package.json`]: { scripts: { dev: `run-p ${'a*'.repeat(100)}` } },
    'vite.config.ts': many,
    'mprocs.yaml': 'procs: {a: {shell: x, stop: constructor}, __proto__: {shell: y}}',
    'process-compose.yaml': `processes:
  a: {command: x, availability: {restart: toString}, depends_on: {b: {condition: valueOf}}}
  b: {command: x}
`,
    'ecosystem.config.js': `module.exports = { apps: [${'/*'.repeat(100_000)}`,
    'start-dev.sh': '\x1b[2J & \u202e\n'.repeat(1_000),
    'turbo.json': '['.repeat(200_000),
    'nx.json': '{}',
    'apps/x/project.json': { name: "x'; echo", targets: { serve: {} } },
  });
  const { problems } = examineText(toManifestText(found, null), '/nowhere');
  expect(problems).toEqual([]);
  expect(byName(found)).toEqual({
    a: { command: 'x', dependsOn: { b: 'started' } },
    b: { command: 'x' },
  });
  const procs = Array.from({ length: 20_000 }, () => 'web: x').join('\n');
  expect(proposeFor({ Procfile: procs }).services).toHaveLength(200);
});

test('a link that leads out of the repository, a FIFO and a folder in the place of a file are not read', () => {
  const root = mkdtempSync(join(currentRunFolder(), 'hostile-'));
  const elsewhere = mkdtempSync(join(currentRunFolder(), 'elsewhere-'));
  writeFileSync(join(elsewhere, 'Procfile'), 'web: secret\n');
  writeFileSync(join(elsewhere, 'puma.rb'), 'port 1\n');
  symlinkSync(join(elsewhere, 'Procfile'), join(root, 'Procfile'));
  symlinkSync(elsewhere, join(root, 'config'));
  symlinkSync('nowhere', join(root, 'compose.yaml'));
  symlinkSync('turbo.json', join(root, 'turbo.json'));
  symlinkSync('/dev/zero', join(root, 'nx.json'));
  execFileSync('mkfifo', [join(root, '.env'), join(root, 'mprocs.yaml')]);
  mkdirSync(join(root, 'lerna.json'));
  writeFileSync(join(root, 'package.json'), '{"scripts": {"dev": "sh ./dev.sh"}}');
  symlinkSync('package.json', join(root, 'dev.sh'));
  const { texts, problems } = collectRepository(root);
  expect([...texts.keys()].sort()).toEqual(['dev.sh', 'package.json']);
  expect(problems.toSorted()).toEqual([
    '.env is not a regular file',
    'Procfile is not read: it is a link that leads out of here',
    'config/puma.rb is not read: it is a link that leads out of here',
    'mprocs.yaml is not a regular file',
    'nx.json is not read: it is a link that leads out of here',
  ]);
});

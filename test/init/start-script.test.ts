import { expect, test } from 'vitest';
import { toManifestText } from '../../src/init/manifest-text.ts';
import { readScriptCommands } from '../../src/init/script-commands.ts';
import { examineText } from '../../src/manifest/load.ts';
import { byName, proposeFor } from './read.ts';

test('where a start script is all there is, its background commands become services', () => {
  const found = proposeFor({
    'start-dev.sh': `#!/bin/bash
cd "$(dirname "$0")" || exit 1
export MODE="in development"
PORT=4331 node server.js > log 2>&1 & echo $! >> .pids/services.pids
nohup python3 -m http.server 4332 </dev/null &
./worker.sh --queue 'a b' &
cd web
npm run dev:site &
wait
`,
    'web/index.html': '',
    'server.js': 'http.createServer().listen(process.env.PORT)',
  });
  const env = { MODE: 'in development' };
  expect(byName(found)).toEqual({
    server: { command: 'node server.js', env: { ...env, PORT: '4331' }, ports: [4331] },
    'http.server': { command: 'python3 -m http.server 4332', env, ports: [4332] },
    worker: { command: "./worker.sh --queue 'a b'", env },
    site: { command: 'npm run dev:site', cwd: 'web', env },
  });
  expect(found.notes).toEqual([]);
  expect(found.sources).toEqual(['start-dev.sh']);
  const text = toManifestText(found, null);
  expect(text).toContain(`    // from start-dev.sh: line 4
    //   PORT=4331 node server.js > log 2>&1 &
    // port 4331: the variable PORT
    "server": {`);
  expect(examineText(text.replace('"web"', '"."'), '/').problems).toEqual([]);
});

const REFUSED: readonly (readonly [line: string, why: string])[] = [
  ['node a.js | tee log &', 'it has |'],
  ['npm ci && npm run dev &', 'it has &&'],
  ['node a.js --port $PORT &', 'only a shell knows the value of its $ or `'],
  ['PORT=`port` node a.js &', 'only a shell knows the value of its $ or `'],
  ['(cd web && node a.js) &', 'it has ( )'],
  ['( node a.js & )', 'it stands in ( )'],
  ['{ node a.js; } &', 'it is a condition, a loop or a block'],
  ['for one in a b; do node $one.js & done', 'it stands in a condition, a loop or a block'],
  ['while sleep 1; do node a.js; done &', 'it is a condition, a loop or a block'],
  ['if true; then\n  node a.js &\nfi', 'it stands in a condition, a loop or a block'],
  ['case x in\n  x) node a.js & ;;\nesac', 'it stands in a condition, a loop or a block'],
  ['api() {\n  node a.js &\n}', 'it stands in a function'],
  ['function api {\n  node a.js\n}\napi &', 'it calls a function of the script'],
  ['node a.js <<END &\nnode b.js &\nEND', 'it reads from a file'],
  ['devctl start &', 'it calls devctl, and would start itself for ever'],
  ['sh start-dev.js &', 'it calls devctl through start-dev.js, and would start itself for ever'],
  ['dropdb dev &', 'it may end or remove something'],
  ['npm run deploy &', 'it may end or remove something'],
  ['git push &', 'it may end or remove something'],
  ['find . -name x -delete &', 'it may end or remove something'],
  ['npm --prefix web run stop &', 'it may end or remove something'],
  ['kubectl delete pod api &', 'only a person should run that'],
  ['terraform apply &', 'only a person should run that'],
  ['sudo node a.js &', 'only a person should run that'],
  ['docker rm -f db &', 'it leaves its process to the engine'],
  ['docker run -d redis &', 'it leaves its process to the engine'],
  ['bash -c "pkill node" &', 'only a shell knows what it runs'],
  ['node {a,b}.js &', 'sh does not know its braces'],
  ['kill 4711 &', 'it may end or remove something'],
  ['bash ./stop-dev.sh &', 'it may end or remove something'],
  ['npm run stop:all &', 'it may end or remove something'],
  ['sleep 5 &', 'it is no service'],
  ['docker compose up &', 'it brings up containers'],
  ['cd "$HOME"; node a.js &', 'only a shell knows the folder in which it runs'],
  ['cd ..; node a.js &', 'it runs outside of this folder'],
  ['"$NODE" a.js &', 'only a shell knows the value of its $ or `'],
  ['vite', 'it runs in the foreground; add it where it is a service'],
  ['echo "never closed &', 'a quote, a bracket or a here-document is not closed'],
];

test.each([
  ['cd web', 'web'],
  ['cd web || exit 1', 'web'],
  ['cd web && npm install && cd ..', null],
  ['mkdir -p tmp && cd tmp', null],
  ['cd web*', null],
  ['enter() { cd web; }\nenter', null],
  ['pushd web', null],
  ['(cd web && npm install)', '.'],
])('after %j a service runs in %j', (before, folder) => {
  const { services, notes } = proposeFor({
    'start-dev.sh': `#!/bin/sh\n./taken &\n${before}\nnode server.js &\n`,
  });
  const taken = services.find(({ command }) => command === 'node server.js');
  expect(taken && (taken.cwd ?? '.')).toBe(folder ?? undefined);
  if (folder === null) expect(notes.join()).toContain('only a shell knows the folder');
});

test.each<[string, Record<string, string> | undefined, boolean]>([
  ['export PORT=3000', { PORT: '3000' }, false],
  ['export OPTS=\'{"a":1}\'', { OPTS: '{"a":1}' }, false],
  ['export PORT=3000\nPORT=3001', { PORT: '3001' }, false],
  ['export PORT=3000\nunset PORT', undefined, false],
  ['export URL="postgres://$USER@x"', undefined, true],
  ['set -a; . ./.env; set +a', undefined, true],
  ['source .env', undefined, true],
])('after %j the variables are %j, and doubts are told: %j', (before, env, isTold) => {
  const { services } = proposeFor({
    'start-dev.sh': `#!/bin/bash\n${before}\nnode server.js &\n`,
  });
  expect(services.map((one) => one.env)).toEqual([env]);
  expect(services[0]?.notes.join().includes('sets variables that only a shell knows')).toBe(isTold);
});

test('a text in a here-document, a word of two lines, and what comes after an exit', () => {
  const text =
    '#!/bin/sh\ncat <<EOF\n  EOF\nnode evil.js &\nEOF\nnode ser\\\nver.js &\nexit 0\nnode late.js &\n';
  const { services } = proposeFor({ 'start-dev.sh': text });
  expect(services.map(({ command }) => command)).toEqual(['node server.js']);
});

test('hostile scripts and Procfiles end in the time of a test', () => {
  proposeFor({ 'start-dev.sh': `#!/bin/sh\n./x${'-stop'.repeat(20_000)}! &\n./taken &\n` });
  proposeFor({ Procfile: 'web: sh ./a.sh\n', 'a.sh': '\n'.repeat(400_000), '.env': 'PORT=1\n' });
});

test('what is no simple command of a program that serves is not taken, and named', () => {
  for (const [line, why] of REFUSED) {
    const { services, notes } = proposeFor({
      'start-dev.sh': `#!/bin/sh\n./taken &\n${line}\n`,
      'start-dev.js': 'spawn("devctl")',
    });
    expect(
      services.map(({ command }) => command),
      line,
    ).toEqual(['./taken']);
    expect(notes, line).toEqual([expect.stringMatching(/^start-dev\.sh: line \d not taken: /)]);
    expect(notes[0]).toContain(`(${why}`);
  }
});

test('a start script of which nothing can be taken, or that is no shell script, is shown as before', () => {
  for (const text of ['a && b &\n', '#!/usr/bin/env ruby\nx = y &\n']) {
    const { services, notes } = proposeFor({ 'bin/dev': text });
    expect(services).toEqual([]);
    expect(notes[0]).toBe('bin/dev starts in the background, and nothing of it is taken:');
  }
});

test('a text that nobody would write is read in no time', () => {
  const before = process.cpuUsage().user;
  for (const text of ['(', '$(', '${', '"', '`', "'", '{ ', '( a; ', 'f() ', '<<A\n', 'a & ', '\\'])
    readScriptCommands(text.repeat(4_000));
  expect(process.cpuUsage().user - before).toBeLessThan(2_000_000);
});

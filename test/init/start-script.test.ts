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
  ['kill 4711 &', 'it ends other programs'],
  ['bash ./stop-dev.sh &', 'it ends other programs'],
  ['npm run stop:all &', 'it ends other programs'],
  ['sleep 5 &', 'it is no service'],
  ['docker compose up &', 'it brings up containers'],
  ['cd "$HOME"; node a.js &', 'only a shell knows the folder in which it runs'],
  ['cd ..; node a.js &', 'it runs outside of this folder'],
  ['"$NODE" a.js &', 'only a shell knows the value of its $ or `'],
  ['vite', 'it runs in the foreground; add it where it is a service'],
  ['echo "never closed &', 'a quote, a bracket or a here-document is not closed'],
];

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

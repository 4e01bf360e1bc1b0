#!/usr/bin/env node
// Plain JavaScript that is never compiled, so that it can still speak on a Node that is too old for
// the bundle. CommonJS (see the package.json beside it): Node's loader of ES modules takes 5 to 15 ms, and reads files in
// threads of libuv's pool. At the process limit no thread can be made, and libuv aborts the process. A `require` needs none.
'use strict';

const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const OLDEST_NODE = [20, 12];
const root = path.dirname(__dirname);
const dist = path.join(root, 'dist');

const args = process.argv.slice(2);
const [major, minor] = process.versions.node.split('.').map(Number);

if (process.platform === 'win32') {
  fail('devctl does not run on Windows: run it inside WSL, the Windows Subsystem for Linux');
} else if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  fail(
    `devctl needs Node ${OLDEST_NODE.join('.')} or newer, this is Node ${process.versions.node}`,
    `switch with your version manager, e.g. nvm install ${OLDEST_NODE[0]}`,
  );
} else if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  process.stdout.write(`${manifest.version}\n`);
} else if (!existsSync(path.join(dist, 'commands.cjs'))) {
  fail('devctl is not built: dist/ is missing', 'run npm install in the folder of devctl');
} else if (!runQuickly()) {
  load('commands.cjs').main(args);
}

/** `start`, `restart`, `status` and `stop` in their usual forms, for which nothing else need be read. */
function runQuickly() {
  if (!['start', 'restart', 'status', 'stop'].includes(args[0])) return false;
  return load('quick-main.cjs').quickMain(args) !== null;
}

function load(bundle) {
  const { loadCompiled } = require(path.join(dist, 'compiled-code.cjs'));
  return loadCompiled(path.join(dist, bundle));
}

function fail(message, hint) {
  process.stderr.write(`✗ ${message}\n`);
  if (hint) process.stderr.write(`  → ${hint}\n`);
  process.exitCode = 1;
}

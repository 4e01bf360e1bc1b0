#!/usr/bin/env node
// Plain JavaScript that is never compiled, so that it can still speak on a Node that is too old for
// the bundle. CommonJS (see the package.json beside it), so that --version need not start Node's
// ESM loader, which alone takes 5 ms.
'use strict';

const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const OLDEST_NODE = [20, 12];
const root = path.dirname(__dirname);
const bundle = path.join(root, 'dist', 'main.js');
const quickBundle = path.join(root, 'dist', 'quick-main.cjs');

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
} else if (!runQuickly()) {
  import(pathToFileURL(bundle).href).then(({ main }) => main(args), explainMissingBundle);
}

/** `start`, `status` and `stop`, where nothing but they themselves need be parsed: without the ESM loader. */
function runQuickly() {
  if (!['start', 'status', 'stop'].includes(args[0]) || !existsSync(quickBundle)) return false;
  const { loadCompiled } = require(path.join(root, 'dist', 'compiled-code.cjs'));
  return loadCompiled(quickBundle).quickMain(args) !== null;
}

/** A clone whose `npm install` has not run has no bundle; anything else is a fault of ours. */
function explainMissingBundle(error) {
  if (existsSync(bundle)) throw error;
  fail('devctl is not built: dist/main.js is missing', 'run npm install in the folder of devctl');
}

function fail(message, hint) {
  process.stderr.write(`✗ ${message}\n`);
  if (hint) process.stderr.write(`  → ${hint}\n`);
  process.exitCode = 1;
}

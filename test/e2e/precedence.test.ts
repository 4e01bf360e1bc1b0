import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { repositoryRoot } from '../support/paths.ts';
import { eachModeIf } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const FILE = '/proc/self/autogroup';
const mayRaise = process.getuid?.() === 0 && existsSync(FILE);

eachModeIf(mayRaise)([
  ['stop --force', -20],
  ['stop --force --dry-run', 0],
  ['stop', -20],
])('as root, %s gives its session niceness %i until it ends', async (words, niceness) => {
  await using project = await temporaryProject({ services: { web: { command: 'sleep 100' } } });
  // It runs before the listener of devctl, which sets the niceness back.
  const preload = project.write(
    'preload.cjs',
    `process.on('exit', () => {
      const { readFileSync, writeFileSync } = require('node:fs');
      writeFileSync('during', readFileSync('${FILE}'));
    });`,
  );
  const devctl = `${process.execPath} --require=${preload} ${join(repositoryRoot, 'bin', 'devctl.js')}`;
  // A session of its own has an autogroup of its own, so ours is not touched.
  const { stdout } = await execa('setsid', ['-w', 'sh', '-c', `${devctl} ${words}; cat ${FILE}`], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    extendEnv: false,
    stdin: 'ignore',
  });
  expect(readFileSync(project.file('during'), 'latin1')).toMatch(`nice ${niceness}\n`);
  expect(stdout).toMatch(/nice 0$/);
});

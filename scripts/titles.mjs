// npm run titles: writes test/titles.json, which maps the title of each test to the command that runs it.
// A test whose title is not in it fails, and so does a file that has lost a title: nothing is left out unseen.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const COMMANDS = { 'npm test': 'quick', 'npm run test:full': 'full' };

const folder = mkdtempSync(join(tmpdir(), 'devctl-titles-'));
const titles = {};
for (const [command, set] of Object.entries(COMMANDS)) {
  const json = join(folder, `${set}.json`);
  execFileSync('npx', ['--no-install', 'vitest', 'list', `--json=${json}`], {
    cwd: root,
    env: { ...process.env, DEVCTL_TEST_SET: set },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (const { name, file } of JSON.parse(readFileSync(json, 'utf8'))) {
    titles[relative(root, file)] ??= { 'npm test': [], 'npm run test:full': [] };
    // A test of one source file comes and goes with the file: see test/support/titles.ts.
    if (!name.endsWith('.ts')) titles[relative(root, file)][command].push(name);
  }
}
rmSync(folder, { recursive: true });

const sorted = Object.fromEntries(
  Object.entries(titles)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, commands]) => [
      file,
      Object.fromEntries(
        Object.entries(commands).map(([command, names]) => [command, [...new Set(names)]]),
      ),
    ]),
);
writeFileSync(join(root, 'test', 'titles.json'), `${JSON.stringify(sorted, null, 2)}\n`);
for (const command of Object.keys(COMMANDS)) {
  const count = Object.values(sorted).reduce((sum, commands) => sum + commands[command].length, 0);
  console.log(`${command}: ${count} titles`);
}

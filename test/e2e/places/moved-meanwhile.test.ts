import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { expectToEnd } from '../../support/expect-places.ts';
import { type Ground, isAlive, openGround, type Run } from '../../support/places.ts';
import { readProcesses } from '../../support/read-processes.ts';
import { eachMode, fullTest, test } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

/** A process that is asked to end makes the file `asked` on the ground, and ends when there is a file `go`. */
function slow({ path }: Ground): string {
  return `trap 'touch ${path('asked')}' TERM; echo ready; until [ -e ${path('go')} ]; do sleep 0.05; done`;
}

/** Before that a SIGTERM would end it without a word. */
const READY = { log: '^ready$' };

/** Writes the manifest of a project in P with one slow service, and starts it. */
async function startSlow(ground: Ground, manifest: object = {}): Promise<void> {
  const web = { command: slow(ground), ready: READY, stop: { grace: '60s' } };
  ground.write('P', { services: { web }, sweep: { scope: 'off' }, ...manifest });
  const { exitCode, stderr } = await ground.devctl('P', 'start');
  expect(exitCode, stderr).toBe(0);
}

/** Runs a command in P, and moves folders as soon as it has asked a process to end. */
async function whileAtWork(
  ground: Ground,
  words: readonly string[],
  move: () => Promise<unknown>,
): ReturnType<Ground['devctl']> {
  const working = ground.devctl('P', ...words);
  await until(() => existsSync(ground.path('asked')));
  await move();
  writeFileSync(ground.path('go'), '');
  return working;
}

async function moveAway({ run }: Ground): Promise<void> {
  await run('mv', 'P', 'R');
}

async function exchange(ground: Ground): Promise<void> {
  await moveAway(ground);
  await ground.run('mv', 'Q', 'P');
}

/** Checks that a command went no further, and left alone everything of the project that has its path by now. */
function expectUntouched(ground: Ground, other: Run): void {
  expect(other.living().length).toBe(3);
  expect(isAlive(other.supervisor)).toBe(true);
  const services = join(ground.path('P'), '.pids', 'services');
  for (const name of ['web', 'away']) expect(existsSync(join(services, `${name}.json`))).toBe(true);
  expect(existsSync(join(ground.path('P'), '.pids', 'last-stop.json'))).toBe(false);
}

function change(ground: Ground): void {
  const file = join(ground.path('P'), '.devctl.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.services.web.env = { CHANGED: '1' };
  writeFileSync(file, JSON.stringify(manifest));
}

eachMode([
  ['stop', ['stop']],
  ['restart', ['restart']],
  ['start --apply', ['start', '--apply']],
  ['stop of one service', ['stop', 'web']],
])('%s ends nothing of another project that takes the place of its own', async (_title, words) => {
  await using ground = await openGround();
  await startSlow(ground);
  const other = await ground.start('Q');
  change(ground);
  const result = await whileAtWork(ground, words, () => exchange(ground));
  expect(result).toMatchObject({ exitCode: 1 });
  expect(result.stderr).toContain(`${ground.path('P')} was moved to ${ground.path('R')}`);
  expectUntouched(ground, other);
  expect(await ground.devctl('R', 'stop')).toMatchObject({ exitCode: 0 });
  expectUntouched(ground, other);
  await expectToEnd(ground, 'P', [other]);
});

/** Starts a dev server by hand in a folder. It ends with the ground. */
async function startVite(ground: Ground, name: string) {
  const bin = join(ground.path(name), 'node_modules', 'vite', 'bin');
  mkdirSync(bin, { recursive: true });
  const file = join(bin, 'vite.js');
  const [asked, go, root] = [ground.path('asked'), ground.path('go'), ground.root].map((path) =>
    JSON.stringify(path),
  );
  writeFileSync(
    file,
    `const { existsSync, writeFileSync } = require('node:fs');
    process.on('SIGTERM', () => writeFileSync(${asked}, ''));
    const isAsked = () => existsSync(${asked}) && existsSync(${go}) && process.cwd().endsWith('R');
    setInterval(() => (isAsked() || !existsSync(${root})) && process.exit(), 50);
    writeFileSync(__filename + '.up', '');`,
  );
  await execa('setsid', ['-f', 'node', file], { cwd: ground.path(name), stdio: 'ignore' });
  // Before that a SIGTERM would end it without a word.
  await until(() => existsSync(`${file}.up`));
  return until(() =>
    readProcesses().find(({ argv }) => argv.at(-1) === file && argv[0] === 'node'),
  );
}

eachMode([
  ['sweep', ['sweep']],
  ['the sweep of a stop', ['stop']],
])('%s ends nothing in a folder that takes the place of its own', async (_title, words) => {
  await using ground = await openGround();
  const isStop = words.includes('stop');
  if (isStop) await startSlow(ground, { sweep: {} });
  else ground.write('P');
  ground.write('Q');
  const own = isStop ? null : await startVite(ground, 'P');
  const other = await startVite(ground, 'Q');
  const result = await whileAtWork(ground, words, () => exchange(ground));
  expect(result).toMatchObject({ exitCode: 1 });
  expect(isAlive(other)).toBe(true);
  expect(existsSync(join(ground.path('P'), '.pids'))).toBe(false);
  if (own) await until(() => !isAlive(own));
});

const BEST_EFFORT = { DEVCTL_NATIVE: 'off', DEVCTL_CGROUP: 'off' };

test('a stop whose folder is moved away does not say that nothing is left', async () => {
  await using ground = await openGround(BEST_EFFORT);
  const daemon = `setsid -f env -i ${ground.sleep}`;
  const web = { command: `${daemon}; ${slow(ground)}`, ready: READY, stop: { grace: '60s' } };
  await startSlow(ground, { services: { web } });
  await until(() => ground.living().length === 1);
  const result = await whileAtWork(ground, ['stop'], () => moveAway(ground));
  expect(result).toMatchObject({ exitCode: 1 });
  expect(result.stderr).toContain(`devctl status --config ${ground.path('R')}`);
  expect(existsSync(ground.path('P'))).toBe(false);
  expect(await ground.devctl('R', 'stop')).toMatchObject({ exitCode: 0 });
  expect(ground.living()).toEqual([]);
});

eachMode([
  ['restart', ['restart']],
  ['start --apply', ['start', '--apply']],
])('%s makes no folder where its own was moved away', async (_title, words) => {
  await using ground = await openGround();
  await startSlow(ground);
  change(ground);
  const result = await whileAtWork(ground, words, () => moveAway(ground));
  expect(result).toMatchObject({ exitCode: 1 });
  expect(existsSync(ground.path('P'))).toBe(false);
  const status = await ground.devctl('R', 'status', '--json');
  expect(JSON.parse(status.stdout).services).not.toMatchObject([{ state: 'running' }]);
  expect(await ground.devctl('R', 'stop')).toMatchObject({ exitCode: 0 });
  expect(ground.residents()).toEqual([]);
});

fullTest('devctl run follows its folder while it ends what the command left', async () => {
  await using ground = await openGround();
  ground.write('P');
  const other = await ground.start('Q');
  const left = `setsid sh -c "${slow(ground)}" </dev/null >/dev/null 2>&1 & ${ground.sleep} & exit 0`;
  const words = ['run', '--grace', '60s', '--name', 'job', '--', 'sh', '-c', left];
  const result = await whileAtWork(ground, words, () => exchange(ground));
  expect(result.exitCode, result.stderr).toBe(0);
  expectUntouched(ground, other);
  expect(ground.living().length).toBe(3);
  expect(existsSync(join(ground.path('R'), '.pids', 'services', 'job.json'))).toBe(false);
  await expectToEnd(ground, 'P', [other]);
});

fullTest('the stop of a supervisor follows its folder', async () => {
  await using ground = await openGround();
  await startSlow(ground, { sweep: {} });
  ground.write('Q');
  const other = await startVite(ground, 'Q');
  expect(await ground.devctl('P', 'start', '--ttl', '1s')).toMatchObject({ exitCode: 0 });
  await until(() => existsSync(ground.path('asked')));
  await exchange(ground);
  writeFileSync(ground.path('go'), '');
  await until(() => ground.residents().length === 0);
  const report = readFileSync(join(ground.path('R'), '.pids', 'last-stop.json'), 'utf8');
  expect(JSON.parse(report)).toMatchObject({ project: ground.path('R'), survivors: [] });
  expect(isAlive(other)).toBe(true);
  expect(existsSync(join(ground.path('P'), '.pids'))).toBe(false);
});

fullTest('a stop goes on where its folder was removed', async () => {
  await using ground = await openGround();
  await startSlow(ground);
  const result = await whileAtWork(ground, ['stop'], () => ground.remove('P'));
  expect(result.exitCode, result.stderr).toBe(0);
  expect(existsSync(ground.path('P'))).toBe(false);
});

import { expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { devctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Patterns for which the engine of JavaScript takes seconds or for ever, on a line of many `a` that does not match. */
const SLOW = [
  '.*listening',
  '(a+)+!$',
  '(a|aa)*[x]',
  '(.*a)*[x]',
  '(?<=(a+)+)[x]',
  '(?!.*b)(a+)+\\d',
];

/** A command that writes 60 KB without a line end, and stays. */
const LONG_LINE = "head -c 60000 /dev/zero | tr '\\0' a; exec sleep 1000";

fullTest(
  'a readiness probe is over when its time is, whatever its pattern and the output are',
  async () => {
    const services = SLOW.map((log, index) => [
      `web${index}`,
      { command: LONG_LINE, ready: { log, timeout: '3s' } },
    ]);
    await using project = await temporaryProject({ services: Object.fromEntries(services) });
    const { exitCode, report } = await startReport(project);
    expect(exitCode).toBe(1);
    for (const { name, state, reason, tookMs } of report.services) {
      expect([name, state, reason]).toEqual([
        name,
        'unhealthy',
        expect.stringMatching(/^not ready after 3 s: no line matches/),
      ]);
      // Each of them took 11 s and more.
      expect(tookMs).toBeLessThan(10_000);
    }
  },
);

fullTest('a match behind 60 KB without a line end is found', async () => {
  const command = `${LONG_LINE.replace('exec', 'printf " listening on 7"; exec')}`;
  await using project = await temporaryProject({
    services: {
      web: { command, ready: { log: '.*listening on (?=\\d)' } },
      api: { command, ready: { log: '^(?!.*error)(a+)+ listening' } },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
});

fullTest('a liveness probe with such a pattern leaves the supervisor free', async () => {
  const live = { log: '(a+)+!$', interval: '100ms', failures: 2 };
  const command = `while sleep 0.05; do head -c 60000 /dev/zero | tr '\\0' a; echo; done`;
  await using project = await temporaryProject({ services: { web: { command, live } } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const state = async () => (await statusReport(project)).report.services[0]?.state;
  await until(async () => (await state()) === 'unhealthy');
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

fullTest(
  'a stop is as fast with such patterns, and an argument of 100 KB, as without',
  async () => {
    const protect = ['(?:a|aa)+[y]$'];
    await using project = await temporaryProject({
      services: { web: { command: fixture('sleeper') } },
      sweep: { patterns: ['.*my-watcher', ...SLOW], protect },
    });
    await using elsewhere = await temporaryProject();
    const line = `node server.js ${'a'.repeat(100_000)}`;
    await using inside = await bystander(line, project.root);
    await using outside = await bystander(line, elsewhere.root);
    await using guarded = await bystander(`npm test ${'a'.repeat(100_000)}y`, project.root);
    await using watcher = await bystander(`${line} my-watcher`, project.root);
    await devctl(project, 'start');
    const { exitCode, report } = await stopReport(project);
    expect(exitCode).toBe(0);
    // Each of the processes made it 46 s slower.
    expect(report.tookMs).toBeLessThan(10_000);
    expect(report.processes.map(({ pid }) => pid)).toContain(watcher.pid);
    expect(watcher.alive()).toBe(false);
    for (const innocent of [inside, outside, guarded]) expect(innocent.alive()).toBe(true);
  },
);

const FOR_EVER =
  'may take for ever, because \\1 stands beside repetitions: write out what \\1 means';

fullTest(
  'a pattern that cannot be bounded: check and start refuse it, a stop leaves it out and says so',
  async () => {
    const web = { command: fixture('sleeper') };
    await using project = await temporaryProject({ services: { web } });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    project.write(
      '.devctl.json',
      `{\n  "services": ${JSON.stringify({ web })},\n  "sweep": {"patterns": ["(a+)+\\\\1", "my-watcher"]}\n}`,
    );
    const place = '.devctl.json:3:26  sweep.patterns[0]: "(a+)+\\\\1" ';
    for (const command of ['check', 'start'])
      expect(await devctl(project, command)).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining(`${place}${FOR_EVER}`),
      });
    await using watcher = await bystander('node my-watcher', project.root);
    const stop = await devctl(project, 'stop');
    expect(stop).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(FOR_EVER) });
    expect(project.oracle.processes()).toEqual([]);
    expect(watcher.alive()).toBe(false);
  },
);

test('logs --grep: long lines, no case, and no pattern for ever', async () => {
  const command = `${LONG_LINE.replace('exec', 'echo " Listening ON 7"; echo short; exec')}`;
  await using project = await temporaryProject({ services: { web: { command } } });
  await devctl(project, 'start');
  const grep = (...args: readonly string[]) =>
    devctl(project, 'logs', '--no-prefix', '--grep', ...args);
  await until(async () => (await grep('short')).stdout === 'short');
  expect((await grep('(a+)+ listening.*[on]', '-i')).stdout).toMatch(/^a{60000} Listening ON 7$/);
  for (const slow of SLOW) expect((await grep(slow)).stdout).toBe('');
  expect(await grep('(a+)+\\1')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining(`--grep (a+)+\\1 ${FOR_EVER}`),
  });
});

test('the last lines of a failed service are at most 8 KB', async () => {
  const command = "head -c 60000 /dev/zero | tr '\\0' a; echo; seq 1 30; exit 3";
  const ready = { log: '^never$' };
  await using project = await temporaryProject({
    services: {
      long: { command: `${command.replace('seq 1 30; ', '')}`, ready },
      many: { command, ready },
    },
  });
  const { report } = await startReport(project);
  const linesOf = (wanted: string) =>
    report.services.find(({ name }) => name === wanted)?.lastLines ?? [];
  expect(linesOf('long')).toEqual([`…${'a'.repeat(8 * 1024 - Buffer.byteLength('…\n'))}`]);
  expect(linesOf('many')).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 11)));
});

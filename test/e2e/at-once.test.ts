import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { type DevctlResult, devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { statusReport, stopReport } from '../support/reports.ts';
import { describeSeen } from '../support/seen-process.ts';
import { service, supervisorsOf } from '../support/services.ts';
import { bothTest, eachMode, fullTest, isFull } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** So many commands begin at the same moment: each is a process of Node. */
const COMMANDS = isFull ? 20 : 10;

const manifest = {
  services: {
    db: service('fan', ['2']),
    web: service('own-session', [], { dependsOn: ['db'] }),
    job: service('sleeper'),
  },
};
/** Processes of one instance of each service. */
const SIZES = { db: 3, web: 2, job: 1 };
const ALL = 6;

type Command = readonly string[];

/** Runs all commands at the same time, half of them in another folder with the manifest as an option. */
function runAll(project: TemporaryProject, commands: readonly Command[]) {
  mkdirSync(project.file('elsewhere'), { recursive: true });
  const config = ['--config', project.file('.devctl.json')];
  return Promise.all(
    commands.map(async (command, index): Promise<DevctlResult & { command: Command }> => {
      const result =
        index % 2 === 0
          ? await devctl(project, ...command)
          : await devctlWith(project, { cwd: project.file('elsewhere') }, ...command, ...config);
      return { ...result, command };
    }),
  );
}

/** The exit codes that each command may have. A start that gave way to a stop has 1, or 6 if the stop replaced it. */
const ANSWERS: Readonly<Record<string, readonly number[]>> = {
  start: [0, 1, 6],
  stop: [0, 6],
  status: [0, 3],
};

function expectSensible({
  command,
  exitCode,
  stdout,
  stderr,
}: DevctlResult & { command: Command }) {
  const what = `${command.join(' ')}: ${exitCode}\n${stdout}\n${stderr}`;
  expect(ANSWERS[command[0] ?? ''], what).toContain(exitCode);
  // A command shows no stack and is never silent.
  expect(stderr, what).not.toMatch(/\n\s+at |this is a bug/);
  expect(stdout + stderr, what).not.toBe('');
}

/** Expects at most one instance of each service, and that status shows the processes that there are. */
async function expectTruth(project: TemporaryProject): Promise<void> {
  const { report } = await statusReport(project);
  const running = report.services.filter(({ pid }) => pid !== null);
  const expected = running.map(({ name }) => SIZES[name as keyof typeof SIZES]);
  expect(report.orphans).toEqual([]);
  expect(project.oracle.processes().length).toBe(expected.reduce((sum, size) => sum + size, 0));
  // A supervisor whose start was ended while it came up finds out a moment later that nothing needs it.
  await until(
    () => supervisorsOf(project).length <= 1,
    () => supervisorsOf(project).map(describeSeen).join('\n'),
  );
}

async function expectOneStopEndsAll(project: TemporaryProject): Promise<void> {
  const { exitCode, stderr, report } = await stopReport(project);
  expect(exitCode, stderr).toBe(0);
  expect(report.survivors).toEqual([]);
  expect(project.oracle.everything().map(({ argv }) => argv.join(' '))).toEqual([]);
  // The temporary file of a killed writer is removed by a later start.
  const records = readdirSync(project.file('.pids/services'));
  expect(records.filter((name) => !name.startsWith('.'))).toEqual([]);
}

bothTest('many starts at once end with one instance, and many stops at once end it', async () => {
  await using project = await temporaryProject(manifest);
  const starts = await runAll(project, Array(COMMANDS).fill(['start']));
  for (const one of starts) {
    expectSensible(one);
    expect(one.exitCode, one.stderr).not.toBe(1);
  }
  expect(starts.filter(({ exitCode }) => exitCode === 0).length).toBeGreaterThan(0);
  expect(project.oracle.processes().length).toBe(ALL);
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
  await expectTruth(project);

  const stops = await runAll(project, Array(COMMANDS).fill(['stop']));
  for (const one of stops) expectSensible(one);
  expect(stops.filter(({ exitCode }) => exitCode === 0).length).toBeGreaterThan(0);
  expect(project.oracle.everything()).toEqual([]);
});

fullTest(
  'mixtures of commands at once leave one instance, and one stop ends it',
  {
    timeout: 600_000,
  },
  async () => {
    const command = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom<Command>(['start'], ['start', 'web'], ['start', 'job']),
      },
      {
        weight: 4,
        arbitrary: fc.constantFrom<Command>(['stop'], ['stop', 'web'], ['stop', 'db', 'job']),
      },
      { weight: 2, arbitrary: fc.constant<Command>(['stop', '--force']) },
      { weight: 1, arbitrary: fc.constant<Command>(['status']) },
    );
    const mixture = fc.array(command, { minLength: COMMANDS, maxLength: COMMANDS });
    await fc.assert(
      fc.asyncProperty(mixture, async (commands) => {
        await using project = await temporaryProject(manifest);
        for (const one of await runAll(project, commands)) expectSensible(one);
        await expectTruth(project);
        await expectOneStopEndsAll(project);
      }),
      // A failure is not made smaller, because a smaller one would be another failure.
      { numRuns: 3, seed: 20, endOnFailure: true },
    );
  },
);

eachMode([
  ['it has just taken the lock', '.pids/lock'],
  ['its supervisor is about to listen', '.pids/supervisor.log'],
  ['it is about to spawn', '.pids/services/db.json'],
])('a stop wins over a start when %s, and over the starts behind it', async (_when, file) => {
  await using project = await temporaryProject({
    services: {
      db: { command: fixture('fan', '2'), ready: { log: '^never$', timeout: '10m' } },
      web: service('sleeper', [], { dependsOn: ['db'] }),
    },
  });
  const starts = [startDevctl(project, {}, 'start')];
  await until(() => existsSync(project.file(file)));
  for (let count = 0; count < 3; count += 1) starts.push(startDevctl(project, {}, 'start', 'web'));
  // 6 would mean that a start was still at work after the time that a stop waits.
  const stopped = await stopReport(project);
  expect(stopped.report.survivors, stopped.stderr).toEqual([]);
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  for (const start of starts) start.kill('SIGINT');
  for (const { exitCode, signal, stderr } of await Promise.all(starts)) {
    // A start that was only coming up did not listen for Ctrl-C yet.
    expect([1, 6, 130, 'SIGINT'], stderr).toContain(exitCode ?? signal);
    expect(stderr).not.toMatch(/\n\s+at |this is a bug/);
  }
  await expectOneStopEndsAll(project);
});

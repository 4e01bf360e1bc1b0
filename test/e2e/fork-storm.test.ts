import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { childrenBelow, hasPerl, lineages, zombiesBelow } from '../support/lineages.ts';
import { repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const SAMPLES = 60;
const PAUSE_MS = 25;
/** The bounds of the issue: what a look may have missed, and what the machine can spare. */
const BOUNDS = { median: 200, most: 2_000 };

/** Counts the dead below a process again and again while the storm goes on. */
async function watchZombies(project: TemporaryProject, pid: number) {
  const seen: number[] = [];
  try {
    // Each lineage is below it from its second generation on.
    await until(() => childrenBelow(pid).length >= 50);
    while (seen.length < SAMPLES) {
      await delay(PAUSE_MS);
      seen.push(zombiesBelow(pid));
      // It has failed, and must not take the numbers of the whole machine.
      if ((seen.at(-1) ?? 0) > 2 * BOUNDS.most) break;
    }
  } catch (error) {
    rmSync(project.marker, { force: true });
    throw error;
  }
  const sorted = seen.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, most: sorted.at(-1) ?? 0 };
}

function expectBounded({ median, most }: { median: number; most: number }): void {
  expect(median).toBeLessThanOrEqual(BOUNDS.median);
  expect(most).toBeLessThanOrEqual(BOUNDS.most);
}

test.runIf(hasSubreaper && hasPerl)('a supervisor keeps no pile of dead', async () => {
  await using project = await temporaryProject();
  const storm = { command: lineages(project.marker) };
  project.write('.devctl.json', JSON.stringify({ services: { storm } }));
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const [supervisor] = supervisorsOf(project);
  if (!supervisor) throw new Error('There is no supervisor');
  const zombies = await watchZombies(project, supervisor.pid);
  const stop = await devctl(project, 'stop');
  expectBounded(zombies);
  expect(stop, stop.stderr).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

fullTest.runIf(hasSubreaper && hasPerl)('devctl run keeps no pile of dead', async () => {
  await using project = await temporaryProject({ services: {} });
  const run = startDevctl(project, {}, 'run', '--', ...lineages(project.marker));
  const pid = await until(() => run.pid);
  const zombies = await watchZombies(project, pid);
  run.kill('SIGTERM');
  const outcome = await run;
  expectBounded(zombies);
  expect(outcome, outcome.stderr).toMatchObject({ exitCode: 143 });
  expect(project.oracle.everything()).toEqual([]);
});

fullTest.runIf(hasSubreaper && hasPerl)(
  'as process 1 of a container devctl keeps no pile of what comes in from outside',
  async () => {
    await using project = await temporaryProject({ services: {} });
    const script = join(repositoryRoot, 'dist', 'supervisor', 'main.js');
    const command = [process.execPath, script, project.root, project.file('.pids')];
    const [file = '', ...args] = [...CONTAINER, ...command];
    const env = { ...cleanEnvironment(), ...project.env, DEVCTL_CGROUP: 'off' };
    // Each has a session of its own, as in real containers, because Linux shares the cores between sessions
    // (sched(7), autogroup).
    const options = {
      cwd: project.root,
      env,
      extendEnv: false,
      reject: false,
      detached: true,
    } as const;
    const container = execa(file, args, { ...options, stdin: 'ignore' });
    const isInit = ({ argv }: { argv: readonly string[] }) => argv[1] === script;
    const init = await until(() => supervisorsOf(project).find(isInit));
    // Before that the storm would compete with the boot of two Node programs.
    await until(() => existsSync(project.file('.pids/supervisor.json')));
    // As `docker exec` comes in. Its storm becomes the children of process 1, because nothing is below it.
    const into = ['--target', String(init.pid), '--pid', '--mount'];
    const stray = execa('nsenter', [...into, ...lineages(project.marker)], options);
    const zombies = await watchZombies(project, init.pid);
    rmSync(project.marker);
    await stray;
    expectBounded(zombies);
    // With nothing to supervise it ends by itself.
    expect(await container).toMatchObject({ exitCode: 0 });
  },
);

const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] as const;

import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { askGuards } from '../../../src/operations/stop/ask-guards.ts';
import { openHost } from '../../../src/processes/real-host.ts';
import type { ProcessInfo } from '../../../src/processes/snapshot.ts';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { hasSubreaper } from '../../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

/** Starts a shell in the place of a guard, a shell below it, and a program below that shell. */
async function startChain(project: TemporaryProject): Promise<readonly ProcessInfo[]> {
  spawn('/bin/sh', ['-c', 'sh -c "sleep 120; true"; true'], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    stdio: 'ignore',
  });
  const host = openHost();
  return until(async () => {
    const { byPid, byParent } = await host.snapshot();
    const leaf = project.oracle.everything().find(({ argv }) => argv[0] === 'sleep');
    const self = leaf && byPid.get(leaf.pid);
    const middle = self && byPid.get(self.ppid);
    const guard = middle && byPid.get(middle.ppid);
    return guard && byParent.get(guard.identity.pid)?.length === 1 ? [guard, middle, self] : null;
  });
}

test.runIf(hasSubreaper).each([
  ['with a process in between: it has a child in any case, so there is no answer', 2, [null]],
  ['which has started us: our own answer counts instead', 1, []],
])('a guard above us, %s', async (_name, asker, expected) => {
  await using project = await temporaryProject();
  const chain = await startChain(project);
  const [guard] = chain;
  const self = chain[asker]?.identity;
  if (!guard || !self) throw new Error('The chain is too short');
  let stops = 0;
  const answers = await askGuards({
    host: openHost(),
    self,
    guards: [guard],
    supervisors: [],
    stopAgain: async () => {
      stops += 1;
    },
  });
  expect({ answers, stops }).toEqual({ answers: expected, stops: 0 });
  // The guard is ended all the same.
  expect(project.oracle.everything().map(({ pid }) => pid)).not.toContain(guard.identity.pid);
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFakeMachine } from '../support/fake-machine.ts';
import type { FakeMachine, SignalBehaviour } from '../support/fake-process.ts';
import { logOf, startService, startSupervisor, stopOn } from '../support/fake-project.ts';
import {
  exitsAfter,
  forksOnTerm,
  hops,
  ignoresTerm,
  later,
  respawnsOnTerm,
} from '../support/signal-behaviours.ts';

const BEHAVIOURS: Readonly<Record<string, SignalBehaviour>> = {
  exits: {},
  ignores: ignoresTerm,
  slow: exitsAfter(400),
  'too slow': exitsAfter(9_000),
  'forks on TERM': forksOnTerm,
  respawns: respawnsOnTerm(3),
  'dies on its own': later(160, (machine, pid) => machine.exit(pid)),
  'daemonises later': later(120, daemonise, ignoresTerm),
};
const behaviour = fc.constantFrom(...Object.keys(BEHAVIOURS));

/** A process whose only tie to us is an open file: without environment, session or parent of ours. */
const daemon = fc.record({ behaviour, children: fc.array(behaviour, { maxLength: 2 }) });

const STRANGERS = {
  'reads the log': {
    argv: ['tail', '-f'],
    files: [logOf('web', { readable: true, writable: false })],
  },
  'rotates the log': { files: [logOf('web', { readable: true, appends: false })] },
  'a shell that has the log open': { argv: ['-bash'], files: [logOf('web')] },
  'an editor that has the log open': { argv: ['vim', 'web.log'], files: [logOf('web')] },
  'another log': { files: [{ ...logOf('web'), target: '/srv/.pids/logs/web.log' }] },
};
const stranger = fc.constantFrom(...Object.keys(STRANGERS)) as fc.Arbitrary<keyof typeof STRANGERS>;

const story = fc.record({
  daemons: fc.array(daemon, { minLength: 1, maxLength: 4 }),
  strangers: fc.array(stranger, { maxLength: 4 }),
  force: fc.boolean(),
});

function daemonise(machine: FakeMachine, pid: number): void {
  const child = machine.fork(pid, { environ: '', cwd: '/', behaviour: ignoresTerm });
  machine.setsid(child);
  machine.exit(pid);
}

/** The supervisor and the service are dead: only a double-forked daemon of the service lives on. */
function stage(told: typeof story extends fc.Arbitrary<infer Value> ? Value : never) {
  const machine = createFakeMachine();
  const supervisor = startSupervisor(machine, { subreaper: false });
  const record = startService(machine, supervisor, 'web', { files: [logOf('web')] });
  const leader = record.leader?.pid ?? 0;
  for (const one of told.daemons) {
    const middle = machine.fork(leader, { environ: '', cwd: '/' });
    machine.setsid(middle);
    const pid = machine.fork(middle, { behaviour: BEHAVIOURS[one.behaviour] ?? {} });
    machine.setsid(pid);
    for (const name of one.children) machine.fork(pid, { behaviour: BEHAVIOURS[name] ?? {} });
    machine.exit(middle);
  }
  for (const name of told.strangers) {
    const pid = machine.fork(1, {
      ...STRANGERS[name],
      cwd: '/home/me/app',
      behaviour: ignoresTerm,
    });
    machine.setsid(pid);
    // A job of the shell, which inherits its open files.
    machine.fork(pid, { argv: ['sleep'] });
  }
  machine.exit(leader);
  machine.exit(supervisor);
  return { machine, records: [record] };
}

test('a process that only its log shows is asked, then ended; a program that merely uses the log is not', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (told) => {
      const { machine, records } = stage(told);
      const beganAtMs = machine.nowMs();
      const end = await stopOn(machine, { records, force: told.force, closer: true });
      expect(machine.bystandersSignalled()).toEqual([]);
      expect(machine.oursAlive()).toEqual([]);
      for (const { phase } of end.state.units.values()) expect(phase.kind).toBe('ended');
      const killed = machine.signals.filter(({ signal }) => signal === 'SIGKILL');
      for (const { atMs } of killed) {
        expect(atMs - beganAtMs).toBeGreaterThanOrEqual(told.force ? 500 : 3_000);
      }
      expect(end.tookMs).toBeLessThan(20_000);
    }),
    { numRuns: 300 },
  );
}, 120_000);

test('without the deep scan such processes are not found', async () => {
  const { machine, records } = stage({
    daemons: [{ behaviour: 'exits', children: [] }],
    strangers: [],
    force: false,
  });
  await stopOn(machine, { records });
  expect(machine.oursAlive().length).toBe(1);
});

test('a process that leaves a successor whenever it is asked is stopped with SIGSTOP before it is killed', async () => {
  const { machine, records } = stage({ daemons: [], strangers: [], force: false });
  const behaviour = hops(2, { setsid: true, clean: true });
  machine.fork(1, { files: [logOf('web')], ours: true, behaviour });
  const { unended } = await stopOn(machine, { records, closer: true });
  expect(machine.oursAlive()).toEqual([]);
  expect(unended).toEqual([]);
  expect(machine.signals.map(({ signal }) => signal)).toContain('SIGSTOP');
});

test('a process that still comes back after the last pass is reported', async () => {
  const { machine, records } = stage({ daemons: [], strangers: [], force: false });
  const spawner = machine.fork(1, { ours: false });
  const beget = (): void => {
    const born = { ours: true, files: [logOf('web')] };
    if (machine.oursAlive().length === 0) machine.setsid(machine.fork(spawner, born));
  };
  const { unended } = await stopOn(machine, { records, closer: true, onClaims: beget });
  expect(unended.map(({ process }) => process.identity.pid)).toEqual(machine.oursAlive());
  expect(unended.length).toBe(1);
});

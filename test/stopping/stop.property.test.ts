import * as fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Claim } from '../../src/ownership/claim.ts';
import type { Identity } from '../../src/processes/identity.ts';
import { createFakeMachine, DEVCTL, SHELL } from '../support/fake-machine.ts';
import type { FakeMachine, SignalBehaviour } from '../support/fake-process.ts';
import {
  cookieOf,
  groupFor,
  logOf,
  startService,
  startSupervisor,
  stopOn,
  supervisorEnviron,
} from '../support/fake-project.ts';
import { bothTest, isFull } from '../support/sets.ts';
import {
  exitsAfter,
  forksOnTerm,
  ignoresTerm,
  later,
  respawnsOnTerm,
  restartsChildren,
} from '../support/signal-behaviours.ts';

const RUNS = isFull ? 500 : 150;

const BEHAVIOURS: Readonly<Record<string, SignalBehaviour>> = {
  exits: {},
  ignores: ignoresTerm,
  slow: exitsAfter(400),
  'too slow': exitsAfter(9_000),
  'forks on TERM': forksOnTerm,
  respawns: respawnsOnTerm(3),
  'revives its children': restartsChildren(),
  'never reaps': { reapsNot: true },
  'leaves its session later': later(120, (machine, pid) => machine.setsid(pid), ignoresTerm),
  'clears its environment later': later(
    130,
    (machine, pid) => machine.exec(pid, { environ: '' }),
    ignoresTerm,
  ),
  'dies on its own': later(160, (machine, pid) => machine.exit(pid)),
  'forks later': later(170, (machine, pid) => void machine.fork(pid), exitsAfter(100)),
};

const behaviour = fc.constantFrom(...Object.keys(BEHAVIOURS));
const place = fc.constantFrom('inherits', 'own group', 'own session');

/** A process below an earlier one. */
const offspring = fc.record({
  parent: fc.nat(),
  place,
  behaviour,
  cookie: fc.boolean(),
  /** True when it dies before the stop, and so orphans its children. */
  dead: fc.boolean(),
  stopped: fc.boolean(),
  /** True when it is the supervisor of another project, which starts its own processes. */
  foreign: fc.constantFrom(false, false, false, false, true),
});

/** Strangers act as they like, and are forked and die all the time. */
const stranger = fc.record({
  place,
  everyMs: fc.integer({ min: 20, max: 90 }),
  cookie: fc.constantFrom('none', 'other project'),
  inside: fc.boolean(),
});

const story = fc.record({
  services: fc.array(
    fc.record({
      behaviour,
      graceMs: fc.constantFrom(100, 500, 3_000, 5_000),
      wave: fc.nat(2),
      offspring: fc.array(offspring, { maxLength: 8 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  strangers: fc.array(stranger, { maxLength: 4 }),
  force: fc.boolean(),
  /** True when devctl runs inside the first service. */
  within: fc.boolean(),
  /** True when each run is born in a control group. */
  groups: fc.boolean(),
  /** Small: numbers come round again after a fraction of a second, faster than in the worst storm. */
  pidMax: fc.constantFrom(200, 4_000_000),
  /** How long it runs before the stop: long enough for the dead's numbers to be strangers'. */
  runsMs: fc.constantFrom(20, 150, 5_000),
});

type Story = typeof story extends fc.Arbitrary<infer Value> ? Value : never;

interface Stage {
  readonly machine: FakeMachine;
  readonly records: ReturnType<typeof startService>[];
  readonly waves: Record<string, number>;
  readonly supervisor: number;
}

function stage(told: Story): Stage {
  const machine = createFakeMachine({ pidMax: told.pidMax });
  const supervisor = startSupervisor(machine);
  for (const one of told.strangers) startStranger(machine, one);
  const waves: Record<string, number> = {};
  const records = told.services.map((service, index) => {
    const name = `s${index}`;
    waves[name] = service.wave;
    // The service in which devctl runs is spared, so it must not respawn for ever the children that devctl ends.
    const hosts = told.within && index === 0;
    const group = told.groups ? groupFor(name) : null;
    const files = [logOf(name)];
    const birth = {
      group,
      files,
      behaviour: hosts ? ignoresTerm : (BEHAVIOURS[service.behaviour] ?? {}),
    };
    const record = startService(machine, supervisor, name, birth, { graceMs: service.graceMs });
    populate(machine, record.leader?.pid ?? 0, service.offspring);
    return record;
  });
  const host = records[0]?.leader?.pid;
  const devctl = machine.processes.get(DEVCTL);
  if (told.within && host && devctl) Object.assign(devctl, { ppid: host, sid: host });
  return { machine, records, waves, supervisor };
}

function populate(
  machine: FakeMachine,
  leader: number,
  children: Story['services'][number]['offspring'],
): void {
  const family = [leader];
  const doomed: number[] = [];
  for (const child of children) {
    const parent = family[child.parent % family.length] ?? leader;
    if (child.foreign) {
      const environ = supervisorEnviron('other-project');
      const argv = ['node', '/x/dist/supervisor/main.js', '/home/me/other', '/home/me/other/.pids'];
      const own = { argv, files: [], ours: false, subreaper: true };
      const other = { environ, ...own, behaviour: ignoresTerm };
      const pid = machine.fork(parent, other);
      machine.setsid(pid);
      family.push(pid);
      continue;
    }
    const environ = child.cookie ? {} : { environ: '' };
    const pid = machine.fork(parent, { ...environ, behaviour: BEHAVIOURS[child.behaviour] ?? {} });
    if (child.place === 'own group') machine.setpgid(pid, pid);
    if (child.place === 'own session') machine.setsid(pid);
    const born = machine.processes.get(pid);
    if (child.stopped && born) born.state = 'T';
    if (child.dead) doomed.push(pid);
    if (pid > 0) family.push(pid);
  }
  for (const pid of doomed) machine.exit(pid);
}

/** A little more than the longest pause between two scans, in ms. */
const GAP_MS = 110;

/**
 * Forks short-lived children for ever, so that numbers of the dead soon belong to strangers.
 *
 * Its groups lose their leader no sooner than a scan can have seen it: a number that is freed, given
 * to a stranger, made a group and left by its leader between two scans cannot be told from ours. Nor
 * can such a group in the project's own folder, for want of anything else to tell it by.
 */
function startStranger(machine: FakeMachine, told: Story['strangers'][number]): void {
  const environ = told.cookie === 'none' ? 'PATH=/bin\0' : cookieOf('web', 'other-project');
  const cwd = told.inside ? '/home/me/app/src' : '/home/me/elsewhere';
  const place = told.inside ? 'inherits' : told.place;
  const shell = machine.fork(1, { environ, cwd, ours: false, behaviour: ignoresTerm });
  machine.setsid(shell);
  const beget = (world: FakeMachine, pid: number): void => {
    const child = world.fork(pid, {
      behaviour: later(Math.max(told.everyMs * 2, GAP_MS), (later, grown) => {
        const grandchild = later.fork(grown, {
          behaviour: { onBirth: (w, self) => w.after(told.everyMs, self, (z) => z.exit(self)) },
        });
        if (place === 'own session') later.setsid(grandchild);
        later.exit(grown);
      }),
    });
    if (place === 'own session') world.setsid(child);
    if (place === 'own group') world.setpgid(child, child);
    world.after(told.everyMs, pid, beget);
  };
  machine.after(told.everyMs, shell, beget);
}

/**
 * Upper bound for a stop. Each wave has its grace period, and processes that it forks near the end of that have
 * another one. The orphans of no known service have one in the end. The rest is for scanning and killing.
 */
function longestMs({ services }: Story): number {
  const waves = [0, 1, 2].map((wave) => services.filter((service) => service.wave === wave));
  const graces = waves.map((some) => Math.max(0, ...some.map(({ graceMs }) => graceMs)));
  return 2 * graces.reduce((sum, graceMs) => sum + graceMs, 3_000) + 5_000;
}

describe('a project of any shape', () => {
  bothTest(
    'everything of ours ends, no stranger is touched, and grace periods are kept',
    async () => {
      await fc.assert(
        fc.asyncProperty(story, async (told) => {
          const { machine, records, waves, supervisor } = stage(told);
          await machine.delay(told.runsMs);
          const beganAtMs = machine.nowMs();
          const claimed = new Set<string>();
          const onClaims = (claims: ReadonlyMap<number, Claim>): void => {
            for (const { process } of claims.values()) {
              claimed.add(`${process.identity.pid}:${process.identity.startTicks}`);
            }
          };

          const end = await stopOn(machine, {
            records,
            waves,
            supervisor: machine.identity(supervisor),
            force: told.force,
            // Below a nested project, a process of ours without a cookie cannot be told from that project's processes.
            closer: true,
            onClaims,
          });

          const wrong = machine.bystandersSignalled().map(({ pid, startTicks, signal }) => {
            const seen = end.history
              .entries()
              .find(({ claim }) => isAt(claim.process.identity, pid, startTicks));
            return { pid, signal, evidence: seen?.claim.evidence };
          });
          expect(wrong).toEqual([]);
          const host = told.within ? [records[0]?.leader?.pid] : [];
          expect(machine.oursAlive()).toEqual(host);
          for (const { phase } of end.state.units.values()) expect(phase.kind).toBe('ended');
          for (const { signal, name, atMs } of machine.signals) {
            if (signal !== 'SIGKILL') continue;
            // A process that only the subreaper contains has the default grace period, whichever service started it.
            const own = records.find(({ service }) => service === name)?.stop.graceMs ?? 0;
            const grace = Math.min(own, 3_000, told.force ? 500 : own);
            expect(atMs - beganAtMs).toBeGreaterThanOrEqual(grace);
          }
          // Every process that was asked had been claimed by a scan.
          for (const { pid, startTicks, signal, through } of machine.signals) {
            expect([1, 2, SHELL, DEVCTL, supervisor]).not.toContain(pid);
            if (signal === 'SIGKILL' || through === 'group') continue;
            expect(claimed).toContain(`${pid}:${startTicks}`);
          }
          expect(mostAsked(machine)).toBeLessThanOrEqual(2);
          expect(end.tookMs).toBeLessThan(longestMs(told));
        }),
        { numRuns: RUNS },
      );
    },
    180_000,
  );
});

/** Most stop signals that one process got: by itself, and with its whole group. */
function mostAsked({ signals }: FakeMachine): number {
  const counts = new Map<string, number>();
  for (const { pid, startTicks, signal } of signals) {
    if (signal !== 'SIGTERM') continue;
    const key = `${pid}:${startTicks}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

function isAt(
  identity: Pick<Identity, 'pid' | 'startTicks'>,
  pid: number,
  startTicks: number,
): boolean {
  return identity.pid === pid && identity.startTicks === startTicks;
}

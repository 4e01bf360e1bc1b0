import { describe, expect, test } from 'vitest';
import { createFakeMachine } from '../support/fake-machine.ts';
import type { FakeMachine, SignalBehaviour } from '../support/fake-process.ts';
import {
  cookieOf,
  endings,
  startService,
  startSupervisor,
  stopOn,
} from '../support/fake-project.ts';
import {
  exitsAfter,
  forksOnTerm,
  hops,
  ignoresTerm,
  later,
  respawnsOnTerm,
  restartsChildren,
} from '../support/signal-behaviours.ts';

interface Life {
  readonly machine: FakeMachine;
  /** The leader of the service. */
  readonly leader: number;
  readonly supervisor: number;
}

/** A way in which the processes of a service escape, or try to. */
interface Escape {
  readonly leader?: SignalBehaviour;
  readonly act?: (life: Life) => void;
  /** How long the service runs before the stop, in ms. */
  readonly runsMs?: number;
}

const scrubbed = { environ: '' };

const ESCAPES: Readonly<Record<string, Escape>> = {
  'a wrapper that dies at once, its child later (E01)': {
    act: ({ machine, leader }) => void machine.fork(leader, { behaviour: exitsAfter(800) }),
  },
  'orphaned workers (E02)': {
    act({ machine, leader }) {
      for (let count = 0; count < 4; count += 1) machine.fork(leader, { behaviour: ignoresTerm });
      machine.exit(leader);
    },
  },
  'a turbo task: own group, cookie scrubbed (E03)': {
    act({ machine, leader }) {
      const task = machine.fork(leader, scrubbed);
      machine.setpgid(task, task);
      machine.fork(task, { behaviour: ignoresTerm });
    },
  },
  'a child in its own session (E05)': {
    act({ machine, leader }) {
      machine.setsid(machine.fork(leader));
    },
  },
  'a daemon by double fork (E06)': { act: daemonise },
  'a child without the cookie in its own session, whose parent dies in the stop (E08)': {
    act({ machine, leader }) {
      machine.setsid(machine.fork(leader, { ...scrubbed, behaviour: ignoresTerm }));
    },
  },
  'a double-forked daemon without the cookie (E09)': {
    act: (life) => daemonise(life, { ...scrubbed, behaviour: ignoresTerm }),
  },
  'postgres: each child a session, no environment (E11)': {
    leader: exitsAfter(300),
    act({ machine, leader }) {
      for (let count = 0; count < 3; count += 1) {
        machine.setsid(machine.fork(leader, { ...scrubbed, behaviour: exitsAfter(200) }));
      }
    },
  },
  'everything ignores TERM (E15)': {
    leader: ignoresTerm,
    act: ({ machine, leader }) => void machine.fork(leader, { behaviour: ignoresTerm }),
  },
  'a successor forked in the stop handler (E16)': { leader: respawnsOnTerm(8) },
  'a successor in a session of its own, from the stop handler': { leader: forksOnTerm },
  'a supervisor that revives its child (E17)': {
    leader: restartsChildren(ignoresTerm),
    act: ({ machine, leader }) => void machine.fork(leader, { behaviour: {} }),
  },
  'two that revive each other': {
    leader: restartsChildren(restartsChildren()),
    act: ({ machine, leader }) => void machine.fork(leader, { behaviour: restartsChildren() }),
  },
  'hopping every 30 ms through sessions (E18)': {
    act: ({ machine, leader }) => hop(machine, leader, hops(30, { setsid: true })),
  },
  'hopping every 2 ms in one session': {
    act: ({ machine, leader }) => hop(machine, leader, hops(2, { setsid: false })),
  },
  'hopping every 2 ms through sessions': {
    act: ({ machine, leader }) => hop(machine, leader, hops(2, { setsid: true })),
  },
  'hopping every 2 ms through sessions without a cookie': {
    act: ({ machine, leader }) => hop(machine, leader, hops(2, { setsid: true, clean: true })),
  },
  'stopped, with a handler (E19)': {
    leader: exitsAfter(50),
    act({ machine, leader }) {
      const process = machine.processes.get(leader);
      if (process) process.state = 'T';
    },
  },
  'a zombie child that nobody reaps (E21)': {
    leader: { reapsNot: true },
    act: ({ machine, leader }) => machine.exit(machine.fork(leader)),
  },
  'a zombie leader with a living thread (E22)': {
    leader: ignoresTerm,
    act({ machine, leader }) {
      const process = machine.processes.get(leader);
      if (process) Object.assign(process, { state: 'Z', threads: 2 });
    },
  },
  'a fork 200 ms after TERM (E28)': {
    leader: {
      onTerm: (machine, pid) =>
        machine.after(200, pid, (world) => {
          world.setsid(world.fork(pid, { ...scrubbed, behaviour: ignoresTerm }));
          world.exit(pid);
        }),
    },
  },
  'setsid, a cleared environment and a death, all during the stop': {
    act: ({ machine, leader }) =>
      void machine.fork(leader, {
        behaviour: later(
          60,
          (world, pid) => {
            world.exec(pid, scrubbed);
            world.setsid(pid);
            world.setsid(world.fork(pid, { behaviour: ignoresTerm }));
          },
          ignoresTerm,
        ),
      }),
  },
};

function daemonise({ machine, leader }: Life, birth = {}): void {
  const middle = machine.fork(leader);
  machine.setsid(middle);
  machine.setsid(machine.fork(middle, birth));
  machine.exit(middle);
}

function hop(machine: FakeMachine, leader: number, behaviour: SignalBehaviour): void {
  // They act at different moments, beside so many strangers that a scan takes a while.
  for (let count = 0; count < 10; count += 1) {
    machine.after(count * 0.37, leader, () => void machine.fork(leader, { behaviour }));
  }
  for (let count = 0; count < 60; count += 1) machine.fork(1, { behaviour: {}, ours: false });
}

describe('nothing escapes a living subreaper', () => {
  test.each(Object.entries(ESCAPES))('%s', async (_name, escapee) => {
    for (const force of [false, true]) {
      const machine = createFakeMachine();
      const supervisor = startSupervisor(machine);
      const record = startService(machine, supervisor, 'web', { behaviour: escapee.leader ?? {} });
      const leader = record.leader?.pid ?? 0;
      const bystander = machine.fork(20, { name: 'vim', behaviour: ignoresTerm });
      escapee.act?.({ machine, leader, supervisor });
      await machine.delay(escapee.runsMs ?? 50);

      const end = await stopOn(machine, {
        records: [record],
        supervisor: machine.identity(supervisor),
        force,
      });

      expect(machine.oursAlive()).toEqual([]);
      expect(endings(end.state)).toMatchObject({ web: 'ended', '(no service)': 'ended' });
      expect(machine.bystandersSignalled()).toEqual([]);
      expect(machine.processes.has(bystander)).toBe(true);
      expect(end.tookMs).toBeLessThan(force ? 4_000 : 8_000);
    }
  });
});

/** Escapes that only a subreaper contains: without cookie, session and living parent when first seen. */
const BEYOND = new Set([
  'a fork 200 ms after TERM (E28)',
  'a double-forked daemon without the cookie (E09)',
  'hopping every 2 ms through sessions without a cookie',
]);

describe('nothing escapes a stop whose supervisor was killed before', () => {
  test.each(Object.entries(ESCAPES).filter(([name]) => !BEYOND.has(name)))(
    '%s',
    async (_name, escapee) => {
      const machine = createFakeMachine();
      const supervisor = startSupervisor(machine);
      const record = startService(machine, supervisor, 'web', { behaviour: escapee.leader ?? {} });
      const leader = record.leader?.pid ?? 0;
      machine.exit(supervisor);
      escapee.act?.({ machine, leader, supervisor });
      await machine.delay(escapee.runsMs ?? 50);

      await stopOn(machine, { records: [record], supervisor: null });

      expect(machine.oursAlive()).toEqual([]);
      expect(machine.bystandersSignalled()).toEqual([]);
    },
  );
});

test.each([
  ['in a stop of everything', false],
  ['in a stop of one service while another one runs', true],
])('what is in the middle of its execve is waited for %s', async (_, keepsAnother) => {
  const machine = createFakeMachine();
  const supervisor = startSupervisor(machine);
  const record = startService(machine, supervisor, 'web');
  const other = keepsAnother ? startService(machine, supervisor, 'api') : null;
  machine.exit(supervisor);
  // No scan has seen it before: the first one sees only the service, which ends by then.
  const becoming = machine.fork(1, { environ: '', argv: [], ours: true });
  machine.after(700, becoming, () => {
    machine.exec(becoming, { environ: cookieOf('web'), argv: ['node', 'web.js'] });
  });
  const end = await stopOn(machine, {
    records: other ? [record, other] : [record],
    names: ['web'],
    kept: other ? ['api'] : [],
    supervisor: null,
  });
  expect(machine.oursAlive()).toEqual(other?.leader ? [other.leader.pid] : []);
  expect(endings(end.state)).toMatchObject({ web: 'ended' });
});

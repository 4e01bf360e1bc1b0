import type { FakeMachine, Temper } from './fake-process.ts';

/** It acts on no signal that can be refused. */
export const ignoresTerm: Temper = { onTerm: () => {} };

/** It needs so long to shut down. */
export function exitsAfter(ms: number): Temper {
  return {
    onTerm: (machine, pid) => machine.after(ms, pid, (world) => world.exit(pid)),
  };
}

/** Its stop handler starts one more process, in a session of its own, and exits. */
export const forksOnTerm: Temper = {
  onTerm(machine, pid) {
    const child = machine.fork(pid, { temper: ignoresTerm });
    machine.setsid(child);
    machine.exit(pid);
  },
};

/** Its stop handler starts its successor, and so on, a limited number of times. */
export function respawnsOnTerm(times: number): Temper {
  return {
    onTerm(machine, pid) {
      if (times > 0) machine.fork(pid, { temper: respawnsOnTerm(times - 1) });
      machine.exit(pid);
    },
  };
}

/** It starts each child again that ends, as nodemon and `while true` do. */
export function revivesChildren(child: Temper = {}): Temper {
  return {
    onTerm: () => {},
    onChildExit: (machine, pid) => void machine.fork(pid, { temper: child }),
  };
}

/** It moves to another session, group, or image some time after its birth. */
export function later(
  ms: number,
  act: (machine: FakeMachine, pid: number) => void,
  temper: Temper = {},
): Temper {
  return { ...temper, onBirth: (machine, pid) => machine.after(ms, pid, act) };
}

/**
 * Forks its successor and exits, for ever, ignoring every signal that it can.
 *
 * @param clean  also clears its environment, so that only a subreaper can hold it
 */
export function hops(everyMs: number, options: { setsid: boolean; clean?: boolean }): Temper {
  const temper: Temper = {
    onTerm: () => {},
    onBirth: (machine, pid) =>
      machine.after(everyMs, pid, (world) => {
        const environ = options.clean ? { environ: '' } : {};
        const child = world.fork(pid, { ...environ, temper });
        if (options.setsid) world.setsid(child);
        world.exit(pid);
      }),
  };
  return temper;
}

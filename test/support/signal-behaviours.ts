import type { FakeMachine, SignalBehaviour } from './fake-process.ts';

/** Ignores every signal that can be ignored. */
export const ignoresTerm: SignalBehaviour = { onTerm: () => {} };

/** Exits this long after the stop signal. */
export function exitsAfter(ms: number): SignalBehaviour {
  return {
    onTerm: (machine, pid) => machine.after(ms, pid, (world) => world.exit(pid)),
  };
}

/** Starts one more process in a session of its own on the stop signal, and exits. */
export const forksOnTerm: SignalBehaviour = {
  onTerm(machine, pid) {
    const child = machine.fork(pid, { behaviour: ignoresTerm });
    machine.setsid(child);
    machine.exit(pid);
  },
};

/** Starts its successor on the stop signal and exits, a limited number of times. */
export function respawnsOnTerm(times: number): SignalBehaviour {
  return {
    onTerm(machine, pid) {
      if (times > 0) machine.fork(pid, { behaviour: respawnsOnTerm(times - 1) });
      machine.exit(pid);
    },
  };
}

/** Starts each child again that ends, as nodemon and `while true` do. */
export function restartsChildren(child: SignalBehaviour = {}): SignalBehaviour {
  return {
    onTerm: () => {},
    onChildExit: (machine, pid) => void machine.fork(pid, { behaviour: child }),
  };
}

/** Moves to another session, group or image some time after its start. */
export function later(
  ms: number,
  act: (machine: FakeMachine, pid: number) => void,
  behaviour: SignalBehaviour = {},
): SignalBehaviour {
  return { ...behaviour, onBirth: (machine, pid) => machine.after(ms, pid, act) };
}

/**
 * Forks its successor and exits, for ever, ignoring every signal that it can.
 *
 * @param clean  also clears its environment, so that only a subreaper can hold it
 */
export function hops(
  everyMs: number,
  options: { setsid: boolean; clean?: boolean },
): SignalBehaviour {
  const behaviour: SignalBehaviour = {
    onTerm: () => {},
    onBirth: (machine, pid) =>
      machine.after(everyMs, pid, (world) => {
        const environ = options.clean ? { environ: '' } : {};
        const child = world.fork(pid, { ...environ, behaviour });
        if (options.setsid) world.setsid(child);
        world.exit(pid);
      }),
  };
  return behaviour;
}

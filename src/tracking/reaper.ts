import { setTimeout as delay, setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { monotonicMs } from '../processes/clock.ts';
import { childrenOf } from '../processes/linux/children.ts';
import type { Native } from '../processes/native/native.ts';
import { newsOfEnd } from '../processes/own-children.ts';

/** Reaps the children that a subreaper has adopted, each by its own pid, as soon as it is dead. */
export interface Reaper {
  /** Reaps every adopted child that is dead, now. When it resolves, Node has told the ends of its own children. */
  reapNow(): Promise<void>;
  stop(): void;
}

/** How long Node may take to tell an end that the kernel shows already, in ms. */
const EXIT_REPORT_MS = 1_000;

/**
 * How long to reap in one turn of the event loop, in ms. In a fork storm there is always another dead child, and this
 * process has more to do; but where it reaps less than dies meanwhile, every look at the process table takes longer.
 */
const LONGEST_TURN_MS = 20;

/** The state in which a turn of reaping ends. A promise: it goes on when Node has told the end of a child of its own. */
type TurnEnd = 'nothing-left' | 'more' | Promise<void>;

/**
 * Reaps adopted children whenever SIGCHLD comes, and leaves Node's own children to Node, because otherwise Node never
 * tells their end. It acts after the turn of the event loop in which libuv reaps Node's children. SIGCHLD may come late
 * to that turn on a busy machine, so the reaper never takes a child that is known to be Node's (`noteChild`).
 */
export function startReaper(native: Pick<Native, 'deadChild' | 'reap'>): Reaper {
  return new SignalledReaper(native);
}

class SignalledReaper implements Reaper {
  readonly #native: Pick<Native, 'deadChild' | 'reap'>;
  readonly #onSignal = (): void => this.#schedule();
  #scheduled = false;
  #stopped = false;

  constructor(native: Pick<Native, 'deadChild' | 'reap'>) {
    this.#native = native;
    process.on('SIGCHLD', this.#onSignal);
    // A child may have been adopted, and have died, before the signal was listened for.
    this.#schedule();
  }

  async reapNow(): Promise<void> {
    const deadline = monotonicMs() + EXIT_REPORT_MS;
    for (;;) {
      const end = this.#reapSome();
      const leftMs = deadline - monotonicMs();
      if (end === 'nothing-left' || leftMs <= 0) return;
      await within(leftMs, end === 'more' ? turnOfTheLoop() : end);
    }
  }

  stop(): void {
    this.#stopped = true;
    process.off('SIGCHLD', this.#onSignal);
  }

  /** Signals come together as one: each is a reason to look, not a count. */
  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      const end = this.#reapSome();
      if (typeof end === 'string') this.#goOn(end === 'more');
      else void within(EXIT_REPORT_MS, end).then(() => this.#goOn(true));
    });
  }

  #goOn(isMore: boolean): void {
    this.#scheduled = false;
    if (isMore) this.#schedule();
  }

  #reapSome(): TurnEnd {
    const end = monotonicMs() + LONGEST_TURN_MS;
    do {
      const pid = this.#native.deadChild();
      if (pid === 'none') return 'nothing-left';
      if (pid === 'refused') return this.#reapListed();
      // The kernel names no other child until Node has reaped this one.
      const news = newsOfEnd(pid);
      if (news) return news;
      if (!this.#native.reap(pid)) return 'nothing-left';
    } while (monotonicMs() < end);
    return 'more';
  }

  /** Tries every child that the kernel lists: waitpid(2) does nothing to a child that lives. */
  #reapListed(): TurnEnd {
    for (const pid of childrenOf(process.pid) ?? []) {
      if (newsOfEnd(pid) === null) this.#native.reap(pid);
    }
    return 'nothing-left';
  }
}

/** Resolves with the promise, or when the time is up. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  await Promise.race([promise, delay(ms, undefined, { ref: false })]);
}

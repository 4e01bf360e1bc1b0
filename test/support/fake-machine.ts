import type { SignalName, SignalOutcome } from '../../src/processes/host.ts';
import { sameIdentity } from '../../src/processes/identity.ts';
import { indexSnapshot, type ProcessInfo } from '../../src/processes/snapshot.ts';
import { createFakeClock } from './fake-clock.ts';
import {
  type Birth,
  detailsOf,
  type FakeMachine,
  type FakeProcess,
  identityOf,
  isDead,
  rowOf,
  type SignalSent,
} from './fake-process.ts';
import { BOOT, NAMESPACE } from './process-table.ts';

export interface MachineOptions {
  /** The highest pid. With a small one pids are soon reused, as with a small pid_max. */
  readonly pidMax?: number;
  /** The time that a read of one process, or one signal, takes. */
  readonly readMs?: number;
}

/** The process that plays devctl, the shell of its terminal, and the first pid that is given to a new process. */
export const SHELL = 20;
export const DEVCTL = 21;
const FIRST_PID = 100;
const TICKS_AT_BOOT = 1_000;
const POLITE = new Set<SignalName>(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']);

/**
 * A machine in memory with the kernel's rules that matter here. Orphans go to the nearest subreaper
 * above them or to process 1; groups and sessions outlive their leaders; a number is handed out
 * again only when no process has it as pid, group or session, and in turn; SIGKILL always works,
 * except on what is stuck or another user's; what is stopped acts on SIGTERM only after SIGCONT.
 *
 * Time moves only in `delay()` and, a little, with each process that is read or signalled, and while
 * it moves the processes live: so they fork between two visits of a scan as real ones do.
 */
export function createFakeMachine({
  pidMax = 4_000_000,
  readMs = 0.01,
}: MachineOptions = {}): FakeMachine {
  const processes = new Map<number, FakeProcess>();
  const signals: SignalSent[] = [];
  const clock = createFakeClock();
  const { advance } = clock;
  let lastPid = FIRST_PID - 1;
  let scans = 0;
  const lastUse = new Map<number, number>();

  const ticksNow = (): number => TICKS_AT_BOOT + Math.floor(clock.nowMs() / 10);

  function nextPid(): number {
    const isTaken = (number: number): boolean => {
      if (processes.has(number)) return true;
      for (const { pgid, sid } of processes.values())
        if (pgid === number || sid === number) return true;
      return false;
    };
    for (let tries = 0; tries <= pidMax; tries += 1) {
      lastPid = lastPid >= pidMax ? FIRST_PID : lastPid + 1;
      // The same pid twice within one tick would take tens of thousands of forks in 10 ms.
      if (lastUse.get(lastPid) !== ticksNow() && !isTaken(lastPid)) return lastPid;
    }
    return 0;
  }

  function birth(fields: Birth & { readonly pid: number }, startTicks: number): FakeProcess {
    const { pid } = fields;
    const process: FakeProcess = {
      ppid: 1,
      pgid: pid,
      sid: fields.pgid ?? pid,
      state: 'S',
      threads: 1,
      name: 'node',
      argv: ['node'],
      cwd: '/',
      environ: '',
      uid: 1000,
      files: [],
      kernelThread: false,
      subreaper: false,
      group: null,
      frozen: false,
      behaviour: {},
      ours: false,
      ...fields,
      startTicks,
      termPending: false,
    };
    processes.set(pid, process);
    return process;
  }

  const machine: FakeMachine = {
    processes,
    signals,
    scans: () => scans,
    fork(parent, fields = {}) {
      const above = processes.get(parent);
      const pid = fields.pid ?? nextPid();
      if (!above || isDead(above) || pid === 0 || processes.has(pid)) return 0;
      const { behaviour: _, subreaper: __, state: ___, threads: ____, ...inherited } = above;
      birth({ ...inherited, ppid: parent, state: 'S', ...fields, pid }, ticksNow());
      fields.behaviour?.onBirth?.(machine, pid);
      return pid;
    },
    exit(pid) {
      const process = processes.get(pid);
      if (!process || isDead(process)) return;
      process.state = 'Z';
      process.threads = 1;
      for (const child of [...processes.values()].filter(({ ppid }) => ppid === pid)) {
        child.ppid = reaperOf(process);
        if (isDead(child)) settle(child);
      }
      settle(process);
    },
    setsid(pid) {
      const process = processes.get(pid);
      if (!process || process.pgid === pid) return;
      process.sid = pid;
      process.pgid = pid;
    },
    setpgid(pid, pgid) {
      const process = processes.get(pid);
      if (!process || process.sid === pid) return;
      const exists = [...processes.values()].some(
        (one) => one.pgid === pgid && one.sid === process.sid,
      );
      if (pgid === pid || exists) process.pgid = pgid;
    },
    exec(pid, image) {
      const process = processes.get(pid);
      if (process) Object.assign(process, image);
    },
    after(ms, pid, act) {
      const born = processes.get(pid);
      const call = (): void => {
        const process = processes.get(pid);
        if (!process || process !== born || isDead(process)) return;
        // A stopped process does nothing, and catches up when it runs again.
        if (process.state === 'T' || process.frozen) machine.after(1, pid, act);
        else act(machine, pid);
      };
      clock.at(clock.nowMs() + ms, call);
    },
    identity(pid) {
      const process = processes.get(pid);
      if (!process) throw new Error(`the fake machine has no process ${pid}`);
      return identityOf(process);
    },
    oursAlive: () =>
      [...processes.values()].filter((one) => one.ours && !isDead(one)).map(({ pid }) => pid),
    bystandersSignalled: () => signals.filter(({ ours }) => !ours),

    async snapshot() {
      scans += 1;
      const moment = {
        takenAtMs: clock.nowMs(),

        nowTicks: ticksNow(),
        bootId: BOOT,
        pidNamespace: NAMESPACE,
      };
      const rows: ProcessInfo[] = [];
      for (const pid of [...processes.keys()].sort((a, b) => a - b)) {
        advance(readMs);
        const process = processes.get(pid);
        if (process) rows.push(rowOf(process));
      }
      return indexSnapshot({ ...moment, details: detailsOf(processes) }, rows);
    },
    async read(pid) {
      const found = processes.get(pid);
      return found ? rowOf(found) : null;
    },
    async scanDescending(visit) {
      scans += 1;
      let above = Number.POSITIVE_INFINITY;
      for (;;) {
        advance(readMs);
        const pid = Math.max(...[...processes.keys()].filter((one) => one < above));
        const process = processes.get(pid);
        if (!process) return;
        above = pid;
        await visit(rowOf(process), detailsOf(processes));
      }
    },
    async signal(target, signal) {
      advance(readMs);
      if (target.pid <= 1) return 'replaced';
      const process = processes.get(target.pid);
      if (!process) return 'gone';
      if (!sameIdentity(identityOf(process), target)) return 'replaced';
      return deliver(process, signal, 'pid');
    },
    async maySignal(target) {
      const process = processes.get(target.pid);
      if (!process || isDead(process)) return 'gone';
      if (!sameIdentity(identityOf(process), target)) return 'replaced';
      return process.behaviour.denied ? 'denied' : 'sent';
    },
    async signalGroup(pgid, member, signal) {
      advance(readMs);
      const vouching = processes.get(member.pid);
      if (pgid <= 1 || processes.get(DEVCTL)?.pgid === pgid) return 'replaced';
      if (!vouching) return 'gone';
      if (!sameIdentity(identityOf(vouching), member)) return 'replaced';
      if (isDead(vouching)) return 'gone';
      if (vouching.pgid !== pgid) return 'replaced';
      const members = [...processes.values()].filter((one) => one.pgid === pgid && !isDead(one));
      const outcomes = members.map((one) => deliver(one, signal, 'group'));
      return outcomes.includes('sent') ? 'sent' : 'denied';
    },
    async killGroup(group, approve) {
      const members = [...processes.values()].filter((one) => one.group === group && !isDead(one));
      for (const member of members) member.frozen = true;
      const approved = await approve(members.map(({ pid }) => pid));
      for (const member of members) member.frozen = false;
      if (!approved) return 'refused';
      for (const member of members) kill(member, 'group');
      return 'killed';
    },
    async self() {
      return machine.identity(DEVCTL);
    },
    nowMs: clock.nowMs,
    async delay(ms) {
      advance(ms);
    },
  };

  function deliver(
    process: FakeProcess,
    signal: SignalName,
    through: SignalSent['through'],
  ): SignalOutcome {
    if (isDead(process)) return 'gone';
    if (process.behaviour.denied) return 'denied';
    if (signal === 'SIGKILL') {
      kill(process, through);
      return 'sent';
    }
    tell(process, signal, through);
    if (signal === 'SIGSTOP') {
      process.state = 'T';
    } else if (signal === 'SIGCONT') {
      process.state = 'S';
      if (process.termPending) takeTerm(process);
    } else if (POLITE.has(signal)) {
      if (process.state === 'T') process.termPending = true;
      else takeTerm(process);
    }
    return 'sent';
  }

  function tell(process: FakeProcess, signal: SignalName, through: SignalSent['through']): void {
    const { pid, startTicks, name, ours } = process;
    signals.push({ pid, startTicks, name, ours, signal, atMs: clock.nowMs(), through });
  }

  function kill(process: FakeProcess, through: SignalSent['through']): void {
    tell(process, 'SIGKILL', through);
    if (!process.behaviour.stuck) machine.exit(process.pid);
  }

  function takeTerm(process: FakeProcess): void {
    process.termPending = false;
    const { onTerm = (world: FakeMachine, pid: number) => world.exit(pid) } = process.behaviour;
    onTerm(machine, process.pid);
  }

  /** The parent removes a dead process from the table. Until then it is a zombie. */
  function settle(dead: FakeProcess): void {
    const parent = processes.get(dead.ppid);
    if (parent?.behaviour.reapsNot) return;
    processes.delete(dead.pid);
    lastUse.set(dead.pid, ticksNow());
    // The parent learns of it a moment later, as with SIGCHLD: it may be about to die as well.
    const notice = parent?.behaviour.onChildExit;
    if (parent && notice) machine.after(0.5, parent.pid, (world, pid) => notice(world, pid, dead));
  }

  function reaperOf(process: FakeProcess): number {
    let above = processes.get(process.ppid);
    while (above && above.pid > 1 && (!above.subreaper || isDead(above))) {
      above = processes.get(above.ppid);
    }
    return above?.pid ?? 1;
  }

  birth({ pid: 1, ppid: 0, name: 'init', argv: ['init'], uid: 0 }, 0);
  birth({ pid: 2, ppid: 0, pgid: 0, sid: 0, name: 'kthreadd', kernelThread: true, uid: 0 }, 0);
  birth({ pid: SHELL, name: 'bash', argv: ['-bash'], cwd: '/home/me/app' }, 500);
  const devctl = { name: 'node', argv: ['node', 'devctl', 'stop'], cwd: '/home/me/app' };
  birth({ pid: DEVCTL, ppid: SHELL, pgid: DEVCTL, sid: SHELL, ...devctl }, ticksNow());
  return machine;
}

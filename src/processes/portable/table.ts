/*
 * The files of this folder, for systems without /proc:
 *
 *   table      the process table, from ps
 *   details    arguments, environment, folder and open files, from ps and lsof
 *   ps-output  parsers of what ps, lsof and pwdx print
 */
import { DevctlError } from '../../errors.ts';
import { linuxBootId, readBootId } from '../boot-id.ts';
import { monotonicMs } from '../clock.ts';
import { indexSnapshot, type ProcessInfo, type Snapshot, UNKNOWN_GROUP } from '../snapshot.ts';
import { runTool } from '../system-tool.ts';
import type { ProcessTable } from '../table.ts';
import { type DetailMemo, portableDetails, prefetchDetails } from './details.ts';
import { type PsColumn, type PsRow, parsePsRows } from './ps-output.ts';

/** macOS `ps` has no thread count, and prints a kernel pointer as the session. */
const COLUMNS: readonly PsColumn[] =
  process.platform === 'linux'
    ? ['pid', 'ppid', 'pgid', 'sess', 'uid', 'stat', 'nlwp', 'rss', 'time', 'lstart', 'comm']
    : ['pid', 'ppid', 'pgid', 'uid', 'stat', 'rss', 'time', 'lstart', 'comm'];

const PID_NAMESPACE = 'portable';

/**
 * The process table where there is no /proc: `ps` for the rows, ps-list for the command lines, `ps`
 * and lsof for the details.
 *
 * It is weaker than /proc: start times are whole seconds, arguments and environment have lost their
 * boundaries, and every look spawns. Elsewhere than on Linux, its boot id is known
 * from the first look on.
 */
export function openPortableTable(): ProcessTable {
  const memo: DetailMemo = new Map();
  // Elsewhere a tool has to tell it, which takes a turn of the event loop.
  let bootId = process.platform === 'linux' ? linuxBootId() : undefined;
  let latest: Look | null = null;
  const boot = (): string => {
    if (bootId === undefined) throw new Error('the boot id is not known before the first look');
    return bootId;
  };

  function toProcess(row: PsRow): ProcessInfo {
    const { pid, startSeconds, uid: _, ...rest } = row;
    const startTicks = startSeconds * 100;
    return {
      identity: { pid, startTicks, bootId: boot(), pidNamespace: PID_NAMESPACE },
      kernelThread: isKernelThread(row),
      ...rest,
    };
  }

  async function snapshot(): Promise<Snapshot> {
    const takenAtMs = monotonicMs();
    const now = nowTicks();
    const { rows } = await lookAgain();
    const programs = rows.filter((row) => !isKernelThread(row));
    await prefetchDetails(memo, programs, now / 100, readCommandLines);
    const details = portableDetails(memo, rows);
    const moment = { takenAtMs, nowTicks: now, bootId: boot(), pidNamespace: PID_NAMESPACE };
    return indexSnapshot({ ...moment, details }, rows.map(toProcess));
  }

  async function lookAgain(): Promise<Look> {
    bootId ??= await readBootId();
    const rows = await readRows();
    latest = { rows, endedAtMs: monotonicMs() };
    return latest;
  }

  async function readRow(pid: number): Promise<PsRow | undefined> {
    const find = ({ rows }: Look) => rows.find((row) => row.pid === pid);
    const fresh = latest !== null && monotonicMs() - latest.endedAtMs < FRESH_MS ? latest : null;
    // A process that is not in it may have been born since.
    return (fresh && find(fresh)) ?? find(await lookAgain());
  }

  return {
    kind: 'portable',
    get bootId() {
      return boot();
    },
    pidNamespace: PID_NAMESPACE,
    snapshot: () => oneAtATime(snapshot),
    async read(pid) {
      const row = await oneAtATime(() => readRow(pid));
      return row ? toProcess(row) : null;
    },
    async scanDescending(visit) {
      const { byPid, details } = await oneAtATime(snapshot);
      const processes = [...byPid.values()].sort((a, b) => b.identity.pid - a.identity.pid);
      for (const process of processes) await visit(process, details);
    },
    nowTicks,
  };
}

interface Look {
  readonly rows: readonly PsRow[];
  readonly endedAtMs: number;
}

/**
 * For how long one look serves all signals. A `ps` for each signal took 20 s to end 170 processes, and a storm forked
 * faster than that for ever. A dead process's number goes to a stranger in this time only if all other numbers
 * are used up in it.
 */
const FRESH_MS = 100;

/**
 * Reads the clock in whole seconds, as start times are, and one less: Linux `ps` adds two rounded-down numbers (boot
 * time and start since boot), so a process that is born now may seem a second older than it is.
 */
function nowTicks(): number {
  return (Math.floor(Date.now() / 1000) - 1) * 100;
}

let lastTurn: Promise<unknown> = Promise.resolve();

/** Makes looks take turns, so that no look sees the tools of another one. */
function oneAtATime<Answer>(look: () => Promise<Answer>): Promise<Answer> {
  const turn = lastTurn.then(look, look);
  lastTurn = turn.catch(() => {});
  return turn;
}

async function readRows(): Promise<PsRow[]> {
  // One -o for each column: POSIX lets a `ps` take all that follows the first "=" for its heading.
  const columns = COLUMNS.flatMap((column) => ['-o', `${column}=`]);
  const answer = await runTool('ps', ['-A', '-ww', ...columns]);
  if (answer === null) {
    throw new DevctlError('tool-missing', 'ps is not installed, and devctl cannot see processes', {
      hint: 'install it: the package is called procps (Debian, Alpine), procps-ng (Fedora, Arch)',
    });
  }
  const rows = parsePsRows(Buffer.from(answer.stdout, 'latin1').toString('utf8'), COLUMNS);
  if (rows.length === 0 && answer.stderr !== '') return readBareRows();
  return rows.filter((row) => row.pid !== answer.pid);
}

/** Reads pid, parent and name with the two libraries, for a `ps` that does not know our columns. */
async function readBareRows(): Promise<PsRow[]> {
  const processes = (await readPsList()) ?? (await readPidtree());
  return processes.flatMap((found) => {
    if (found.name === 'ps' && found.ppid === process.pid) return [];
    const unknown = {
      pgid: UNKNOWN_GROUP,
      sid: 0,
      state: '?',
      threads: 1,
      rssBytes: 0,
      cpuTicks: 0,
    };
    const startSeconds = Math.floor((found.startTime?.getTime() ?? 0) / 1000);
    return { ...unknown, ...pick(found), startSeconds };
  });
}

interface BareProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly name: string;
  readonly uid?: number | undefined;
  readonly startTime?: Date | undefined;
  readonly cmd?: string | undefined;
}

function pick({ pid, ppid, name, uid }: BareProcess) {
  return { pid, ppid, name, uid: uid ?? -1 };
}

/** @returns null where `ps` does not know the columns of ps-list either */
async function readPsList(): Promise<readonly BareProcess[] | null> {
  const { default: psList } = await import('ps-list');
  const processes = await psList().catch(() => []);
  return processes.length > 0 ? processes : null;
}

async function readPidtree(): Promise<readonly BareProcess[]> {
  const { default: pidtree } = await import('pidtree');
  const pairs = await pidtree(-1, { advanced: true }).catch((cause: unknown) => {
    throw new DevctlError('tool-missing', 'no tool on this machine lists its processes', {
      hint: 'install a full ps (procps); the one here does not know the usual columns',
      cause,
    });
  });
  return pairs.map(({ pid, ppid }) => ({ pid, ppid, name: '' }));
}

async function readCommandLines(): Promise<ReadonlyMap<number, string>> {
  const processes = (await readPsList()) ?? [];
  return new Map(processes.map(({ pid, cmd }) => [pid, cmd ?? '']));
}

/** In a container pid 2 may be any process. A kernel thread is known by having no memory. */
function isKernelThread({ pid, ppid, rssBytes, state }: PsRow): boolean {
  if (process.platform !== 'linux') return pid === 0;
  return (pid === 2 || ppid === 2) && rssBytes === 0 && state !== 'Z';
}

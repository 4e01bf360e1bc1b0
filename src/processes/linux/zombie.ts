import { readProcFile, readProcLine } from '../proc-file.ts';

/** How a process has ended, as waitpid(2) says it to the parent. */
interface EndOfProcess {
  readonly code: number | null;
  readonly signal: number | null;
}

/** Fields of proc_pid_stat(5), counted from the state letter. */
const STATE = 0;
const START_TIME = 19;
const EXIT_CODE = 49;
/** The bit that says that a core was dumped. */
const CORE = 0x80;

/**
 * Reads how a process has ended that its parent has not reaped: the kernel keeps it as long as the zombie.
 *
 * @param startTicks so that no other process with this number is meant
 * @returns 'alive'; null where it cannot be known: the zombie is gone, or it is another user's, for whom the kernel shows 0
 */
export function exitOfZombie(pid: number, startTicks: number): EndOfProcess | 'alive' | null {
  const line = readProcLine(`/proc/${pid}/stat`);
  const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ') ?? [];
  if (Number(fields[START_TIME]) !== startTicks) return null;
  if (fields[STATE] !== 'Z' && fields[STATE] !== 'X') return 'alive';
  const status = Number(fields[EXIT_CODE]);
  if (!Number.isInteger(status) || !isVisible(pid)) return null;
  const signal = status & ~CORE & 0x7f;
  return signal === 0 ? { code: status >> 8, signal: null } : { code: null, signal };
}

/** Tells whether the kernel shows us the exit: to root, and to the user of the process (ptrace(2), access mode checks). */
function isVisible(pid: number): boolean {
  const user = process.geteuid?.();
  if (user === 0) return true;
  const uids = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(readProcFile(`/proc/${pid}/status`) ?? '');
  return uids?.slice(1).every((uid) => Number(uid) === user) ?? false;
}

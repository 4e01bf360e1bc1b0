import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';
import type { EvidenceKind } from './claim.ts';
import { isEditorOrAgent, isShell, isWrapperShell, whyProtected } from './patterns.ts';
import type { Veto } from './vetoes.ts';

/**
 * Tells whether a person's own programs may show this evidence as well: a number without a start time, a
 * file that anyone may open, a port that anyone may take. Weak evidence claims no protected program, and
 * says nothing about the descendants of a process that it does not claim.
 */
export function isWeakEvidence(kind: EvidenceKind): boolean {
  return kind === 'founding-file' || kind === 'output' || kind === 'port' || kind === 'pattern';
}

/**
 * Finds the reason to leave a process alone although weak evidence points to it. A shell or an editor that
 * other evidence proves to be ours is ours.
 *
 * @param vetoes by pid
 */
export function findProtection(
  snapshot: Snapshot,
  vetoes: ReadonlyMap<number, Veto>,
  process: ProcessInfo,
  kind: EvidenceKind,
): Veto | null {
  if (!isWeakEvidence(kind)) return null;
  const argv = snapshot.details.argv(process) ?? [];
  const program = isWrapperShell(argv) ? null : whyProtected(argv);
  if (program !== null) return { kind: 'protected', detail: program };
  if (kind === 'founding-file') return null;
  const nested = nestedProjectVeto(snapshot, vetoes, process);
  if (nested) return nested;
  const detail =
    startedByEditor(process, snapshot) ??
    (kind === 'output' ? atTerminal(process, snapshot) : null);
  return detail === null ? null : { kind: 'protected', detail };
}

/**
 * Finds the veto of another project above a process. A process that another project's service started
 * belongs to that project, even if it has cleared its cookie.
 */
export function nestedProjectVeto(
  snapshot: Snapshot,
  vetoes: ReadonlyMap<number, Veto>,
  { identity }: ProcessInfo,
): Veto | null {
  const above = ancestry(identity.pid, snapshot).map((process) => vetoes.get(process.identity.pid));
  return above.find((veto) => veto?.kind === 'other-project') ?? null;
}

/**
 * Names the editor or agent that started a process as its own helper: with no shell in between, because a
 * shell in between means that a person started it. Null when there is none.
 */
export function startedByEditor(process: ProcessInfo, snapshot: Snapshot): string | null {
  for (const ancestor of ancestry(process.ppid, snapshot)) {
    const argv = snapshot.details.argv(ancestor) ?? [];
    if (isShell(argv)) return null;
    if (isEditorOrAgent(argv)) return `started by ${ancestor.name} (pid ${ancestor.identity.pid})`;
  }
  return null;
}

/**
 * Says how a process shows that a person started it: it has a terminal open, or is the job of a shell.
 * A service begins without a terminal. For the first command of a terminal (`script -c "sh -c …"`,
 * `xterm -e …`) the open terminal is the only sign.
 */
function atTerminal(process: ProcessInfo, snapshot: Snapshot): string | null {
  const files = snapshot.details.openFiles(process) ?? [];
  const terminal = files.find(({ target }) => TERMINAL.test(target));
  return terminal ? `has the terminal ${terminal.target} open` : jobOf(process, snapshot);
}

/** Paths of terminals: pseudo-terminals of Linux and macOS, virtual and serial terminals, and `/dev/tty`. */
const TERMINAL = /^\/dev\/(pts\/\d+|tty\w*|console|hvc\d+)$/;

/**
 * Names the shell that a person types into and that started a process as its job
 * (`tool >>.pids/logs/web.log`). A job is in the session of its shell, whereas a service has a session of
 * its own, and a daemon is in a session without a leader.
 */
function jobOf(process: ProcessInfo, snapshot: Snapshot): string | null {
  const sessionLeader = snapshot.byPid.get(process.sid);
  if (!sessionLeader || sessionLeader === process || isGone(sessionLeader)) return null;
  const argv = snapshot.details.argv(sessionLeader) ?? [];
  if (!isShell(argv) || isWrapperShell(argv)) return null;
  return `a job of ${sessionLeader.name} (pid ${sessionLeader.identity.pid}), which a person types into`;
}

import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { EvidenceKind } from './claim.ts';
import { isEditorOrAgent, isShell, isWrapperShell, protection } from './patterns.ts';
import { ancestry, type Veto } from './vetoes.ts';

/**
 * Evidence that a person's own programs may show as well: a number without a start time, a file that
 * anyone may open, a port that anyone may take. It claims no protected program, and says nothing about
 * what is below one that it does not claim.
 */
export function isWeak(kind: EvidenceKind): boolean {
  return kind === 'founding-file' || kind === 'output' || kind === 'port' || kind === 'pattern';
}

/**
 * Why a process is left alone although weak evidence points to it. A shell or an editor that other
 * evidence proves to be ours is ours.
 *
 * @param vetoes by pid
 */
export function protectedFrom(
  snapshot: Snapshot,
  vetoes: ReadonlyMap<number, Veto>,
  process: ProcessInfo,
  kind: EvidenceKind,
): Veto | null {
  if (!isWeak(kind)) return null;
  const argv = snapshot.details.argv(process) ?? [];
  const program = isWrapperShell(argv) ? null : protection(argv, []);
  if (program !== null) return { kind: 'protected', detail: program };
  if (kind === 'founding-file') return null;
  const nested = nestedProject(snapshot, vetoes, process);
  if (nested) return nested;
  const detail =
    startedByEditor(process, snapshot) ??
    (kind === 'output' ? atTerminal(process, snapshot) : null);
  return detail === null ? null : { kind: 'protected', detail };
}

/** What another project's service starts is that project's, even where it has cleared its cookie. */
export function nestedProject(
  snapshot: Snapshot,
  vetoes: ReadonlyMap<number, Veto>,
  { identity }: ProcessInfo,
): Veto | null {
  const above = ancestry(identity.pid, snapshot).map((one) => vetoes.get(one.identity.pid));
  return above.find((veto) => veto?.kind === 'other-project') ?? null;
}

/** An editor's or agent's own helper: started by it with no shell between, where a person would be. */
export function startedByEditor(process: ProcessInfo, snapshot: Snapshot): string | null {
  for (const ancestor of ancestry(process.ppid, snapshot)) {
    const argv = snapshot.details.argv(ancestor) ?? [];
    if (isShell(argv)) return null;
    if (isEditorOrAgent(argv)) return `started by ${ancestor.name} (pid ${ancestor.identity.pid})`;
  }
  return null;
}

/**
 * A person has started it: a service begins without a terminal. Of a terminal's own first command
 * (`script -c "sh -c …"`, `xterm -e …`) nothing else tells.
 */
function atTerminal(process: ProcessInfo, snapshot: Snapshot): string | null {
  const files = snapshot.details.openFiles(process) ?? [];
  const terminal = files.find(({ target }) => TERMINAL.test(target));
  return terminal ? `has the terminal ${terminal.target} open` : jobOf(process, snapshot);
}

/** Pseudo-terminals of Linux and macOS, virtual and serial ones, `/dev/tty` for whichever it is. */
const TERMINAL = /^\/dev\/(pts\/\d+|tty\w*|console|hvc\d+)$/;

/**
 * A job of a shell that a person types into (`tool >>.pids/logs/web.log`): it has the shell's session,
 * whereas a service has one of its own, and a daemon one without a leader.
 */
function jobOf(process: ProcessInfo, snapshot: Snapshot): string | null {
  const head = snapshot.byPid.get(process.sid);
  if (!head || head === process || isGone(head)) return null;
  const argv = snapshot.details.argv(head) ?? [];
  if (!isShell(argv) || isWrapperShell(argv)) return null;
  return `a job of ${head.name} (pid ${head.identity.pid}), which a person types into`;
}

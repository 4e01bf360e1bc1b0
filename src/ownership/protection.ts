import { isGone, livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';
import { programOf } from './argv.ts';
import type { OwnershipFacts, ProtectionRules } from './claim.ts';
import { PROTECT_VARIABLE, readVariable } from './cookie.ts';
import type { EvidenceKind } from './evidence-kinds.ts';
import { personalProgram } from './personal-programs.ts';
import { isEditorOrAgent, isShell, isWrapperShell, whyProtected } from './protected-programs.ts';
import type { Veto, Vetoes } from './vetoes.ts';

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
 */
export function findProtection(
  {
    facts,
    snapshot,
    vetoes,
  }: Pick<ProtectionSearch, 'facts' | 'snapshot'> & {
    readonly vetoes: Pick<Vetoes, 'byPid'>;
  },
  process: ProcessInfo,
  kind: EvidenceKind,
): Veto | null {
  if (!isWeakEvidence(kind)) return null;
  const argv = snapshot.details.argv(process) ?? [];
  const program = isWrapperShell(argv) ? null : whyProtected(argv);
  if (program !== null) return { kind: 'protected', detail: program };
  if (kind === 'founding-file') return null;
  const nested = nestedProjectVeto(snapshot, vetoes.byPid, process);
  if (nested) return nested;
  const detail =
    startedByEditor(process, snapshot) ??
    (kind === 'output' ? atTerminal(process, snapshot, facts) : null) ??
    (kind === 'port' && !facts.openFiles?.forced ? byHand(process, snapshot, facts) : null);
  return detail === null ? null : { kind: 'protected', detail };
}

/** The part of a search that decides about protection. */
interface ProtectionSearch {
  readonly facts: OwnershipFacts;
  readonly snapshot: Snapshot;
  readonly vetoes: Pick<Vetoes, 'ours'>;
  readonly protectedBy: Map<number, Veto | null>;
}

/**
 * Finds the reason to leave a process alone although it is ours: the rules protect it, or the process that started
 * it. They never protect a leader, nor a process that listens on a declared port.
 */
export function ownProtection(search: ProtectionSearch, process: ProcessInfo): Veto | null {
  const { protection } = search.facts;
  if (!protection) return null;
  for (const one of ancestry(process.identity.pid, search.snapshot)) {
    const { pid } = one.identity;
    if (search.vetoes.ours.has(pid)) return null;
    let veto = search.protectedBy.get(pid);
    if (veto === undefined) {
      veto = protectionOf(search, protection, one);
      search.protectedBy.set(pid, veto);
    }
    if (veto === null) continue;
    return one === process ? veto : { ...veto, detail: `below pid ${pid}: ${veto.detail}` };
  }
  return null;
}

function protectionOf(
  { facts, snapshot }: ProtectionSearch,
  { patterns, byEnvironment, person }: ProtectionRules,
  process: ProcessInfo,
): Veto | null {
  const { pid } = process.identity;
  const listens = facts.openFiles?.listening.some((listener) => listener.pid === pid);
  if (listens || facts.portHolders?.has(pid)) return null;
  const argv = snapshot.details.argv(process) ?? [];
  const line = argv.join(' ');
  const answers = patterns.map(({ source, test }) => ({ source, matches: test(line) }));
  const rule = answers.find(({ matches }) => matches === true);
  if (rule) return { kind: 'protected', detail: `matches protect ${rule.source}` };
  const environ = snapshot.details.environ(process);
  const program = personalProgram({ argv, environ, person, root: facts.root });
  if (program !== null) return { kind: 'protected', detail: program };
  const isMarked = environ !== null && readVariable(environ, PROTECT_VARIABLE) === '1';
  const marked = `${PROTECT_VARIABLE}=1 is in its environment`;
  if (isMarked && byEnvironment) return { kind: 'protected', detail: marked };
  const unknown = answers.find(({ matches }) => matches === null);
  if (unknown) {
    const why = 'because its command line is too long for that pattern';
    return { kind: 'in-doubt', detail: `protect ${unknown.source} cannot be tried on it, ${why}` };
  }
  if (!isMarked) return null;
  const detail = `${marked}, and the manifest does not say "protectByEnvironment": true`;
  return { kind: 'in-doubt', detail };
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
 * A service begins without a terminal, or on one that devctl made, which is nobody's. For the first command of a terminal (`script -c "sh -c …"`,
 * `xterm -e …`) the open terminal is the only sign.
 */
function atTerminal(
  process: ProcessInfo,
  snapshot: Snapshot,
  facts: Pick<OwnershipFacts, 'runs'>,
): string | null {
  const files = snapshot.details.openFiles(process) ?? [];
  const terminals = files.filter(({ target }) => TERMINAL.test(target));
  if (terminals.length === 0) return jobOf(process, snapshot);
  const ours = terminalsOf(facts, snapshot);
  const isOurs = terminals.some(({ target }) => ours.has(target));
  const terminal = terminals.find(
    ({ target }) => !ours.has(target) && !(isOurs && target === '/dev/tty'),
  );
  if (terminal) return `has the terminal ${terminal.target} open`;
  return isOurs ? null : jobOf(process, snapshot);
}

/** The terminals that living holders of ours hold. Any other terminal of that number is somebody else's. */
function terminalsOf(
  { runs }: Pick<OwnershipFacts, 'runs'>,
  snapshot: Snapshot,
): ReadonlySet<string> {
  const held = runs.flatMap(({ terminal }) => terminal ?? []);
  return new Set(held.filter(({ holder }) => livesIn(snapshot, holder)).map(({ path }) => path));
}

/** Debuggers and tracers, which start the program that a person looks at. */
const DEBUGGERS: ReadonlySet<string> = new Set(
  'gdb gdbserver lldb lldb-server dlv rr strace ltrace valgrind perf'.split(' '),
);

/** Says how a process shows that a person has started it and works with it. */
function byHand(
  process: ProcessInfo,
  snapshot: Snapshot,
  facts: Pick<OwnershipFacts, 'runs'>,
): string | null {
  for (const { identity } of ancestry(process.ppid, snapshot)) {
    const above = snapshot.byPid.get(identity.pid);
    const argv = (above && snapshot.details.argv(above)) ?? [];
    if (DEBUGGERS.has(programOf(argv)))
      return `runs under ${programOf(argv)} (pid ${identity.pid})`;
  }
  return atTerminal(process, snapshot, facts);
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

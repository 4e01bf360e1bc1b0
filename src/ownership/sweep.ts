import { DEVCTL } from '../own-command.ts';
import type { UserPattern } from '../patterns/pattern.ts';
import { identityKey } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { isInside } from '../project/inside.ts';
import { ancestry } from './ancestry.ts';
import { isInterpreter } from './argv.ts';
import type { Claim, Ownership, OwnershipFacts, Spared } from './claim.ts';
import { nameOfTool, type ToolKind, toolKindOf } from './dev-tools.ts';
import type { Evidence } from './evidence-kinds.ts';
import { nearestProject } from './nearest-project.ts';
import { isShell, isWrapperShell, whyProtected, whyProtectedByPath } from './protected-programs.ts';
import { nestedProjectVeto, ownProtection, startedByEditor } from './protection.ts';
import { containerVeto, findVetoes, type Veto, type Vetoes } from './vetoes.ts';

/**
 * The rules of a sweep, from the manifest or the defaults.
 *
 * The user's patterns are tested only against the processes that the sweep may end: anybody can start a process whose
 * command line takes a pattern long.
 */
export interface SweepRules {
  /** Patterns for whole command lines, in addition to the built-in ones. */
  readonly patterns: readonly UserPattern[];
  /** Patterns for the command lines of programs that are never swept. */
  readonly protect: readonly UserPattern[];
  /** 'project': only processes whose working directory is inside the project. 'user': processes anywhere. */
  readonly scope: 'project' | 'user';
  /** Finds the project below this one that a working directory is in; null: none. Missing: not checked. */
  readonly projectBelow?: (cwd: string) => string | null;
}

/** The facts of one snapshot by which look-alikes are judged. */
interface Judgement {
  readonly facts: OwnershipFacts;
  readonly snapshot: Snapshot;
  readonly rules: SweepRules;
  readonly vetoes: Vetoes;
  /** The vetoes by pid, those of the records of other projects among them. */
  readonly byPid: ReadonlyMap<number, Veto>;
  readonly invokingTree: ReadonlySet<number>;
  /** The processes of devctl itself. A process that one of them has adopted is an orphan. */
  readonly residents: ReadonlySet<number>;
}

/**
 * Claims the programs that look like ours and work inside the project, although nothing else proves that
 * they are. This is the last net, for an `npm test` that was started by hand beside the services.
 *
 * Their descendants are claimed with them, but each descendant must pass the same vetoes.
 *
 * @param remembered claims of earlier scans of the same sweep, by identity key: not judged again
 * @param claimed pids that other evidence claims already: left out
 * @returns `spared` names every look-alike that was left alone, and why
 */
export function sweepClaims(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  rules: SweepRules,
  remembered: ReadonlyMap<string, Claim> = new Map(),
  claimed: ReadonlySet<number> = new Set(),
): Pick<Ownership, 'claims' | 'spared'> {
  const all = findVetoes(facts, snapshot);
  const { supervisors, guards, oneOffParents, cookies } = all;
  const protection = { facts, snapshot, vetoes: all, protectedBy: new Map<number, Veto | null>() };
  const residents = [...supervisors, ...guards, ...oneOffParents.map(({ process }) => process)];
  const ownPids = new Set(residents.map(({ identity }) => identity.pid));
  const invokingTree = findInvokingTree(facts, snapshot, rules);
  const judgement = {
    facts,
    snapshot,
    rules,
    vetoes: all,
    byPid: new Map([...recordedElsewhere(all), ...all.byPid]),
    invokingTree,
    residents: ownPids,
  } satisfies Judgement;
  const claims = new Map<number, Claim>();
  const spared = new Map<number, Spared>();

  const consider = (process: ProcessInfo, evidence: Evidence, tool: ToolKind | null): void => {
    const { pid } = process.identity;
    if (isGone(process) || ownPids.has(pid) || claimed.has(pid) || claims.has(pid)) return;
    const runId = cookies.get(pid)?.runId ?? '';
    const veto = facts.exemptRuns?.includes(runId)
      ? { kind: 'invoking-tree' as const, detail: 'it is of the one-off that runs this command' }
      : (findVeto(judgement, process, evidence) ??
        (tool && whyNotSwept(judgement, process, tool)) ??
        protectionFromSweep(protection, process));
    if (veto) spared.set(pid, spared.get(pid) ?? { process, evidence: [evidence], veto });
    else claims.set(pid, { process, service: null, runId: null, evidence: [evidence] });
  };

  for (const process of snapshot.byPid.values()) {
    if (process.kernelThread || isGone(process)) continue;
    const known = remembered.get(identityKey(process.identity));
    if (known && !claimed.has(process.identity.pid)) {
      claims.set(process.identity.pid, { ...known, process });
      continue;
    }
    const found = lookAlikeOf(judgement, process);
    if (found) consider(process, { kind: 'pattern', detail: found.detail }, found.tool);
  }
  for (const pid of claims.keys()) {
    const parent = snapshot.byPid.get(pid);
    for (const child of snapshot.byParent.get(pid) ?? []) {
      if (parent && child.identity.startTicks < parent.identity.startTicks) continue;
      const detail = `child of ${pid} (${parent?.name ?? ''})`;
      consider(child, { kind: 'descendant', detail }, null);
    }
  }
  return {
    claims,
    spared: [...spared.values()].filter(({ process }) => !claims.has(process.identity.pid)),
  };
}

/** The processes that records of other projects name, and none of ours: the sweep leaves them and their descendants alone. */
function recordedElsewhere({ elsewhere, ours }: Vetoes): readonly [number, Veto][] {
  return [...elsewhere].flatMap(([pid, anchor]) => {
    const detail = 'the records of another project name it';
    return (anchor === 'recorded' || anchor === 'seen') && !ours.has(pid)
      ? [[pid, { kind: 'other-project', detail }]]
      : [];
  });
}

/**
 * Finds the protection of a look-alike. Nothing but its looks ties it to us, so a person may have started it. A sign
 * that it is to be left alone protects it, and makes no doubt whose it is.
 */
function protectionFromSweep(
  search: Parameters<typeof ownProtection>[0],
  process: ProcessInfo,
): Veto | null {
  const veto = ownProtection(search, process);
  return veto && { ...veto, kind: 'protected' };
}

function findVeto(judgement: Judgement, process: ProcessInfo, evidence: Evidence): Veto | null {
  const { snapshot, rules, byPid, invokingTree } = judgement;
  const { pid } = process.identity;
  const argv = snapshot.details.argv(process) ?? [];
  const veto =
    byPid.get(pid) ??
    containerVeto(snapshot, process) ??
    nestedProjectVeto(snapshot, byPid, process);
  if (veto) return veto;
  if (invokingTree.has(pid)) {
    return { kind: 'invoking-tree', detail: 'it belongs to what runs this devctl command' };
  }
  // The `sh -c` between npm and its script belongs to npm; a shell on its own belongs to a person.
  const isWrapper = evidence.kind === 'descendant' && isWrapperShell(argv);
  const reason =
    (isWrapper ? whyProtectedByPath : whyProtected)(argv) ?? startedByEditor(process, snapshot);
  if (reason) return { kind: 'protected', detail: reason };
  const beyond = beyondReach(judgement, process);
  if (beyond) return beyond;
  const other = otherProjectVeto(judgement, process);
  if (other) return other;
  const line = argv.join(' ');
  // Where it cannot be told, the process may be a protected one.
  const rule = rules.protect.find((pattern) => pattern.test(line) !== false);
  return rule ? { kind: 'protected', detail: `matches sweep.protect ${rule.source}` } : null;
}

/**
 * Vetoes a process of another project. The project may have no manifest any more, and nothing of it may be marked: its
 * control group, its supervisor and its records show it all the same.
 */
function otherProjectVeto(judgement: Judgement, process: ProcessInfo): Veto | null {
  const { facts, snapshot, rules, vetoes } = judgement;
  const nearest = nearestProject(facts, snapshot, vetoes, process);
  if (nearest !== 'ours' && nearest !== 'none') {
    return { kind: 'other-project', detail: 'it is among the processes of another project' };
  }
  const cwd = snapshot.details.cwd(process);
  if (cwd === null) return null;
  const below = rules.projectBelow?.(cwd) ?? supervisedBelow(judgement, cwd);
  return below === null
    ? null
    : { kind: 'other-project', detail: `works in ${below}, a project of its own` };
}

/** Finds the folder below ours that holds a working directory and that another project's supervisor works in. */
function supervisedBelow({ facts, snapshot, vetoes }: Judgement, cwd: string): string | null {
  for (const [pid, anchor] of vetoes.elsewhere) {
    const resident = anchor === 'resident' ? snapshot.byPid.get(pid) : undefined;
    const folder = resident ? snapshot.details.cwd(resident) : null;
    if (folder === null || folder === facts.root || !isInside(facts.root, folder)) continue;
    if (isInside(folder, cwd)) return folder;
  }
  return null;
}

interface LookAlike {
  readonly detail: string;
  /** Null: the user's own pattern matches, which needs no further reason. */
  readonly tool: ToolKind | null;
}

function lookAlikeOf(judgement: Judgement, process: ProcessInfo): LookAlike | null {
  const { snapshot, rules } = judgement;
  const inReach = rules.patterns.length > 0 && !beyondReach(judgement, process);
  return findLookAlike(snapshot, inReach ? rules : BUILT_IN_ONLY, process);
}

/** Tells whether a process looks like a tool of the project, by the user's patterns or the built-in rules. */
function findLookAlike(
  snapshot: Snapshot,
  { patterns }: Pick<SweepRules, 'patterns'>,
  process: ProcessInfo,
): LookAlike | null {
  const argv = snapshot.details.argv(process) ?? [];
  const tool = toolKindOf(argv);
  const detail = `looks like a dev tool of this project (${nameOfTool(argv)})`;
  if (tool === 'dev') return { tool, detail };
  const line = patterns.length === 0 ? '' : argv.join(' ');
  const own = patterns.find((pattern) => pattern.test(line))?.source;
  if (own !== undefined) return { tool: null, detail: `matches sweep.patterns ${own}` };
  return tool && { tool, detail };
}

/**
 * Says why a known tool is not swept for itself: it ends by itself, works for another program, or hangs below a tool
 * that ends by itself. It is swept all the same as the descendant of a tool that is swept.
 */
function whyNotSwept(judgement: Judgement, process: ProcessInfo, tool: ToolKind): Veto | null {
  const { snapshot } = judgement;
  if (tool === 'once') return { kind: 'runs-once', detail: 'it builds or runs once' };
  const above = runOnceAbove(judgement, process);
  if (above !== null) {
    const detail = `works for ${name(snapshot, above)}, which builds or runs once`;
    return { kind: 'runs-once', detail };
  }
  const host = tool === 'worker' ? hostOf(judgement, process) : null;
  return host && { kind: 'runs-once', detail: `works for ${name(snapshot, host)}` };
}

function name(snapshot: Snapshot, process: ProcessInfo): string {
  const { pid } = process.identity;
  return `pid ${pid} (${nameOfTool(snapshot.details.argv(process) ?? [process.name])})`;
}

/**
 * Finds the tool above a process that builds or runs once. The topmost tool decides: what `npm test` builds is swept with
 * it. A shell that a person types into ends the search.
 */
function runOnceAbove(judgement: Judgement, process: ProcessInfo): ProcessInfo | null {
  const { snapshot } = judgement;
  let found: ProcessInfo | null = null;
  for (const above of ancestry(process.ppid, snapshot)) {
    const argv = snapshot.details.argv(above) ?? [];
    if (isShell(argv) && !isWrapperShell(argv)) break;
    const tool = lookAlikeOf(judgement, above);
    if (tool === null || tool.tool === 'worker') continue;
    const evidence = { kind: 'pattern', detail: tool.detail } as const;
    if (tool.tool === 'once') found = above;
    else if (findVeto(judgement, above, evidence) === null) found = null;
  }
  return found;
}

/**
 * Finds the living process that a worker works for. An orphan has been adopted by process 1, by devctl, or by a process
 * of another session, such as the service manager of the user. nx starts its workers in sessions of their own.
 */
function hostOf({ snapshot, residents }: Judgement, process: ProcessInfo): ProcessInfo | null {
  const host = snapshot.byPid.get(process.ppid);
  if (!host || host.identity.pid === 1 || residents.has(host.identity.pid) || isGone(host)) {
    return null;
  }
  const argv = snapshot.details.argv(host) ?? [];
  return host.sid === process.sid || isInterpreter(argv) ? host : null;
}

const BUILT_IN_ONLY = { patterns: [] };

/** Vetoes a process that works elsewhere, or for another user. */
function beyondReach(judgement: Judgement, process: ProcessInfo): Veto | null {
  const { facts, snapshot, rules } = judgement;
  const cwd = snapshot.details.cwd(process);
  if (rules.scope === 'project' && !isInside(facts.root, cwd)) {
    return {
      kind: 'outside-project',
      detail: cwd ? `works in ${cwd}, outside the project` : 'its working directory cannot be read',
    };
  }
  return otherUserVeto(judgement, process);
}

/** Lists the look-alikes that belong to services, so that a report of the sweep leaves no look-alike out. */
export function ownedLookAlikes(
  claims: Iterable<Claim>,
  snapshot: Snapshot,
  rules: SweepRules,
): readonly Spared[] {
  return [...claims].flatMap(({ process, service }): Spared[] => {
    const found = findLookAlike(snapshot, rules, process);
    if (found === null) return [];
    const whose = service === null ? 'was started by devctl' : `belongs to the service ${service}`;
    const veto = { kind: 'owned', detail: `${whose}: ${DEVCTL} stop ends it` } as const;
    return [{ process, evidence: [{ kind: 'pattern', detail: found.detail }], veto }];
  });
}

/**
 * Vetoes a process of another user, which root could signal. In a project the processes of its owner are
 * swept as well, because a person who needs `sudo devctl stop` wants those gone too.
 */
function otherUserVeto({ facts, snapshot, rules }: Judgement, process: ProcessInfo): Veto | null {
  const self = snapshot.byPid.get(facts.self.pid);
  const [own, other] = [self && snapshot.details.uid(self), snapshot.details.uid(process)];
  if (own === other || (rules.scope === 'project' && other === facts.ownerUid)) return null;
  return { kind: 'other-user', detail: `it runs as uid ${other}` };
}

/**
 * Finds the processes that run this very command: its process group, and everything below the topmost
 * ancestor that itself looks like a test runner or package script. When vitest's teardown calls
 * `devctl stop`, vitest's workers are siblings of devctl, not strangers to be swept.
 */
function findInvokingTree(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  rules: SweepRules,
): ReadonlySet<number> {
  const self = snapshot.byPid.get(facts.self.pid);
  const tree = new Set<number>();
  for (const { identity } of (self && snapshot.byGroup.get(self.pgid)) ?? [])
    tree.add(identity.pid);
  const runners = ancestry(facts.self.pid, snapshot)
    .slice(1)
    .filter((process) => findLookAlike(snapshot, rules, process) !== null);
  const top = runners.at(-1);
  if (!top) return tree;
  const queue = [top.identity.pid];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    tree.add(pid);
    for (const { identity } of snapshot.byParent.get(pid) ?? []) queue.push(identity.pid);
  }
  return tree;
}

import { existsSync } from 'node:fs';
import { ancestry } from '../ownership/ancestry.ts';
import type { Claim, OwnershipFacts } from '../ownership/claim.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import { projectFolder } from '../project/folder.ts';
import { foldersUpwards, isInside } from '../project/inside.ts';
import { recordsFoldersIn } from '../project/place/holders.ts';
import { namedRunIds } from '../project/place/places.ts';
import { type RegistryEntry, readRegistry } from '../project/place/registry.ts';
import { type ProjectState, readProjectState } from './project-state.ts';

/**
 * Leaves out the runs that another folder keeps: its records name the run and a process of the run works there, or the
 * supervisor or guard above the run works there. Our own records may carry the id of a project that was moved away.
 *
 * @param claims processes that are ours by these facts
 * @returns the same facts where no such run was found
 */
export function withoutRunsElsewhere(
  state: ProjectState,
  facts: OwnershipFacts,
  claims: ReadonlyMap<number, Claim>,
  snapshot: Snapshot,
): OwnershipFacts {
  const residents = facts.residentsElsewhere ?? new Set();
  const isBelow = ({ ppid }: ProcessInfo): boolean =>
    ancestry(ppid, snapshot).some(({ identity: { pid } }) => residents.has(pid));
  const unknown = unknownRuns(state, facts, claims);
  if (unknown.size === 0) return facts;
  const registry = readRegistry();
  const keeps = (folder: string, runId: string): boolean =>
    recordsFoldersIn(folder, registry).some((pidsDir) => namedRunIds(pidsDir).includes(runId));
  const kept = [...unknown].filter(([runId, members]) => {
    if (residents.size > 0 && members.some(isBelow)) return true;
    const folders = members
      .map((member) => snapshot.details.cwd(member))
      .filter((cwd) => !isInside(state.folder.root, cwd));
    return [...new Set(folders)].some((cwd) =>
      foldersUpwards(cwd).some((folder) => keeps(folder, runId)),
    );
  });
  if (kept.length === 0) return facts;
  const runsElsewhere = new Set(kept.map(([runId]) => runId));
  const groups = (facts.groups ?? []).filter(({ runId }) => !runsElsewhere.has(runId));
  return { ...facts, groups, project: { ...facts.project, runsElsewhere } };
}

/** Groups claimed processes by the runs that neither a record nor the ledger knows. */
function unknownRuns(
  { records, ledger }: ProjectState,
  { runs }: OwnershipFacts,
  claims: ReadonlyMap<number, Claim>,
): ReadonlyMap<string, readonly ProcessInfo[]> {
  const known = new Set([...records, ...ledger, ...runs].map(({ runId }) => runId));
  const unknown = new Map<string, ProcessInfo[]>();
  for (const { runId, process } of claims.values()) {
    if (runId === null || known.has(runId)) continue;
    unknown.set(runId, [...(unknown.get(runId) ?? []), process]);
  }
  return unknown;
}

/** The run ids in the records of projects that were moved away from this path while something ran. */
export function runsMovedAway(
  path: string,
  registry: readonly RegistryEntry[],
): ReadonlySet<string> {
  const moved = registry.flatMap((entry) => {
    if (entry.path === path || !existsSync(entry.pidsDir)) return [];
    const folder = projectFolder(entry.path, entry.pidsDir);
    return folder.id === entry.id && folder.paths.includes(path) ? [folder] : [];
  });
  const runs = moved.flatMap((folder) => {
    const { records, ledger } = readProjectState(folder);
    return [...records, ...ledger].map(({ runId }) => runId);
  });
  return new Set(runs);
}

import type { LegacyPid, OwnershipFacts, Witnessed } from '../ownership/claim.ts';
import { type ResidentsOfManifests, sortNameless } from '../ownership/nameless.ts';
import type { ProjectIdentity } from '../ownership/whose-cookie.ts';
import type { Identity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { msToTicks } from '../processes/ticks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { LegacyEntry } from '../project/legacy-files.ts';
import { groupNameOf, variantOf } from '../project/names.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { namedBy, namedByOthers } from './beside.ts';
import { type ProjectState, UNATTRIBUTED } from './project-state.ts';
import { protectionRules } from './protection.ts';
import { findResidents, type Resident, worksElsewhere } from './residents.ts';
import { readRunGroups } from './run-groups.ts';

/** Returns the facts to judge by, with what earlier scans have seen. */
export function currentFacts(
  {
    state,
    self,
    protects = true,
  }: { readonly state: ProjectState; readonly self: Identity; readonly protects?: boolean },
  snapshot: Snapshot,
  seen: readonly Witnessed[],
): OwnershipFacts {
  const known = factsOf(state, self, snapshot, Date.now());
  const facts = { ...known, ...askResidents(known.project, state, snapshot) };
  // Read after the snapshot: a process that is in a group now and was not yet alive then is found by
  // the next scan.
  const groups = readRunGroups(state);
  return {
    ...facts,
    ...(protects ? { protection: protectionRules(state.protection) } : {}),
    groups,
    witnessed: [...facts.witnessed, ...seen],
  };
}

/** Takes the word of the residents for which project is here. A supervisor knows its own folder, and does not ask. */
function askResidents(
  project: ProjectIdentity,
  { folder }: ProjectState,
  snapshot: Snapshot,
): Pick<OwnershipFacts, 'project' | 'residentsElsewhere'> {
  if (folder.requireWritable || folder.isReplaced) return { project };
  const residents = findResidents(folder, snapshot);
  if (residents.length === 0) return { project };
  const isOurs = ({ mark, projectId }: Resident): boolean =>
    project.marks.has(mark) && (projectId === null || projectId === project.id);
  // A mark without an id says a path, and another project may be at that path by now.
  const here = residents.filter(
    (one) => one.projectId !== null && one.cwd === folder.root && !isOurs(one),
  );
  const away = residents.filter((one) => isOurs(one) && worksElsewhere(folder, one));
  return {
    project: {
      ...project,
      marks: new Set([...project.marks, ...here.map(({ mark }) => mark)]),
      idsHere: new Set(here.flatMap(({ projectId }) => projectId ?? [])),
    },
    residentsElsewhere: new Set(away.map(({ pid }) => pid)),
  };
}

/**
 * Puts together the facts for `claimProcesses`.
 *
 * @param wallMs Date.now() at the time of the snapshot, to place the mtime of legacy files on its clock
 */
export function factsOf(
  state: ProjectState,
  self: Identity,
  snapshot: Snapshot,
  wallMs: number,
): OwnershipFacts {
  const { folder, records, ledger, supervisor, legacy, exempt, beside } = state;
  const nameless = sortNameless(state.nameless ?? [], residentsOf(state, snapshot), snapshot);
  return {
    project: projectIdentity(folder),
    root: folder.root,
    ownerUid: state.ownerUid,
    self,
    supervisor: supervisor?.identity ?? null,
    runs: records,
    perhapsOurs: [
      ...(state.perhapsOurs ?? []),
      ...nameless.inDoubt.map(({ identity, pgid, sid }) => {
        return { service: null, runId: null, identity, pgid, sid, why: OF_EITHER };
      }),
    ],
    exemptRuns: exempt,
    elsewhere: [...state.foreign.flatMap(namedBy), ...(beside ? namedByOthers(beside) : [])],
    witnessed: [...ledger, ...nameless.ours, ...(beside?.ours ?? [])]
      .filter(({ identity: { pid } }) => isNumberInUse(pid, snapshot))
      .map((entry) =>
        entry.service === UNATTRIBUTED ? { ...entry, service: null, runId: null } : entry,
      ),
    legacyPids: legacy.map((entry) => toLegacyPid(entry, snapshot.nowTicks, wallMs)),
  };
}

const OF_EITHER =
  'this manifest or another one of this folder has started it, and nobody can tell which';

function residentsOf(
  { records, foreign, supervisor }: ProjectState,
  { bootId }: Snapshot,
): ResidentsOfManifests {
  const of = (all: readonly ServiceRecord[]): readonly Identity[] =>
    all.flatMap((record) => [record.supervisor, ...(record.guard ? [record.guard] : [])]);
  const hadProcess = (record: ServiceRecord): boolean =>
    record.bootId === bootId && (record.leader !== null || record.state === 'starting');
  return {
    ours: [...of(records), ...(supervisor ? [supervisor.identity] : [])],
    others: of(foreign.filter(hadProcess)),
  };
}

/**
 * Tells whether a number is that of a process, a session or a group. An entry of the ledger whose number is none of
 * them says nothing about any process of this snapshot, and a ledger may have 100,000 of them.
 */
function isNumberInUse(
  pid: number,
  { byPid, bySession, byGroup }: Pick<Snapshot, 'byPid' | 'bySession' | 'byGroup'>,
): boolean {
  return byPid.has(pid) || bySession.has(pid) || byGroup.has(pid);
}

/** Gathers the facts that tell this project's cookies from all others. Ids that live elsewhere are added later. */
export function projectIdentity({
  paths,
  marks,
  id,
  manifestName,
}: ProjectFolder): ProjectIdentity {
  return {
    paths,
    marks: new Set(marks),
    id,
    variant: variantOf(manifestName),
    idsElsewhere: new Set(),
    groupNames: new Set(paths.map(groupNameOf)),
  };
}

/** A second of tolerance: file systems and the portable process table have coarse clocks. */
const CLOCK_TOLERANCE_TICKS = 100;

function toLegacyPid(entry: LegacyEntry, nowTicks: number, wallMs: number): LegacyPid {
  const ageTicks = msToTicks(wallMs - entry.writtenAtMs);
  const { pid, service, kind } = entry;
  return { pid, service, kind, writtenTicks: nowTicks - ageTicks + CLOCK_TOLERANCE_TICKS };
}

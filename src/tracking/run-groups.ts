import { basename, dirname, join } from 'node:path';
import { errnoOf, inWords } from '../errors.ts';
import type { RunGroup } from '../ownership/claim.ts';
import {
  groupMembers,
  groupPath,
  groupView,
  joinGroup,
  listGroups,
  makeGroup,
  ownGroup,
  removeEmptyGroup,
  removeGroup,
  thawGroup,
} from '../processes/linux/control-groups.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { groupNameOf } from '../project/names.ts';
import { isReplaced } from '../project/place/holders.ts';
import { namedRunIds } from '../project/place/places.ts';
import { type RegistryEntry, readRegistry } from '../project/place/registry.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { readBeside } from './beside.ts';
import type { ProjectState } from './project-state.ts';
import { runsMovedAway } from './runs-elsewhere.ts';

/** The control groups of one project's runs, for the process that spawns them. */
export interface RunGroups {
  /** Absolute path of the group that contains those of the runs. */
  readonly folder: string;
  /** How this process sees the hierarchy of groups, for the records. */
  readonly view: string;
  /** The absolute path of a run's group. */
  groupOf(runId: string): string;
  /**
   * Makes the group of a run and spawns inside it. This process moves into the group for the length of
   * one fork, so that the child is born there and can start nothing outside. Moving the child after
   * the spawn lost 7 to 12 % of the processes that fork at once (measured).
   *
   * @param spawn synchronous; called outside the group, with a `why` in the result, when the group
   *   cannot be entered
   * @throws Error instead, when the group is `required`
   */
  spawnInside<Child>(runId: string, required: boolean, spawn: () => Child): SpawnedInside<Child>;
}

/** A child that was to be born in a control group. */
export interface SpawnedInside<Child> {
  readonly child: Child;
  /** Why the child is not certain to be inside; null when it is. */
  readonly why: string | null;
}

/** Attempts to enter a group, because another devctl may remove it while it is empty. */
const MOST_TRIES = 200;

/**
 * Errors of entering a group that is gone. ENODEV: it was removed between the opening of its file and
 * the write.
 */
const REMOVED: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENODEV']);

/** Returns the name of a project's group, below the group that its supervisor was started in. */
function nameOf(folder: ProjectFolder): string {
  return groupNameOf(folder.root);
}

/**
 * Tries out whether this process can make groups and move into them.
 *
 * The groups lie below the group that this process was started in, so that whatever contains devctl (a
 * CI job, a container, a user session) contains its services, too.
 *
 * @returns why it cannot, when it cannot
 */
export function openRunGroups(
  folder: ProjectFolder,
  log: (line: string) => void,
): RunGroups | { readonly why: string } {
  const own = ownGroup();
  if ('why' in own) return own;
  const project = join(own.folder, nameOf(folder));
  const enter = (group: string, tries = MOST_TRIES): void => {
    try {
      makeGroup(project);
      makeGroup(group);
      joinGroup(group, process.pid);
    } catch (error) {
      // Another devctl has just removed the group, because it was empty: it ends, or stops, or is
      // nested in a run of ours.
      if (!REMOVED.has(errnoOf(error)) || tries <= 1) throw error;
      enter(group, tries - 1);
    }
  };
  const leave = (): void => joinGroup(own.folder, process.pid);
  // Another devctl may be trying the same, so the name has our pid.
  const trial = join(project, `trial-${process.pid}`);
  try {
    enter(trial);
    leave();
  } catch (error) {
    return {
      why: `no group can be made and entered in ${own.folder}: ${errnoOf(error) ?? inWords(error)}`,
    };
  } finally {
    removeEmptyGroup(trial);
    removeEmptyGroup(project);
  }
  const groupOf = (runId: string): string => join(project, runId);
  return {
    folder: project,
    view: groupView() ?? '',
    groupOf,
    spawnInside(runId, required, spawn) {
      let why: string | null = null;
      try {
        enter(groupOf(runId));
      } catch (error) {
        why = inWords(error);
      }
      try {
        if (why !== null && required) throw new Error(`it cannot enter its control group: ${why}`);
        const child = spawn();
        return { child, why };
      } finally {
        try {
          leave();
        } catch (error) {
          // The child is inside all the same. A devctl that ends this group finds us in it, and
          // refuses.
          log(`leaving the control group of run ${runId}: ${inWords(error)}`);
        }
      }
    },
  };
}

/**
 * Lists the folders of the groups that this project may have: where its records say, and, in case the
 * records are lost, where a supervisor that was started from here puts them.
 */
function projectGroups({ folder, records, supervisor }: ProjectState): readonly string[] {
  const own = ownGroup();
  if ('why' in own) return [];
  const names = folder.paths.map(groupNameOf);
  const recorded = [
    ...records.flatMap(({ cgroup }) => (cgroup ? dirname(cgroup.path) : [])),
    ...(supervisor?.groups ? [supervisor.groups] : []),
  ];
  const here: string[] = [];
  for (let at = own.folder; groupPath(at) !== null; at = dirname(at)) {
    here.push(...names.map((name) => join(at, name)));
  }
  // Anybody can edit a record, so only a real control group with our own name counts.
  return [...new Set([...recorded, ...here])].filter(
    (group) => names.includes(basename(group)) && groupPath(group) !== null,
  );
}

/**
 * Reads the groups of all runs that exist now, with their members.
 *
 * Groups have the name of a path. So a group that neither record nor ledger knows may be that of a project which was
 * moved away from our path, of one that is at a path of ours by now, or of another PID namespace. The registry tells;
 * where it knows nothing of our path, or that another folder was there, only a mark of ours in the group shows that the run is ours.
 */
export function readRunGroups(state: ProjectState): readonly RunGroup[] {
  return listRunGroups(state).map((group) => ({
    ...group,
    pids: new Set(groupMembers(group.folder)),
  }));
}

function listRunGroups(state: ProjectState): readonly Omit<RunGroup, 'pids'>[] {
  const { folder: ours } = state;
  const services = new Map<string, string>();
  for (const { runId, service } of [
    ...(state.beside?.ours ?? []),
    ...state.ledger,
    ...state.records,
  ])
    if (runId !== null && service !== null) services.set(runId, service);
  const registry = once(readRegistry);
  const movedAway = once(() => runsMovedAway(ours.root, registry()));
  const foreign = new Set(state.foreign.map(({ runId }) => runId));
  // Read anew, because another manifest may have begun a run since the records were read.
  const ofOthers = once(() => new Set(readBeside(ours).others.map(({ runId }) => runId)));
  const isOfOther = (project: string, runId: string): boolean => {
    if (services.has(runId)) return false;
    if (foreign.has(runId) || ofOthers().has(runId)) return true;
    if (basename(project) !== nameOf(ours) || movedAway().has(runId)) return true;
    return ours.standing.elsewhere.some((pidsDir) => namedRunIds(pidsDir).includes(runId));
  };
  const isPathOurs = once(() => {
    const entries = registry().filter(({ path }) => path === ours.root);
    // Groups have no name of a manifest, so the other manifests of the folder share the name.
    const isOther = (entry: RegistryEntry): boolean =>
      isReplaced(entry) || entry.pidsDir !== ours.pidsDir;
    return entries.length > 0 && !entries.some(isOther);
  });
  const isByNameOnly = (runId: string): boolean => !services.has(runId) && !isPathOurs();
  return projectGroups(state).flatMap((project) =>
    listGroups(project).flatMap((runId): Omit<RunGroup, 'pids'>[] => {
      // A trial group of `openRunGroups` belongs to no run.
      if (!RUN_ID.test(runId) || isOfOther(project, runId)) return [];
      const folder = join(project, runId);
      const path = groupPath(folder);
      if (path === null) return [];
      const service = services.get(runId) ?? null;
      return [{ folder, path, runId, service, byNameOnly: isByNameOnly(runId) }];
    }),
  );
}

/** Puts off a reading until its result is needed, and keeps the result. */
function once<Result>(read: () => Result): () => Result {
  let kept: { readonly result: Result } | null = null;
  return () => {
    kept ??= { result: read() };
    return kept.result;
  };
}

/** The form of the run ids that `newRecord` makes. */
const RUN_ID = /^[0-9a-f]{32}$/;

/** Thaws the groups that a devctl left frozen, because it was killed while it killed. */
export function thawRunGroups(state: ProjectState): void {
  for (const { folder } of listRunGroups(state)) thawGroup(folder);
}

/**
 * Removes the project's groups that are empty. A devctl that runs inside a run of another project also
 * removes that run's group, and the group around it, when only ours kept them.
 */
export function removeRunGroups(state: ProjectState): void {
  for (const project of projectGroups(state)) {
    if (!removeGroup(project)) continue;
    const run = dirname(project);
    const outer = dirname(run);
    if (PROJECT_GROUP.test(basename(outer)) && removeEmptyGroup(run)) removeEmptyGroup(outer);
  }
}

/** The form of the names that `nameOf` makes. */
const PROJECT_GROUP = /^devctl-[0-9a-f]+$/;

/**
 * True when the control group of this run has held everything that the run ever started, and is empty.
 * This proves the end of the run. The group is removed.
 *
 * @param paths the paths of the project folder, of which the group has its name
 * @returns false also when the group cannot be seen from here, because missing is not the same as empty
 *   there
 */
export function isProvedByGroup(
  { cgroup, runId }: ServiceRecord,
  { paths }: Pick<ProjectFolder, 'paths'>,
): boolean {
  if (!cgroup?.held || groupPath(cgroup.path) === null) return false;
  if (cgroup.view !== groupView()) return false;
  // Anybody can edit a record, so an empty group of another name proves nothing, and stays.
  const isOurs = paths.some((path) => cgroup.path.endsWith(`/${groupNameOf(path)}/${runId}`));
  return isOurs && removeGroup(cgroup.path);
}

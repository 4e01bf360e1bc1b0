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
import { type ProjectFolder, projectHash } from '../project/folder.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import type { ProjectState } from './project-state.ts';

/** The control groups of one project's runs, for the supervisor that spawns them. */
export interface RunGroups {
  /** Absolute path of the group that holds those of the runs. */
  readonly folder: string;
  /** How this process sees them, for the records. */
  readonly view: string;
  groupOf(runId: string): string;
  /**
   * Makes the group of a run and spawns inside it: this process visits the group for the length of
   * one fork, so that what is spawned is born there and can start nothing outside. Moving it after
   * the spawn lost 7 to 12 % of what forks at once (measured).
   *
   * @param spawn synchronous; called outside, and `why` told, where the group cannot be entered
   * @throws Error instead, when it is `required`
   */
  spawnInside<Child>(runId: string, required: boolean, spawn: () => Child): SpawnedInside<Child>;
}

export interface SpawnedInside<Child> {
  readonly child: Child;
  /** Why it is not certain to be inside; null when it is. */
  readonly why: string | null;
}

/** So often something empty may be removed before it is entered. */
const MOST_TRIES = 200;

/** What entering a group that is gone says: ENODEV when it went between the opening of its file and the write. */
const REMOVED: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENODEV']);

/** The name of a project's group, below the group that its supervisor was started in. */
function nameOf(folder: ProjectFolder): string {
  return `devctl-${projectHash(folder.root)}`;
}

/**
 * Finds out by doing it whether this process can make groups and move into them.
 *
 * They lie below the group that it was started in, so that what holds devctl (a CI job, a container, a
 * user session) holds its services too.
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
      // Another devctl has just removed what it saw empty: one that ends, or stops, or is nested in a run of ours.
      if (!REMOVED.has(errnoOf(error)) || tries <= 1) throw error;
      enter(group, tries - 1);
    }
  };
  const leave = (): void => joinGroup(own.folder, process.pid);
  // Others may be finding out the same.
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
          // What was spawned is inside all the same; whoever ends that group finds us in it, and refuses.
          log(`leaving the control group of run ${runId}: ${inWords(error)}`);
        }
      }
    },
  };
}

/**
 * The folders of the groups that this project may have: where its records say, and where a supervisor
 * that was started from here has them, should the records be lost.
 */
function projectGroups({ folder, records, supervisor }: ProjectState): readonly string[] {
  const own = ownGroup();
  if ('why' in own) return [];
  const name = nameOf(folder);
  const recorded = [
    ...records.flatMap(({ cgroup }) => (cgroup ? dirname(cgroup.path) : [])),
    ...(supervisor?.groups ? [supervisor.groups] : []),
  ];
  const here: string[] = [];
  for (let at = own.folder; groupPath(at) !== null; at = dirname(at)) here.push(join(at, name));
  // A record is a file that can be edited: only what is a group with our own name counts.
  return [...new Set([...recorded, ...here])].filter(
    (group) => basename(group) === name && groupPath(group) !== null,
  );
}

/** The groups of all runs that there are now, with what is in them. */
export function readRunGroups(state: ProjectState): readonly RunGroup[] {
  const services = new Map<string, string>();
  for (const { runId, service } of [...state.ledger, ...state.records])
    services.set(runId, service);
  return projectGroups(state).flatMap((project) =>
    listGroups(project).flatMap((runId): RunGroup[] => {
      // A devctl that only tries whether it can enter one is nobody's.
      if (!RUN_ID.test(runId)) return [];
      const folder = join(project, runId);
      const path = groupPath(folder);
      if (path === null) return [];
      const pids = new Set(groupMembers(folder));
      return [{ folder, path, runId, service: services.get(runId) ?? null, pids }];
    }),
  );
}

/** As `intentOf` makes them. */
const RUN_ID = /^[0-9a-f]{32}$/;

/** Lets everything run again that a devctl, killed while it was killing, has left frozen. */
export function thawRunGroups(state: ProjectState): void {
  for (const { folder } of readRunGroups(state)) thawGroup(folder);
}

/** Removes the groups that are empty, and those of a project around this one that only they have kept. */
export function removeRunGroups(state: ProjectState): void {
  for (const project of projectGroups(state)) {
    if (!removeGroup(project)) continue;
    const run = dirname(project);
    const outer = dirname(run);
    if (PROJECT_GROUP.test(basename(outer)) && removeEmptyGroup(run)) removeEmptyGroup(outer);
  }
}

/** As `nameOf` makes them. */
const PROJECT_GROUP = /^devctl-[0-9a-f]+$/;

/**
 * Did the control group of this run hold everything that it ever started, and is it empty?
 *
 * @returns false also where the group cannot be seen from here: missing is not the same as empty there
 */
export function isProvedByGroup({ cgroup, runId, project }: ServiceRecord): boolean {
  if (!cgroup?.held || groupPath(cgroup.path) === null) return false;
  if (cgroup.view !== groupView()) return false;
  // A record is a file that can be edited: an empty group of somebody else's proves nothing, and stays.
  const name = join(`devctl-${projectHash(project)}`, runId);
  return cgroup.path.endsWith(`/${name}`) && removeGroup(cgroup.path);
}

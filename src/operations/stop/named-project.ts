import { existsSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { DevctlError } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Host } from '../../processes/host.ts';
import { currentFolder, removedCurrentFolder } from '../../processes/working-folder.ts';
import { type ProjectFolder, projectFolder } from '../../project/folder.ts';
import { isInside } from '../../project/inside.ts';
import { findManifestName, markOfPath } from '../../project/names.ts';
import { type OpenProject, openProject } from '../../project/open-project.ts';
import { forgetProject, readRegistry, stateFolder } from '../../project/place/registry.ts';
import { findRegistered } from '../../project/place/standing.ts';
import { folderIdOf, variantIn } from '../../project/project-id.ts';
import { findRunningProjects, type RunningProject } from '../../tracking/running-projects.ts';

/** The project that a stop is to end, wherever this process is. */
export interface NamedProject {
  readonly project: OpenProject;
  /** False where another project has its path by now: that one's tools must not be swept. */
  readonly maySweep: boolean;
  /** Forgets the project, after the proof that nothing of it is left. */
  forget(): void;
}

/**
 * Finds the project that `stop --project` names: by the path of its folder, which may be gone, or by its id or mark.
 *
 * @throws DevctlError 'usage', 'manifest-not-found' where nothing is known of it, 'folder-gone'
 */
export async function openNamedProject(host: Host, named: string): Promise<NamedProject> {
  if (named === '') {
    throw new DevctlError('usage', '--project is empty', {
      hint: `name the folder of a project, or its id: ${DEVCTL} status --all shows both`,
    });
  }
  const running = findRunningProjects(await host.snapshot(), await host.self());
  const path = isAbsolute(named) ? named : null;
  if (path === null && !named.includes('/')) {
    const found = findById(running, named);
    if (found) return openRunning(found);
  }
  return openByPath(path ?? join(currentFolder(), named), named, running);
}

/**
 * Opens the project of the folder in which this process stands although it was removed.
 *
 * @returns null where it was not removed
 * @throws DevctlError 'folder-gone' where another folder is at its path by now
 */
export async function openRemovedCurrentFolder(host: Host): Promise<NamedProject | null> {
  const path = removedCurrentFolder();
  if (path === null) return null;
  // Says which folder it was, and that another one is at its path.
  if (existsSync(path)) currentFolder();
  const running = findRunningProjects(await host.snapshot(), await host.self());
  return removedProject(path, goneAt(path, running));
}

/** Finds a project by its id, by the id of its folder, or by its mark: `devctl status --all` prints them. */
function findById(running: readonly RunningProject[], named: string): RunningProject | null {
  const [first, ...others] = running.filter(
    ({ id, marks }) => id === named || (id === null && marks.includes(named)),
  );
  if (first && others.length === 0) return first;
  const entry = readRegistry().find(({ id }) => id === named);
  if (!entry) return null;
  const { id, path, pidsDir } = entry;
  const nothing = { processes: [], sinceTicks: 0, supervisor: null, attended: false };
  // Another project may have the path by now.
  const gone = !existsSync(path) || findRegistered(id) === null;
  return { id, marks: [], path, gone, pidsDir, ...nothing };
}

function openRunning(found: RunningProject): NamedProject {
  const { id, path, gone, pidsDir } = found;
  if (path === null || gone) {
    const nowhere = join(stateFolder('removed') ?? tmpdir(), found.marks[0] ?? 'unknown', 'gone');
    return removedProject(path ?? nowhere, [found]);
  }
  const variant = variantIn(id ?? '');
  const manifest = findManifestName(path, variant);
  if (variant === '' || manifest !== null) {
    const config = manifest === null ? path : join(path, manifest);
    return standing(withProcesses(openProject({ config }), found));
  }
  const folder = { ...projectFolder(path, pidsDir ?? undefined), id };
  return standing({ folder, outline: noManifestIn(path), shownBy: 'name' });
}

/** The folder may have lost its records. Then the marks of the processes that were found say whose they are. */
function withProcesses(project: OpenProject, { id, marks }: RunningProject): OpenProject {
  const { folder } = project;
  if (folder.id !== null) return project;
  const all = [...new Set([...folder.marks, ...marks])];
  return { ...project, folder: { ...folder, id, marks: all } };
}

function standing(project: OpenProject): NamedProject {
  return { project, maySweep: true, forget: () => {} };
}

function openByPath(path: string, named: string, running: readonly RunningProject[]): NamedProject {
  const seen = statSync(path, { throwIfNoEntry: false });
  if (seen?.isDirectory()) return standing(openProject({ config: path }));
  if (seen) {
    throw new DevctlError('usage', `--project ${named}: not a folder`, {
      hint: `it names the folder of a project, or an id; a manifest is named with --config ${named}`,
    });
  }
  const real = realPathOfGone(path);
  const gone = goneAt(real, running);
  const isRegistered = readRegistry().some((entry) => entry.path === real);
  if (gone.length > 0 || isRegistered) return removedProject(real, gone);
  const moved = running.find(({ marks }) => marks.includes(markOfPath(real)));
  if (moved?.path) {
    throw new DevctlError(
      'manifest-not-found',
      `--project ${named}: it was moved to ${moved.path}`,
      {
        hint: `${DEVCTL} stop --project ${moved.path}`,
      },
    );
  }
  const what = 'there is no such folder, and no process or record of a project that was there';
  throw new DevctlError('manifest-not-found', `--project ${named}: ${what}`, {
    hint: `${DEVCTL} status --all shows every project of which something runs`,
  });
}

/** Resolves the links of the folders above a folder that is gone. */
function realPathOfGone(path: string): string {
  const above = dirname(path);
  if (above === path) return path;
  try {
    return join(realpathSync.native(above), basename(path));
  } catch {
    return join(realPathOfGone(above), basename(path));
  }
}

function goneAt(path: string, running: readonly RunningProject[]): readonly RunningProject[] {
  const mark = markOfPath(path);
  return running.filter((one) =>
    one.path === null ? one.marks.includes(mark) : one.gone && one.path === path,
  );
}

/**
 * Describes a project whose folder is gone. It is found by the marks of its processes, among them those of the paths
 * that it had before. Its own records have gone with the folder, so a stop of it keeps its records in the state folder.
 */
function removedProject(path: string, running: readonly RunningProject[]): NamedProject {
  const registered = readRegistry().filter((entry) => entry.path === path);
  const ids = new Set([
    ...running.flatMap(({ id }) => id ?? []),
    ...(running.length === 0 ? registered.map(({ id }) => id) : []),
  ]);
  const [id = null, ...others] = ids;
  const isReplaced = existsSync(path);
  const outside = registered.find(({ pidsDir }) => !isInside(path, pidsDir) && existsSync(pidsDir));
  const pidsDir = isReplaced ? undefined : outside?.pidsDir;
  const base = projectFolder(path, pidsDir ?? removedRecords(path, isReplaced));
  const folder: ProjectFolder = {
    ...base,
    isReplaced,
    // Of several ids at one path none is preferred: the mark finds them all.
    id: others.length > 0 ? null : (id ?? base.id),
    marks: [...new Set([...base.marks, ...running.flatMap(({ marks }) => marks)])],
  };
  return {
    project: { folder, outline: noManifestIn(path), shownBy: 'name' },
    maySweep: !isReplaced,
    forget() {
      // Where the path is there again, a registered project may be the one that has the path now.
      const goneToo = isReplaced ? [] : registered.map((entry) => entry.id);
      for (const one of [...ids, ...goneToo]) forgetProject(folderIdOf(one));
    },
  };
}

/**
 * The records folder of a stop of a removed project.
 *
 * @throws DevctlError 'usage' where the only folder for them would be that of the new project at the path
 */
function removedRecords(path: string, isReplaced: boolean): string {
  const removed = stateFolder('removed');
  if (removed !== null) return join(removed, markOfPath(path));
  if (!isReplaced) return '.pids';
  throw new DevctlError(
    'usage',
    `another project is at ${path} by now, and there is no state folder`,
    {
      hint: `name a folder for the records of this stop: XDG_STATE_HOME=/a/folder/of/yours ${DEVCTL} stop --project …`,
    },
  );
}

function noManifestIn(root: string) {
  return { kind: 'absent', root, passedOver: [] } as const;
}

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ManifestQuery } from '../manifest/locate.ts';
import { type ManifestOutline, readManifestOutline } from '../manifest/outline.ts';
import type { SweepSettings } from '../manifest/resolved.ts';
import type { SweepRules } from '../ownership/sweep.ts';
import { type ProjectFolder, projectFolder } from './folder.ts';
import { isInside } from './inside.ts';
import { inspectFolder } from './safe-folder.ts';

/** A project as far as it can be known without a valid manifest. */
export interface OpenProject {
  readonly folder: ProjectFolder;
  readonly outline: ManifestOutline;
}

/**
 * Finds the project of a folder: by its manifest, broken or not; else by the nearest records folder;
 * else it is the folder itself, so that an emergency stop works after both were deleted.
 */
export function openProject(query: ManifestQuery): OpenProject {
  const outline = readManifestOutline(query);
  if (outline.kind !== 'absent') {
    return { folder: projectFolder(outline.root, outline.pidsDir), outline };
  }
  const root = outline.root ?? nearestRecords(query.cwd) ?? query.cwd;
  return { folder: projectFolder(root), outline };
}

/** Null while somebody edits the manifest, or the folder is gone: then it stays as it was. */
export function reopened(query: ManifestQuery): OpenProject | null {
  try {
    return openProject(query);
  } catch {
    return null;
  }
}

/** The files of which at least one is in every records folder, old or new. */
const RECORD_FILES = ['services', 'supervisor.json', 'services.pids'];

function nearestRecords(cwd: string): string | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const records = join(folder, '.pids');
    // Another user's would make his folder, and all that works in it, our project.
    const isOurs = inspectFolder(records).kind === 'own';
    if (isOurs && RECORD_FILES.some((name) => existsSync(join(records, name)))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

/** What the manifest says of a service, whether there is a record of it or not. */
export interface DeclaredService {
  readonly name: string;
  readonly ports: readonly number[];
  /** Absolute path. */
  readonly log: string;
}

export function declaredServices({ outline }: OpenProject): readonly DeclaredService[] {
  if (outline.kind === 'absent') return [];
  const { services, logsDir } = outline;
  return services.map(({ name, ports }) => ({ name, ports, log: join(logsDir, `${name}.log`) }));
}

const DEFAULT_SWEEP: SweepSettings = { patterns: [], scope: 'project', protect: [] };

/**
 * What the sweep of a full stop may do here. Without a manifest nobody has said that this folder is a
 * project: then it takes --force, and a folder that holds more than one project by its nature is
 * never swept.
 */
export function sweepSettingsOf({ folder, outline }: OpenProject, force: boolean): SweepSettings {
  if (outline.kind !== 'absent') {
    const { sweep, trusted } = outline;
    // "user" is this user: another one's manifest may say what is swept in his folder, not everywhere.
    return !trusted && sweep.scope === 'user' ? { ...sweep, scope: 'project' } : sweep;
  }
  const home = homedir();
  const holdsHome = home === folder.root || home.startsWith(`${folder.root.replace(/\/$/, '')}/`);
  return { ...DEFAULT_SWEEP, scope: force && !holdsHome ? 'project' : 'off' };
}

/**
 * What `devctl sweep` may do here. It is asked for by name, so `"scope": "off"`, which is about the sweep
 * of `stop`, does not turn it off; what would make it dangerous does.
 */
export function sweepCommandRules(
  project: OpenProject,
):
  | { readonly kind: 'allowed'; readonly rules: SweepRules }
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string } {
  const { folder, outline } = project;
  const settings = sweepSettingsOf(project, true);
  const isOff = settings.scope === 'off';
  if (isOff && outline.kind === 'absent') {
    const why = `${folder.root} is, or holds, the home folder, and has no manifest`;
    return { kind: 'refused', why, hint: 'go to the folder of the project' };
  }
  if (isOff && outline.kind === 'broken') {
    const why = `what the manifest protects cannot be read: ${outline.why}`;
    return { kind: 'refused', why, hint: 'devctl check names each mistake' };
  }
  return {
    kind: 'allowed',
    rules: compile(settings, settings.scope === 'user' ? 'user' : 'project'),
  };
}

export function toSweepRules(settings: SweepSettings): SweepRules | null {
  return settings.scope === 'off' ? null : compile(settings, settings.scope);
}

function compile({ patterns, protect }: SweepSettings, scope: SweepRules['scope']): SweepRules {
  const all = (sources: readonly string[]): RegExp[] => sources.map((one) => new RegExp(one));
  return { patterns: all(patterns), protect: all(protect), scope };
}

/**
 * Is a folder in a project below this one, such as a worktree or an example with a manifest of its own?
 *
 * @param root real path of the project folder
 * @param path real path of any folder
 * @returns the folder of that project, null where there is none
 */
export function projectBelow(root: string, path: string): string | null {
  let folder = path;
  while (folder !== root && isInside(root, folder)) {
    if (existsSync(join(folder, '.devctl.json'))) return folder;
    folder = dirname(folder);
  }
  return null;
}

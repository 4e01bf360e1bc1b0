import { hash } from 'node:crypto';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** The name of the manifest whose project has the plain id. */
export const USUAL_MANIFEST = '.devctl.json';

/** The file in the records folder that names the containers of the project and their engine. */
export const CONTAINERS_RECORD = 'containers.json';

/** Tells whether a records folder names containers: see `hadContainers`. */
export function hasContainersRecord(pidsDir: string): boolean {
  return existsSync(join(pidsDir, CONTAINERS_RECORD));
}

/** The part of an id that tells the projects of one folder apart; empty for the usual manifest. */
export function variantOf(manifestName: string): string {
  return manifestName === USUAL_MANIFEST ? '' : `-${hash('sha256', manifestName).slice(0, 8)}`;
}

/** Finds the manifest in a folder whose project has this variant of the folder's id; null: it is gone. */
export function findManifestName(root: string, variant: string): string | null {
  try {
    return readdirSync(root).find((name) => isManifestOf(name, variant)) ?? null;
  } catch {
    return null;
  }
}

function isManifestOf(name: string, variant: string): boolean {
  return variant === '' ? name === USUAL_MANIFEST : variantOf(name) === variant;
}

/**
 * Builds the project id, `<name for people>-<16 hex digits of the SHA-256 of the real path>`. Two
 * checkouts with the same name are two projects; one checkout seen through a symbolic link is the same
 * project.
 */
export function markOfPath(root: string): string {
  return markOfRealPath(realPath(root));
}

/** As `markOfPath`, for a path without links, which may be gone. */
export function markOfRealPath(real: string): string {
  const slug = basename(real)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 24)
    .replaceAll(/^-+|-+$/g, '');
  return `${slug || 'project'}-${projectHash(real)}`;
}

/** Returns the unique part of the mark of a path: 16 hex digits. */
export function projectHash(realRoot: string): string {
  return hash('sha256', realRoot).slice(0, 16);
}

/** Returns the file name of the socket of a supervisor that was started in this folder. */
export function socketName(realRoot: string): string {
  return `${projectHash(realRoot)}.sock`;
}

/** Returns the file name of its socket where another supervisor listens at the one of the folder. */
export function socketNameOfId(id: string): string {
  return `${projectHash(`id ${id}`)}.sock`;
}

/** Returns the name of the control group of a project that was started in this folder. */
export function groupNameOf(realRoot: string): string {
  return `devctl-${projectHash(realRoot)}`;
}

/**
 * Resolves symbolic links. A folder that is gone keeps its plain path, because processes that were
 * started in it may still run.
 */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

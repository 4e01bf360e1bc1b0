import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DevctlError } from '../errors.ts';

const MANIFEST_NAME = '.devctl.json';
const LOCAL_MANIFEST_NAME = '.devctl.local.json';

/** Which manifest is meant. */
export interface ManifestQuery {
  /** Where the search begins: it walks up to the root of the file system. */
  readonly cwd: string;
  /** `--config FILE`, relative to `cwd`; no search then. */
  readonly config?: string | undefined;
}

export interface ManifestPlace {
  /** Absolute path of the manifest, in `root`. */
  readonly file: string;
  /** Real path of the folder of the manifest: the project's identity. */
  readonly root: string;
  /** Absolute path of `.devctl.local.json` beside it, null when there is none. */
  readonly local: string | null;
}

export type Located =
  | ({ readonly kind: 'found' } & ManifestPlace)
  /** `root`: the real path of the folder that `--config` names, null where there is none. */
  | { readonly kind: 'absent'; readonly looked: string; readonly root: string | null };

/** Finds the manifest. A broken link or an unreadable file counts as found: reading it says why. */
export function findManifest({ cwd, config }: ManifestQuery): Located {
  const start = realPath(cwd) ?? resolve(cwd);
  if (config !== undefined) {
    const named = resolve(start, config);
    const root = realPath(dirname(named));
    return root !== null && isThere(named)
      ? found(root, basename(named))
      : { kind: 'absent', looked: named, root };
  }
  for (let folder = start; ; folder = dirname(folder)) {
    if (isThere(join(folder, MANIFEST_NAME))) return found(folder, MANIFEST_NAME);
    if (folder === dirname(folder)) return { kind: 'absent', looked: start, root: null };
  }
}

/** As {@link findManifest}, for commands that cannot go on without a manifest. */
export function locateManifest(query: ManifestQuery): ManifestPlace {
  const place = findManifest(query);
  if (place.kind === 'found') return place;
  if (query.config !== undefined)
    throw new DevctlError('manifest-not-found', `${query.config}: no such file (${place.looked})`, {
      hint: 'check the path given with --config; it is relative to the current folder',
    });
  throw new DevctlError(
    'manifest-not-found',
    `no ${MANIFEST_NAME} in ${place.looked} or in any folder above it`,
    { hint: `go to a folder of the project, name a manifest with --config FILE, or write one` },
  );
}

function found(root: string, name: string): Located {
  const local = join(root, LOCAL_MANIFEST_NAME);
  const merged = name !== LOCAL_MANIFEST_NAME && isThere(local);
  return { kind: 'found', file: join(root, name), root, local: merged ? local : null };
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // A folder that may not be searched, or a file on the way.
  }
}

/** Null where the path leads nowhere. */
export function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

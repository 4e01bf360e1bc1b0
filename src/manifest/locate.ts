import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DevctlError } from '../errors.ts';
import { isTrustedUser } from '../processes/trusted-user.ts';

const MANIFEST_NAME = '.devctl.json';
const LOCAL_MANIFEST_NAME = '.devctl.local.json';

/** Where to look for the manifest. */
export interface ManifestQuery {
  /** The folder where the search begins. The search goes up to the root of the file system. */
  readonly cwd: string;
  /** The path from `--config`, relative to `cwd`. With it there is no search. */
  readonly config?: string | undefined;
}

export interface ManifestPlace {
  /** Absolute path of the manifest, in `root`. */
  readonly file: string;
  /** Real path of the folder of the manifest: the project's identity. */
  readonly root: string;
  /** Absolute path of `.devctl.local.json` beside it; null when there is none. */
  readonly local: string | null;
  /**
   * True when the manifest belongs to this user or to root, so that its content is the wish of this user.
   */
  readonly trusted: boolean;
}

export type Located =
  | ({ readonly kind: 'found' } & ManifestPlace)
  /** `root`: the real path of the folder that `--config` names; null when there is none. */
  | {
      readonly kind: 'absent';
      readonly looked: string;
      readonly root: string | null;
      /** Manifests that the search skipped because they belong to other users. */
      readonly passedOver: readonly string[];
    };

/**
 * Finds the manifest. A broken link or an unreadable file counts as found, because reading it gives the
 * reason.
 *
 * A manifest runs commands. In a folder that others may write to, such as /tmp, any user could leave a
 * manifest for the users who work below it. So the search skips the manifests of another user, unless it
 * began in a folder of that user.
 */
export function findManifest({ cwd, config }: ManifestQuery): Located {
  const start = realPath(cwd) ?? resolve(cwd);
  if (config !== undefined) {
    const named = resolve(start, config);
    const root = realPath(dirname(named));
    const owner = ownerOf(named);
    return root !== null && owner !== null
      ? found(root, basename(named), owner)
      : { kind: 'absent', looked: named, root, passedOver: [] };
  }
  const startOwner = statSync(start, { throwIfNoEntry: false })?.uid;
  const passedOver: string[] = [];
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, MANIFEST_NAME);
    const owner = ownerOf(file);
    if (owner !== null) {
      if (isTrustedUser(owner) || owner === startOwner) return found(folder, MANIFEST_NAME, owner);
      passedOver.push(`${file} belongs to user ${owner}`);
    }
    if (folder === dirname(folder))
      return { kind: 'absent', looked: start, root: null, passedOver };
  }
}

/**
 * Does the same as {@link findManifest}, but throws when there is no manifest.
 *
 * @throws DevctlError `manifest-not-found`
 */
export function locateManifest(query: ManifestQuery): ManifestPlace {
  const place = findManifest(query);
  if (place.kind === 'found') return place;
  if (query.config !== undefined)
    throw new DevctlError('manifest-not-found', `${query.config}: no such file (${place.looked})`, {
      hint: 'check the path given with --config; it is relative to the current folder',
    });
  const others =
    place.passedOver.length > 0 ? ` (passed over: ${place.passedOver.join(', ')})` : '';
  throw new DevctlError(
    'manifest-not-found',
    `no ${MANIFEST_NAME} in ${place.looked} or in any folder above it${others}`,
    { hint: `go to a folder of the project, name a manifest with --config FILE, or write one` },
  );
}

function found(root: string, name: string, owner: number): Located {
  const local = join(root, LOCAL_MANIFEST_NAME);
  const localOwner = name === LOCAL_MANIFEST_NAME ? null : ownerOf(local);
  const merged = localOwner !== null && (isTrustedUser(localOwner) || localOwner === owner);
  const trusted = isTrustedUser(owner) && (!merged || isTrustedUser(localOwner));
  return { kind: 'found', file: join(root, name), root, local: merged ? local : null, trusted };
}

/**
 * Finds the user who decides on the content of a file; null when there is no file. For a link it is the
 * owner of the link, unless the target belongs to an untrusted user.
 */
function ownerOf(path: string): number | null {
  const link = tryStat(() => lstatSync(path, { throwIfNoEntry: false }));
  if (!link) return null;
  const target = link.isSymbolicLink()
    ? tryStat(() => statSync(path, { throwIfNoEntry: false }))
    : link;
  return target && !isTrustedUser(target.uid) ? target.uid : link.uid;
}

function tryStat(stat: () => Stats | undefined): Stats | undefined {
  try {
    return stat();
  } catch {
    return undefined; // A folder without search permission, or a file in the place of a folder.
  }
}

/** Resolves all links of a path; null when the path leads nowhere. */
export function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

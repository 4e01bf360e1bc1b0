import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DevctlError } from '../errors.ts';
import { isTrustedUser } from '../processes/trusted-user.ts';

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
  /** Does it belong to this user or to root, so that what it says is his own wish? */
  readonly trusted: boolean;
}

export type Located =
  | ({ readonly kind: 'found' } & ManifestPlace)
  /** `root`: the real path of the folder that `--config` names, null where there is none. */
  | {
      readonly kind: 'absent';
      readonly looked: string;
      readonly root: string | null;
      /** Manifests of other users that the search has left alone. */
      readonly passedOver: readonly string[];
    };

/**
 * Finds the manifest. A broken link or an unreadable file counts as found: reading it says why.
 *
 * A manifest runs commands. In a folder that others may write to, such as /tmp, anybody could leave one
 * for whoever works below; so the search takes none of another user, unless the search began in a folder
 * of that user.
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

/** As {@link findManifest}, for commands that cannot go on without a manifest. */
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

/** The user whose word it is: of a link, the one who made the link, unless its target is another's. */
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
    return undefined; // A folder that may not be searched, or a file on the way.
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

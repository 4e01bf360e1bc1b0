import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import { isTrustedUser } from '../processes/trusted-user.ts';
import { currentFolder } from '../processes/working-folder.ts';

const MANIFEST_NAME = '.devctl.json';
/** A manifest that can be typed after a message. */
export const SMALLEST_MANIFEST = '{"services": {"web": {"command": "npm run dev"}}}';

const LOCAL_MANIFEST_NAME = '.devctl.local.json';

/** Where to look for the manifest. */
export interface ManifestQuery {
  /** The folder where the search begins. The search goes up to the root of the file system. Default: the current one. */
  readonly cwd?: string | undefined;
  /** The path from `--config`, relative to `cwd`: a manifest, or the folder of one. With it there is no search. */
  readonly config?: string | undefined;
  /** Absolute path of a manifest that was found before, in place of `config`. It counts as it is now. */
  readonly file?: string | undefined;
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

/** A folder without manifest. */
export interface NoManifest {
  readonly kind: 'absent';
  /** Real path of the folder that `--config` names, or of the folder where the search began. */
  readonly root: string;
  /** Manifests that the search skipped because they belong to other users. */
  readonly passedOver: readonly string[];
}

export type Located = ({ readonly kind: 'found' } & ManifestPlace) | NoManifest;

/**
 * Finds the manifest. A search takes a broken link or an unreadable file for a manifest, because reading it gives the
 * reason.
 *
 * A manifest runs commands. In a folder that others may write to, such as /tmp, any user could leave a
 * manifest for the users who work below it. So the search skips the manifests of another user, unless it
 * began in a folder of that user.
 *
 * @throws DevctlError 'usage' for an empty `config`; 'manifest-not-found' where `config` leads to no file and no folder;
 *   'folder-gone'
 */
export function findManifest({ cwd, config, file }: ManifestQuery): Located {
  if (file !== undefined) return manifestAt(dirname(file), basename(file));
  return config === undefined ? search(startFolder(cwd)) : findNamed(config, cwd);
}

/**
 * Resolves the folder where a search begins.
 *
 * @throws DevctlError 'folder-gone': from a path that leads nowhere, a search would find the project of another folder
 */
export function startFolder(cwd: string | undefined): string {
  if (cwd === undefined) return currentFolder();
  const path = isAbsolute(cwd) ? cwd : join(currentFolder(), cwd);
  const real = realPath(path);
  if (real !== null) return real;
  // A folder above it may be closed to this user.
  if (tryStat(() => statSync(path))) return path;
  throw new DevctlError('folder-gone', `there is no folder ${path}`, {
    hint: `${DEVCTL} stop --project ${path} ends what still runs of a removed one`,
  });
}

function search(start: string): Located {
  const startOwner = statSync(start, { throwIfNoEntry: false })?.uid;
  const passedOver: string[] = [];
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, MANIFEST_NAME);
    const owner = ownerOf(file);
    if (owner !== null) {
      if (isTrustedUser(owner) || owner === startOwner) return found(folder, MANIFEST_NAME, owner);
      passedOver.push(`${file} belongs to user ${owner}`);
    }
    if (folder === dirname(folder)) return { kind: 'absent', root: start, passedOver };
  }
}

/** Finds the manifest that the user means. A path that leads nowhere means no other project. */
function findNamed(config: string, cwd: string | undefined): Located {
  if (config === '') {
    throw new DevctlError('usage', '--config is empty', {
      hint: 'name a manifest or its folder; an unset variable names nothing',
    });
  }
  // Not resolve(), because `link/..` is the folder above the target of the link, as for every other program.
  const named = isAbsolute(config) ? config : `${startFolder(cwd)}/${config}`;
  const seen = lookAt(named);
  if (seen.kind === 'nothing') throw nothingThere(config, named, seen.why);
  const root = realPath(seen.kind === 'folder' ? named : dirname(named));
  if (root === null) throw nothingThere(config, named, 'its folder cannot be looked at');
  return manifestAt(root, seen.kind === 'folder' ? MANIFEST_NAME : basename(named));
}

function manifestAt(root: string, name: string): Located {
  const owner = ownerOf(join(root, name));
  return owner === null ? { kind: 'absent', root, passedOver: [] } : found(root, name, owner);
}

type Seen =
  | { readonly kind: 'file' | 'folder' }
  | { readonly kind: 'nothing'; readonly why: string };

function lookAt(path: string): Seen {
  try {
    const target = statSync(path);
    if (target.isDirectory()) return { kind: 'folder' };
    return target.isFile()
      ? { kind: 'file' }
      : { kind: 'nothing', why: 'neither a file nor a folder' };
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    const isLink = tryStat(() => lstatSync(path))?.isSymbolicLink() ?? false;
    if (isLink) return { kind: 'nothing', why: 'a link that leads nowhere' };
    const why = ['ENOENT', 'ENOTDIR'].includes(errno) ? 'no such file' : `cannot be read: ${errno}`;
    return { kind: 'nothing', why };
  }
}

function nothingThere(config: string, named: string, why: string): DevctlError {
  const above = dirname(named);
  const isUsual = basename(named) === MANIFEST_NAME && lookAt(above).kind === 'folder';
  return new DevctlError('manifest-not-found', `${config}: ${why} (${named})`, {
    hint: isUsual
      ? `what still runs of a project that has lost its manifest is found by its folder: --config ${above}`
      : 'name a manifest or its folder with --config; the path is relative to the current folder',
  });
}

/**
 * Does the same as {@link findManifest}, but throws when there is no manifest.
 *
 * @throws DevctlError as `findManifest`
 */
export function locateManifest(query: ManifestQuery): ManifestPlace {
  const place = findManifest(query);
  if (place.kind === 'found') return place;
  throw noManifest(place, query.config ?? query.file);
}

/** The failure of a command that needs a manifest. */
export function noManifest(
  { root, passedOver }: NoManifest,
  config: string | undefined,
): DevctlError {
  if (config !== undefined) {
    return new DevctlError('manifest-not-found', `${config}: no ${MANIFEST_NAME} in ${root}`, {
      hint: `name a manifest, or the folder of one, with --config; or write one: ${DEVCTL} init --config ${config}`,
    });
  }
  const others = passedOver.length > 0 ? ` (passed over: ${passedOver.join(', ')})` : '';
  return new DevctlError(
    'manifest-not-found',
    `no ${MANIFEST_NAME} in ${root} or in any folder above it${others}`,
    {
      hint: `${otherFormat(root)}go to a folder of the project, name a manifest with --config FILE, or write one: ${DEVCTL} init`,
    },
  );
}

/** Files that people take for a manifest. */
const MISNAMED = ['.devctl.yaml', '.devctl.yml', '.devctl.jsonc', 'devctl.json', 'devctl.yaml'];

/** Names a file of the folder that was probably meant to be the manifest. */
function otherFormat(root: string): string {
  const file = MISNAMED.find((name) => lookAt(join(root, name)).kind === 'file');
  if (file === undefined) return '';
  return file.endsWith('ml')
    ? `${file} is not read: a manifest is JSON, with comments, called ${MANIFEST_NAME}; `
    : `mv ${file} ${MANIFEST_NAME}, if that is the manifest; `;
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
function realPath(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch {
    return null;
  }
}

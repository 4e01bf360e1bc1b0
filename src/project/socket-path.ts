import { accessSync, constants, lstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { type ProjectFolder, projectHash } from './folder.ts';
import { otherOwner } from './safe-file.ts';
import { ensureOwnFolder, inspectFolder } from './safe-folder.ts';
import { whyUnsafePlace } from './safe-location.ts';

/**
 * The longest path in bytes. sun_path holds 108 on Linux (unix(7)) and 104 on macOS, with the NUL;
 * a longer one is cut off silently by some and refused by others.
 */
const MAX_SOCKET_BYTES = 100;

/** In /tmp nobody can remove what another user has put there to be in the way. */
const OF_YOUR_OWN = 'set XDG_RUNTIME_DIR to a folder of your own, with mode 0700';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the supervisor of this project listens: derived from the project alone, so that it is found
 * after `rm -rf .pids`, and short, however long the project's path is.
 *
 * Creates the folder (`$XDG_RUNTIME_DIR/devctl` or `TMP/devctl-UID`), mode 0700.
 *
 * @throws DevctlError 'unsafe' when the folder is a symbolic link or another user's,
 *   'records-unwritable' when it cannot be made
 */
export function prepareSocketPath(
  folder: ProjectFolder,
  environment: Environment = process.env,
): string {
  const paths = possiblePaths(folder, environment);
  const tried: string[] = [];
  for (const path of paths) {
    const place = dirname(dirname(path));
    const why = isUsable(place) ? whyUnsafePlace(place) : null;
    tried.push(why === null ? place : `${place} (${why})`);
    if (why !== null || !isUsable(place)) continue;
    ensureOwnFolder(dirname(path), true, OF_YOUR_OWN);
    return path;
  }
  throw new DevctlError(
    'records-unwritable',
    `no folder for the socket: tried ${tried.join(', ')}`,
    {
      hint: 'set XDG_RUNTIME_DIR or TMPDIR to a short, writable folder',
    },
  );
}

/**
 * Every path at which a supervisor of this project may listen, the likeliest first: the one that
 * started it may have had other variables in its environment than we have. Those in folders that
 * other users could have prepared are left out, so it is safe to connect to what is returned.
 */
export function socketPaths(
  folder: ProjectFolder,
  environment: Environment = process.env,
): readonly string[] {
  return possiblePaths(folder, environment).filter((path) => whyNotOurs(path) === null);
}

/**
 * Why nobody must connect to what is at this path; null when only the user himself can have put it there,
 * or nothing is there.
 */
export function whyNotOurs(path: string): string | null {
  const place = dirname(path);
  const seen = inspectFolder(place);
  // A folder that is missing now may be another user's in a moment.
  if (seen.kind !== 'own') return `${place}: ${seen.kind === 'refused' ? seen.reason : seen.kind}`;
  if ((seen.mode & 0o022) !== 0) return `others may write to ${place}`;
  const unsafe = whyUnsafePlace(dirname(place));
  if (unsafe !== null) return unsafe;
  const socket = lstatSync(path, { throwIfNoEntry: false });
  if (!socket) return null;
  return socket.isSocket() ? otherOwner(socket.uid) : 'not a socket';
}

function possiblePaths(folder: ProjectFolder, environment: Environment): readonly string[] {
  const uid = process.geteuid?.() ?? 0;
  const runtime = environment.XDG_RUNTIME_DIR;
  const directories = [
    ...(runtime ? [join(runtime, 'devctl')] : []),
    `/run/user/${uid}/devctl`,
    join(tmpdir(), `devctl-${uid}`),
    `/tmp/devctl-${uid}`,
  ];
  const paths = directories.map((place) => join(place, `${projectHash(folder.root)}.sock`));
  return [...new Set(paths)].filter(
    (path) => isAbsolute(path) && Buffer.byteLength(path) < MAX_SOCKET_BYTES,
  );
}

/** XDG_RUNTIME_DIR is often set to a folder that is not there: su, sudo, containers. */
function isUsable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

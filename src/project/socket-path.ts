import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { type ProjectFolder, projectHash } from './folder.ts';
import { ensureOwnFolder, inspectFolder } from './own-folder.ts';

/**
 * The longest path in bytes. sun_path holds 108 on Linux (unix(7)) and 104 on macOS, with the NUL;
 * a longer one is cut off silently by some and refused by others.
 */
const MAX_SOCKET_BYTES = 100;

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
  const path = paths.find((candidate) => isUsable(dirname(dirname(candidate))));
  if (path === undefined) {
    const places = paths.map((candidate) => dirname(dirname(candidate))).join(', ');
    throw new DevctlError('records-unwritable', `no folder for the socket: tried ${places}`, {
      hint: 'set XDG_RUNTIME_DIR or TMPDIR to a short, writable folder',
    });
  }
  ensureOwnFolder(dirname(path), true);
  return path;
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
  return possiblePaths(folder, environment).filter(
    (path) => inspectFolder(dirname(path)).kind === 'own',
  );
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

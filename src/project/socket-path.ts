import { accessSync, constants, lstatSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { isTrustedUser } from '../processes/trusted-user.ts';
import type { ProjectFolder } from './folder.ts';
import { socketName, socketNameOfId } from './names.ts';
import { otherOwner } from './safe-file.ts';
import { ensureOwnFolder, inspectFolder } from './safe-folder.ts';

/**
 * Length of the longest socket path in bytes. sun_path holds 108 on Linux (unix(7)) and 104 on macOS,
 * with the NUL. Some systems cut off a longer path silently, others refuse it.
 */
const MAX_SOCKET_BYTES = 100;

/** Remedy for a folder that another user has made in /tmp to block devctl: only its owner can remove it. */
const OF_YOUR_OWN = 'set XDG_RUNTIME_DIR to a folder of your own, with mode 0700';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Chooses the path at which the supervisor of this project listens. It is derived from the project
 * alone, so that it is found after `rm -rf .pids`. It is short, however long the path of the project
 * is.
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
    ensureOwnFolder(dirname(path), true, { hint: OF_YOUR_OWN });
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
 * Chooses the path at which a new supervisor listens. A project that was moved while it runs still listens at the path
 * of its old folder, and another project may be in that folder now. Then this one takes a name of its id.
 *
 * @throws DevctlError as `prepareSocketPath`
 */
export async function freeSocketPath(folder: ProjectFolder): Promise<string> {
  const path = prepareSocketPath(folder);
  if (folder.id === null || !(await isListenedAt(path))) return path;
  return join(dirname(path), socketNameOfId(folder.id));
}

/** Tells whether a process listens at a socket, even if it does not answer. */
export async function isListenedAt(path: string): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Any other error, such as EAGAIN of a full backlog, comes from a socket in use (connect(2)).
    socket.once('error', (error) => resolve(!UNUSED.has(errnoOf(error) ?? '')));
  });
}

/** The errors of connect(2) for a path that is no socket, and for a socket whose process has ended. */
const UNUSED: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR']);

/**
 * Lists every path at which a supervisor of this project may listen, the likeliest first: its
 * environment may have had other variables than ours. Paths in folders that other users could have
 * prepared are left out, so it is safe to connect to the rest.
 */
export function socketPaths(
  folder: ProjectFolder,
  environment: Environment = process.env,
): readonly string[] {
  return possiblePaths(folder, environment).filter((path) => whyUnsafeSocket(path) === null);
}

/**
 * Says why devctl must not connect to a socket path; null when only our own user can have made the
 * socket, or when there is none.
 */
export function whyUnsafeSocket(path: string): string | null {
  const place = dirname(path);
  const seen = inspectFolder(place);
  // A folder that is missing now may belong to another user in a moment.
  if (seen.kind !== 'own') return `${place}: ${seen.kind === 'refused' ? seen.reason : seen.kind}`;
  if ((seen.mode & OTHERS_WRITE) !== 0) return `others may write to ${place}`;
  const unsafe = whyUnsafePlace(dirname(place));
  if (unsafe !== null) return unsafe;
  const socket = lstatSync(path, { throwIfNoEntry: false });
  if (!socket) return null;
  return socket.isSocket() ? otherOwner(socket.uid) : 'not a socket';
}

/**
 * Says why another user could replace what devctl makes in this folder; null when nobody could. A user
 * who owns the folder or one above it could, and so could a user who may write to one of them, unless
 * that is sticky (as /tmp is). A check of the file itself does not help, because there is always time
 * between the check and the use.
 *
 * @returns the reason, for people
 */
function whyUnsafePlace(folder: string): string | null {
  try {
    for (let path = realpathSync(folder); ; path = dirname(path)) {
      const { uid, mode } = statSync(path);
      if (!isTrustedUser(uid)) return `${path} belongs to user ${uid}`;
      if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
        return `others may write to ${path}`;
      }
      if (path === dirname(path)) return null;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** S_ISVTX: only the owner of a file in such a folder may rename or remove it (inode(7)). */
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

function possiblePaths(folder: ProjectFolder, environment: Environment): readonly string[] {
  const uid = process.geteuid?.() ?? 0;
  const runtime = environment.XDG_RUNTIME_DIR;
  const directories = [
    ...(runtime ? [join(runtime, 'devctl')] : []),
    `/run/user/${uid}/devctl`,
    join(tmpdir(), `devctl-${uid}`),
    `/tmp/devctl-${uid}`,
  ];
  const ofId = folder.id === null ? [] : [socketNameOfId(folder.id)];
  const names = [...folder.paths.map(socketName), ...ofId];
  const paths = names.flatMap((name) => directories.map((place) => join(place, name)));
  return [...new Set(paths)].filter(
    (path) => isAbsolute(path) && Buffer.byteLength(path) < MAX_SOCKET_BYTES,
  );
}

/**
 * True for a folder that exists and is writable. XDG_RUNTIME_DIR often names a missing one: su, sudo,
 * containers.
 */
function isUsable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

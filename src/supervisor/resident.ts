import { once } from 'node:events';
import { fstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CERTIFICATES, GUARDED, INHERITS, MANIFEST_NAME, READY_FD } from '../client/protocol.ts';
import { DevctlError, errnoOf } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import { TOOL_COOKIE } from '../ownership/cookie.ts';
import { ownVersion } from '../package-root.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import { isoTime } from '../processes/clock.ts';
import { loadNative, pidfdCapability } from '../processes/native/native.ts';
import { openProcessTable } from '../processes/open-table.ts';
import { openHost } from '../processes/real-host.ts';
import { loadSpawn } from '../processes/spawn.ts';
import { projectFolder } from '../project/folder.ts';
import { MovableFolder } from '../project/place/movable-folder.ts';
import { recordedProject } from '../project/recorded-project.ts';
import { prepareFolder } from '../project/records-folder.ts';
import { mustSetAside, setAside } from '../project/set-aside.ts';
import { freeSocketPath } from '../project/socket-path.ts';
import { removeSupervisor, writeSupervisor } from '../project/supervisor-record.ts';
import { closeInheritedFiles } from '../services/launch/inherited-files.ts';
import { readProjectState } from '../tracking/project-state.ts';
import { startReaper } from '../tracking/reaper.ts';
import { openRunGroups } from '../tracking/run-groups.ts';
import { createApi } from './api/server.ts';
import { awaitGuard } from './await-guard.ts';
import { runAsContainerInit } from './container-init.ts';
import { openSupervisorLog } from './log.ts';
import { createSupervision } from './supervision.ts';

/**
 * The resident process of a project. Its arguments: the project folder and the records folder, and
 * `--inherits` when it replaces a supervisor that had processes below it, `--guarded=PID` when it was born
 * below a guard.
 *
 * It may die at any moment: services outlive it, and every command works without it.
 */
async function main(root: string, pidsDir: string, words: readonly string[]): Promise<void> {
  const starter = connectToStarter();
  Object.assign(process.env, TOOL_COOKIE);
  const [named, parent, certificates] = [MANIFEST_NAME, GUARDED, CERTIFICATES].map((flag) =>
    words.find((word) => word.startsWith(flag))?.slice(flag.length),
  );
  // For the stop commands and hooks that we start. Node itself reads it at its start only.
  if (certificates !== undefined) process.env.NODE_EXTRA_CA_CERTS = certificates;
  const found = projectFolder(root, pidsDir, named);
  const folder = new MovableFolder(found);
  // The command that started us chose our working directory, and the kernel takes it along.
  if (!folder.isAt('.'))
    throw new DevctlError('folder-moved', `the project folder ${root} was moved`);
  // Now, because later a removal of the project may be under way.
  prepareFolder(found);
  const loaded = await loadNative();
  // A shell that starts us makes no session for us.
  if (parent !== undefined && loaded.available) loaded.beginSession();
  // Before the first spawn, because only processes that are spawned later are certain to stay below us.
  const subreaper = loaded.available ? loaded.becomeSubreaper() : { held: false, why: loaded.why };
  const native = loaded.available && subreaper.held ? loaded : null;
  const reaper = native && startReaper(native);
  const table = openProcessTable();
  const host = openHost(table);
  const self = await host.self();
  const socket = await freeSocketPath(folder);
  const version = ownVersion();

  const groups = openRunGroups(folder, log);
  const capabilities: Capabilities = {
    subreaper,
    pidfd: pidfdCapability(loaded),
    cgroup: 'why' in groups ? { held: false, why: groups.why } : { held: true, why: null },
  };
  const awaited = parent === undefined ? null : await awaitGuard(table, Number(parent));
  let guard = awaited?.guard ?? null;
  if (guard && !native) {
    // Perl becomes a guard without koffi. One above a supervisor that is no subreaper would hold only a part.
    log(`there is no guard: ${subreaper.why}`);
    await host.signal(guard, 'SIGKILL');
    guard = null;
  }
  if (awaited?.guard === null) {
    log(`there is no guard: ${awaited.why}`);
    if (awaited.late) await host.signal(awaited.late, 'SIGKILL');
  }
  // In one turn of the event loop Node notices the end of the starter.
  await nextTurn();
  if (starter?.destroyed) {
    // A stop has ended the start that wanted us, and on a busy machine the next start has its own supervisor by now.
    // Both would adopt the same services, and the later one would take the socket from the other.
    log('the command that started this supervisor has ended, and so does the supervisor');
    if (guard) await host.signal(guard, 'SIGKILL');
    process.exit(0);
  }
  const initialState = readProjectState(folder);
  const supervision = await createSupervision({
    folder,
    host,
    table,
    self,
    guard,
    native,
    reaper,
    capabilities,
    groups: 'why' in groups ? null : groups,
    version,
    log,
    initialState,
    inheritsProcesses: words.includes(INHERITS),
    onMoved: () => record(),
    end: () => void end(0),
  });
  const server = createApi(supervision.routes, log);
  await listen(server, socket);
  // The command that started us holds the project lock. A foreign file would block the records that we
  // write.
  for (const problem of initialState.problems) {
    if (mustSetAside(folder, problem)) setAside(folder, problem);
  }
  const startedAt = isoTime();
  const record = (): void =>
    writeSupervisor(folder, {
      schema: 1,
      identity: self,
      socket,
      ...recordedProject(folder),
      capabilities,
      groups: 'why' in groups ? null : groups.folder,
      version,
      startedAt,
    });
  record();
  if (starter) await announce(starter);
  // An inherited pipe would keep `devctl start | cat` from ending.
  closeInheritedFiles();
  // Now, because the starter needs some time for its first request, and a spawn would wait for it then.
  loadSpawn().catch((error) => log(`loading execa: ${inDetail(error)}`));

  let ending = false;
  const end = async (code: number): Promise<void> => {
    if (ending) return;
    ending = true;
    supervision.close();
    server.close();
    server.closeAllConnections();
    try {
      unlinkSync(socket);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') log(`removing the socket: ${error}`);
    }
    try {
      removeSupervisor(folder, self);
    } catch (error) {
      // The disk is full or read-only. Readers recognise the stale record by its identity.
      log(`removing the record: ${error}`);
    }
    // Unless a process is below us: then the guard has to keep it.
    if (guard && (await supervision.isAlone())) {
      await host.signal(guard, 'SIGKILL').catch((error) => log(`ending the guard: ${error}`));
    }
    process.exit(code);
  };
  process.on('SIGTERM', () => void end(0));
  process.on('SIGINT', () => void end(0));
  // A terminal that closes is no reason to leave the services unwatched.
  process.on('SIGHUP', () => {});
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The command that started us holds the project lock and found nobody listening, so an existing
    // socket is a left-over.
    try {
      unlinkSync(socket);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    const mask = process.umask(0o177);
    server.listen(socket, () => {
      // Later errors, such as too many open files, concern only one caller.
      server.off('error', reject).on('error', (error) => log(`listening: ${error}`));
      resolve();
    });
    process.umask(mask);
  });
}

/**
 * Opens the connection to the command that started us, which waits for "ready". The socket is destroyed when that
 * command ends.
 *
 * @returns null for a supervisor that was started by hand: the descriptor is missing, or one of Node's own
 */
function connectToStarter(): Socket | null {
  try {
    // Node makes a 'pipe' as a pair of sockets; none of its own low descriptors is a socket.
    if (!fstatSync(READY_FD).isSocket()) return null;
  } catch (error) {
    if (errnoOf(error) === 'EBADF') return null;
    throw error;
  }
  const starter = new Socket({ fd: READY_FD });
  // EPIPE: it has ended in this moment.
  starter.on('error', () => {});
  return starter.resume();
}

/** Tells the command that started us that we listen, and closes the connection. */
async function announce(starter: Socket): Promise<void> {
  if (starter.destroyed) return;
  starter.end('ready\n');
  starter.destroySoon();
  await once(starter, 'close');
}

const STDERR_FD = 2;
const log = openSupervisorLog(STDERR_FD);

/**
 * Keeps most faults from ending the supervisor, because its end would leave the services without their
 * subreaper.
 */
function outliveFaults(): void {
  // Node itself writes warnings, too, and may meet a full disk or a pipe without a reader.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // A probe or an answer that nobody waited for has failed; the rest of the process is whole.
  process.on('unhandledRejection', (error) => log(`unhandled: ${inDetail(error)}`));
  // A state may be half changed. The services outlive us, and the next command starts another
  // supervisor.
  process.on('uncaughtException', (error) => {
    log(`uncaught: ${inDetail(error)}`);
    process.exit(1);
  });
}

function inDetail(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const [root, pidsDir, ...words] = process.argv.slice(2);
if (root === undefined || pidsDir === undefined) {
  process.stderr.write(`this is the resident part of devctl: run ${DEVCTL} start\n`);
  process.exitCode = 2;
} else if (process.pid === 1) {
  void runAsContainerInit().then((code) => {
    process.exitCode = code;
  });
} else {
  outliveFaults();
  main(root, pidsDir, words).catch((error: unknown) => {
    // The command that started us shows the last lines of the log to the user, who can act on them.
    const hint = error instanceof DevctlError && error.hint ? `; ${error.hint}` : '';
    log(error instanceof DevctlError ? `${error.message}${hint}` : inDetail(error));
    process.exit(1);
  });
}

import { closeSync, fstatSync, unlinkSync, writeSync } from 'node:fs';
import type { Server } from 'node:http';
import { INHERITS, READY_FD } from '../client/protocol.ts';
import { DevctlError, errnoOf } from '../errors.ts';
import { TOOL_COOKIE } from '../ownership/cookie.ts';
import { ownVersion } from '../package-root.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import { isoTime } from '../processes/clock.ts';
import { loadNative, pidfdCapability } from '../processes/native/native.ts';
import { openProcessTable } from '../processes/open-table.ts';
import { openHost } from '../processes/real-host.ts';
import { loadSpawn } from '../processes/spawn.ts';
import { prepareFolder, projectFolder } from '../project/folder.ts';
import { belongsAside, setAside } from '../project/set-aside.ts';
import { prepareSocketPath } from '../project/socket-path.ts';
import { removeSupervisor, writeSupervisor } from '../project/supervisor-record.ts';
import { closeInheritedFiles } from '../services/launch/inherited-files.ts';
import { readProjectState } from '../tracking/project-state.ts';
import { openRunGroups } from '../tracking/run-groups.ts';
import { createApi } from './api/server.ts';
import { awaitGuard, GUARDED } from './await-guard.ts';
import { runAsContainerInit } from './container-init.ts';
import { openSupervisorLog } from './log.ts';
import { createSupervision } from './supervision.ts';
import { setV8Flags } from './v8-flags.ts';

/**
 * The resident process of a project. Its arguments: the project folder and the records folder, and
 * `--inherits` where it replaces one that had something below it, `--guarded` where a guard started it.
 *
 * It may die at any moment: services outlive it, and every command works without it.
 */
async function main(root: string, pidsDir: string, words: readonly string[]): Promise<void> {
  setV8Flags();
  Object.assign(process.env, TOOL_COOKIE);
  const folder = projectFolder(root, pidsDir);
  prepareFolder(folder);
  const loaded = await loadNative();
  // Before the first spawn: only what is spawned afterwards is certain to stay below us.
  const subreaper = loaded.available ? loaded.becomeSubreaper() : { held: false, why: loaded.why };
  const table = openProcessTable();
  const host = openHost(table);
  const self = await host.self();
  const socket = prepareSocketPath(folder);
  const version = ownVersion();

  const groups = openRunGroups(folder, log);
  const capabilities: Capabilities = {
    subreaper,
    pidfd: pidfdCapability(loaded),
    cgroup: 'why' in groups ? { held: false, why: groups.why } : { held: true, why: null },
  };
  const guarded = words.includes(GUARDED);
  const { guard, why } = guarded ? await awaitGuard(table) : { guard: null, why: null };
  if (guarded && guard === null) log(`there is no guard: ${why}`);
  const inherited = readProjectState(folder);
  const supervision = await createSupervision({
    folder,
    host,
    table,
    self,
    guard,
    native: loaded.available && subreaper.held ? loaded : null,
    capabilities,
    groups: 'why' in groups ? null : groups,
    version,
    log,
    inherited,
    inherits: words.includes(INHERITS),
    end: () => void end(0),
  });
  const server = createApi(supervision.routes, log);
  await listen(server, socket);
  // Our starter holds the project lock. What is no file of ours would be in the way of what we write.
  for (const problem of inherited.problems) {
    if (belongsAside(folder, problem)) setAside(folder, problem);
  }
  writeSupervisor(folder, {
    schema: 1,
    identity: self,
    socket,
    capabilities,
    groups: 'why' in groups ? null : groups.folder,
    version,
    startedAt: isoTime(),
  });
  announce();
  // A caller's pipe that slipped through would keep `devctl start | cat` from ending.
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
      // A read-only or full disk: the record is recognised as stale by its identity.
      log(`removing the record: ${error}`);
    }
    // Unless something is below us, which it is to keep.
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
    // Its starter holds the project lock and found nobody listening, so what is there is a left-over.
    try {
      unlinkSync(socket);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    const mask = process.umask(0o177);
    server.listen(socket, () => {
      // Later ones, such as too many open files, concern one caller.
      server.off('error', reject).on('error', (error) => log(`listening: ${error}`));
      resolve();
    });
    process.umask(mask);
  });
}

/** Tells the starter that we listen. Started by hand, the descriptor is missing, or one of Node's own. */
function announce(): void {
  try {
    // A 'pipe' of Node's is a pair of sockets; of its own files, those with low numbers are none.
    if (!fstatSync(READY_FD).isSocket()) return;
    writeSync(READY_FD, 'ready\n');
    closeSync(READY_FD);
  } catch (error) {
    if (errnoOf(error) !== 'EBADF' && errnoOf(error) !== 'EPIPE') throw error;
  }
}

const STDERR_FD = 2;
const log = openSupervisorLog(STDERR_FD);

/** Its end would leave the services without their subreaper: not every fault is worth that. */
function outliveFaults(): void {
  // What Node itself writes (warnings) may meet a full disk or a pipe without a reader too.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // One probe or one answer that nobody waited for has failed; the rest of us is whole.
  process.on('unhandledRejection', (error) => log(`unhandled: ${inDetail(error)}`));
  // Here a state may be half changed. Services outlive us, and the next command starts another one.
  process.on('uncaughtException', (error) => {
    log(`uncaught: ${inDetail(error)}`);
    process.exit(1);
  });
}

function inDetail(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const [root, pidsDir, ...rest] = process.argv.slice(2);
if (root === undefined || pidsDir === undefined) {
  process.stderr.write('this is the resident part of devctl: run devctl start\n');
  process.exitCode = 2;
} else if (process.pid === 1) {
  void runAsContainerInit().then((code) => {
    process.exitCode = code;
  });
} else {
  outliveFaults();
  main(root, pidsDir, rest).catch((error: unknown) => {
    // Its starter shows the last lines of the log to the person who can act on it.
    const hint = error instanceof DevctlError && error.hint ? `; ${error.hint}` : '';
    log(error instanceof DevctlError ? `${error.message}${hint}` : inDetail(error));
    process.exit(1);
  });
}

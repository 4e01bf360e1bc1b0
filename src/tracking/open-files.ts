import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { OpenFileEvidence } from '../ownership/claim.ts';
import { identityKey, sameMachine } from '../processes/identity.ts';
import { allPorts, findSocketOwners, type Port } from '../processes/ports.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import { isInside } from '../project/inside.ts';
import { type DeclaredService, projectBelow } from '../project/open-project.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { recordsOfOthers } from './other-projects.ts';
import type { ProjectState } from './project-state.ts';

/** Reads what the evidence of open files and ports needs beside the process table. */
async function readOpenFiles(
  state: ProjectState,
  declared: readonly DeclaredService[],
  snapshot: Snapshot,
  thorough: boolean,
): Promise<OpenFileEvidence> {
  const { problems, folder, beside } = state;
  const inRealFolder = realFolders();
  // Those of now come last and win.
  const before = (beside?.before ?? []).filter((run) => sameMachine(run, snapshot));
  const records = [...before, ...state.records];
  const logs = new Map<string, string>();
  const ports = new Map<Port, string>();
  // Records come last and win: they say what runs, while the manifest may have changed since.
  for (const one of [...declared, ...records.map(asDeclared)]) {
    const { name, log } = one;
    if (basename(log) === `${name}.log`) logs.set(inRealFolder(log), name);
    for (const port of allPorts(one)) ports.set(port, name);
  }
  const others = recordsOfOthers(folder, snapshot);
  const isShared = folder.standing.standing === 'shared';
  // There the logs of a shared records folder are those of the other project: it runs, or was not stopped.
  const own = inRealFolder(folder.pidsDir);
  for (const log of isShared ? [...logs.keys()] : []) if (isInside(own, log)) logs.delete(log);
  const stdinFolder = join(own, 'stdin');
  const ofOthers = recordedByOthers(state, stdinFolder, snapshot, inRealFolder);
  const begun = records.filter((run) => sameMachine(run, snapshot)).map((run) => run.intentTicks);
  const complete = problems.length === 0 && begun.length === records.length && begun.length > 0;
  // A log is of every run that a service has had, but a port may be anybody's before the recorded runs.
  const notBeforeTicks = complete && !thorough ? Math.min(...begun) : null;
  const found = await findSocketOwners(
    [...ports.keys()],
    snapshot,
    ({ identity }) => notBeforeTicks === null || identity.startTicks >= notBeforeTicks,
  );
  return {
    logs,
    // The records folder is never a symbolic link, and neither are those in it (`ensureOwnFolder`).
    logsFolder: isShared ? null : join(own, 'logs'),
    stdinFolder: isShared ? null : stdinFolder,
    ofOthers: ofOthers.files,
    logsElsewhere: new Set(others.logs.map(inRealFolder)),
    namedElsewhere: new Set(others.named.map(({ identity }) => identityKey(identity))),
    listening: found
      .filter(({ port, process }) => {
        if (ofOthers.ports.get(port) === 'lives') return false;
        const cwd = snapshot.details.cwd(process);
        return cwd === null || projectBelow(folder.root, cwd) === null;
      })
      .map(({ port, process }) => ({
        pid: process.identity.pid,
        port,
        service: ports.get(port) ?? '',
        isOfOthers: ofOthers.ports.has(port),
      })),
    forced: thorough,
  };
}

/**
 * Finds the files and ports that records of other projects name and ours do not, and whether the leader or the supervisor
 * of that run lives. Then it is the other project's, because only one of the two can run. Else nobody can tell.
 */
function recordedByOthers(
  { records, foreign, beside }: ProjectState,
  stdinFolder: string,
  snapshot: Snapshot,
  inRealFolder: (path: string) => string,
) {
  const files = new Map<string, 'lives' | 'dead'>();
  const ports = new Map<Port, 'lives' | 'dead'>();
  for (const record of [...foreign, ...(beside?.others ?? [])]) {
    const lives = [record.leader, record.supervisor].some((one) => one && livesIn(snapshot, one));
    const state = lives ? 'lives' : 'dead';
    files.set(inRealFolder(record.log), state);
    if (foreign.includes(record)) files.set(join(stdinFolder, record.service), state);
    for (const port of allPorts(record)) ports.set(port, state);
  }
  for (const record of records) {
    files.delete(inRealFolder(record.log));
    for (const port of allPorts(record)) ports.delete(port);
  }
  return { files, ports };
}

/**
 * Makes a reader of the evidence of open files and ports.
 *
 * @param thorough true: ask for the ports of every process, however old, because records may be missing; and also of what
 *   a person has started
 */
export function openFilesReader(
  state: ProjectState,
  declared: readonly DeclaredService[],
  thorough: boolean,
): (snapshot: Snapshot) => Promise<OpenFileEvidence> {
  return (snapshot) => readOpenFiles(state, declared, snapshot, thorough);
}

/**
 * Does the same for the logs and FIFOs alone. Before a start, a process that listens on a port of an ended run may be the
 * server that a person has started instead.
 */
export function outputsReader(
  state: ProjectState,
): (snapshot: Snapshot) => Promise<OpenFileEvidence> {
  const read = openFilesReader(state, [], false);
  return async (snapshot) => ({ ...(await read(snapshot)), listening: [] });
}

function asDeclared(record: ServiceRecord): DeclaredService {
  const declared = { ...record, name: record.service };
  // Nobody has said what belongs to a project without manifest, so who listens there is no evidence.
  return record.adHoc ? { ...declared, ports: [], udpPorts: [] } : declared;
}

/**
 * Makes a resolver, for one moment, of the folder of a path as the kernel spells it, even when the path is gone. The last
 * part is not resolved: if a symbolic link lies in the place of a log, every process that writes to its target would count
 * as ours. Each folder is asked for once, because all logs of a project lie in one.
 */
function realFolders(): (path: string) => string {
  const known = new Map<string, string>();
  const realFolder = (folder: string): string => {
    try {
      return realpathSync(folder);
    } catch {
      return inReal(folder);
    }
  };
  const inReal = (path: string): string => {
    const above = dirname(path);
    if (above === path) return path;
    const real = known.get(above) ?? realFolder(above);
    known.set(above, real);
    return join(real, basename(path));
  };
  return inReal;
}

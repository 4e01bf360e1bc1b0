import { identityKey } from '../processes/identity.ts';
import { isGone, livesIn, type OpenFile, type ProcessInfo } from '../processes/snapshot.ts';
import { isInside } from '../project/inside.ts';
import { nearestProject } from './nearest-project.ts';
import type { ClaimSearch, Finding } from './search.ts';
import type { Veto } from './vetoes.ts';

/** Collects the evidence from the files that a process has open and the ports that it listens on. */
export function openFileEvidence(search: ClaimSearch, process: ProcessInfo): Finding[] {
  const { facts, snapshot } = search;
  const { openFiles } = facts;
  const { pid } = process.identity;
  if (!openFiles || process.kernelThread || pid <= 1) return [];
  const findings: Finding[] = [];
  for (const file of snapshot.details.openFiles(process) ?? []) {
    const finding = outputEvidence(search, process, file);
    if (finding) findings.push(finding);
  }
  for (const { port, service, isOfOthers } of openFiles.listening.filter(
    (listener) => listener.pid === pid,
  )) {
    // The port alone proves nothing, because a stranger may have taken it first.
    if (!isInside(facts.root, snapshot.details.cwd(process))) continue;
    if (!isOfOurUser(search, process)) continue;
    const detail = `listens on ${port}`;
    const found = { kind: 'port', detail, service, runId: runOf(search, service) } as const;
    findings.push(isOfOthers ? { ...found, veto: OF_OTHERS } : found);
  }
  return findings;
}

/**
 * Finds the logs and FIFOs of ours that another project holds open as well, as the marks of its processes show. A process
 * of ours may have read such a mark from a file, so one that is among our processes shows nothing.
 */
export function findSharedOutputs(search: ClaimSearch): void {
  const { facts, snapshot, vetoes } = search;
  if (!facts.openFiles) return;
  for (const pid of vetoes.foreignCookies.keys()) {
    const process = snapshot.byPid.get(pid);
    if (!process || isGone(process) || search.groups.has(pid)) continue;
    const files = snapshot.details.openFiles(process) ?? [];
    const outputs = files.flatMap((file) => {
      const output = file.writable ? outputAt(search, pathOf(file)) : null;
      return output && (output.kind === 'log' || file.readable) ? [output.path] : [];
    });
    if (outputs.length === 0 || nearestProject(facts, snapshot, vetoes, process) === 'ours')
      continue;
    for (const path of outputs) search.sharedOutputs.add(path);
  }
}

/** Tells why an open file of ours does not make a process ours: another project may have opened it. */
function outputVeto(search: ClaimSearch, process: ProcessInfo, path: string): Veto | null {
  const { openFiles } = search.facts;
  if (openFiles?.namedElsewhere?.has(identityKey(process.identity))) {
    return { kind: 'other-project', detail: 'the records of another project name it' };
  }
  if (!search.sharedOutputs.has(path) && !openFiles?.logsElsewhere?.has(path)) return null;
  return { kind: 'in-doubt', detail: `another project uses ${path} as well` };
}

/** The path of an open file. The kernel and lsof add to that of a removed file (after `rm -rf .pids`, say). */
function pathOf({ target }: OpenFile): string {
  return target.replace(/ \(deleted\)$/, '');
}

const OF_OTHERS: Veto = { kind: 'in-doubt', detail: 'another project has recorded the same' };

/** Tells whether a process belongs to our user or to the owner of the project: root sees every user's ports. */
function isOfOurUser({ facts, snapshot }: ClaimSearch, process: ProcessInfo): boolean {
  const self = snapshot.byPid.get(facts.self.pid);
  const [own, other] = [self && snapshot.details.uid(self), snapshot.details.uid(process)];
  return own === undefined || own === other || other === facts.ownerUid;
}

/**
 * Finds the evidence of one descriptor: a log, a stdin FIFO or a terminal, open as a service has it open.
 *
 * The launcher opens a log for appending and a FIFO for reading and writing. Every process that inherits
 * such a descriptor, through any number of forks, shares the same open file description (open(2)). That
 * tells a service from a reader (`tail -f`, an editor), from a program that types into the FIFO (opened for
 * writing only) and from a program that rewrites the log (logrotate opens it for reading and writing). One
 * exception: a service may open /dev/stdout again, for writing only and without O_APPEND. That counts where
 * the process also works in the project.
 */
function outputEvidence(search: ClaimSearch, process: ProcessInfo, file: OpenFile): Finding | null {
  if (!file.writable) return null;
  const path = pathOf(file);
  const output = outputAt(search, path) ?? terminalAt(search, file);
  const other = output && search.facts.openFiles?.ofOthers?.get(output.path);
  if (!output || other === 'lives') return null;
  const { root } = search.facts;
  const { kind, service } = output;
  if (kind !== 'log' && !file.readable) return null;
  if (kind === 'log' && file.appends !== true) {
    if (file.readable || !isInside(root, search.snapshot.details.cwd(process))) return null;
  }
  const shown = isInside(root, path) ? path.slice(root.length).replace(/^\//, '') : path;
  const detail = kind === 'log' ? `writes to ${shown}` : `holds ${shown} open`;
  const runId = service === null ? null : runOf(search, service);
  // An earlier run has had the same log, and its record is overwritten. The recorded run proves nothing about a process
  // that is older than itself.
  const isEarlier = isOlder(search, process, runId);
  const veto = outputVeto(search, process, output.path) ?? (other && OF_OTHERS);
  const found = { kind: 'output', detail, service, runId: isEarlier ? null : runId } as const;
  return veto ? { ...found, veto } : found;
}

/** Finds the service whose log or FIFO has this path: by the records and the manifest, else by the folder. */
function outputAt({ facts: { openFiles } }: ClaimSearch, path: string): Output | null {
  if (!openFiles || !path.startsWith('/')) return null;
  const known = openFiles.logs.get(path);
  if (known !== undefined) return { kind: 'log', service: known, path };
  const cut = path.lastIndexOf('/');
  const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
  if (folder === openFiles.logsFolder) {
    // A rotation by renaming leaves the service with `web.log.1` open.
    const service = /^(.+?)\.log(\.[^/]*)?$/.exec(name)?.[1] ?? null;
    const log = service === null ? path : `${folder}/${service}.log`;
    return { kind: 'log', service: validName(service), path: log };
  }
  return folder === openFiles.stdinFolder
    ? { kind: 'stdin', service: validName(name), path }
    : null;
}

/**
 * Finds the service on whose terminal a file is. Its holder has to live, because the number is anybody's afterwards. A program that
 * only writes to a terminal (`echo >/dev/pts/3`) is not on it.
 */
function terminalAt({ facts, snapshot }: ClaimSearch, { target }: OpenFile): Output | null {
  if (!target.startsWith('/dev/')) return null;
  const run = facts.runs.find(
    ({ terminal }) => terminal?.path === target && livesIn(snapshot, terminal.holder),
  );
  return run ? { kind: 'terminal', service: run.service, path: target } : null;
}

/** A log, a FIFO or a terminal of a service. */
interface Output {
  readonly kind: 'log' | 'stdin' | 'terminal';
  readonly service: string | null;
  /** The path that it had before a rotation by renaming. */
  readonly path: string;
}

/** Returns `name` if the manifest allows it as the name of a service, else null. */
function validName(name: string | null): string | null {
  return name !== null && /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/.test(name) ? name : null;
}

function runOf({ facts }: ClaimSearch, service: string): string | null {
  return facts.runs.find((run) => run.service === service)?.runId ?? null;
}

function isOlder(search: ClaimSearch, process: ProcessInfo, runId: string | null): boolean {
  const intent = runId === null ? undefined : search.intentTicks.get(runId);
  return intent !== undefined && process.identity.startTicks < intent;
}

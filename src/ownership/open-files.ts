import type { OpenFile, ProcessInfo } from '../processes/snapshot.ts';
import { isInside } from '../project/inside.ts';
import type { Finding, Search } from './search.ts';

/** Evidence from the files that a process has open and the ports that it listens on. */
export function openFileEvidence(search: Search, process: ProcessInfo): Finding[] {
  const { facts, snapshot } = search;
  const { openFiles: traces } = facts;
  const { pid, startTicks } = process.identity;
  if (!traces || process.kernelThread || pid <= 1) return [];
  if (traces.notBeforeTicks !== null && startTicks < traces.notBeforeTicks) return [];
  const findings: Finding[] = [];
  for (const file of snapshot.details.openFiles(process) ?? []) {
    const finding = outputEvidence(search, process, file);
    if (finding) findings.push(finding);
  }
  for (const { port, service } of traces.listening.filter((one) => one.pid === pid)) {
    // Never the port alone: a stranger may have been there first.
    if (!isInside(facts.root, snapshot.details.cwd(process))) continue;
    if (!isOfOurUser(search, process)) continue;
    const detail = `listens on ${port}`;
    findings.push({ kind: 'port', detail, service, runId: runOf(search, service) });
  }
  return findings;
}

/** Root sees what everybody listens with. */
function isOfOurUser({ facts, snapshot }: Search, process: ProcessInfo): boolean {
  const self = snapshot.byPid.get(facts.self.pid);
  const [own, other] = [self && snapshot.details.uid(self), snapshot.details.uid(process)];
  return own === undefined || own === other || other === facts.ownerUid;
}

/**
 * Is this descriptor one that a service was started with, or has made from it?
 *
 * The launcher opens a log for appending and a FIFO for reading and writing, and whatever inherits
 * them, through any number of forks, shares that very open file (open(2)). So a reader (`tail -f`, an
 * editor), who types into the FIFO (opened for writing only) and who rewrites the log (logrotate opens
 * it for reading and writing) are told from a service. One exception: a service may open /dev/stdout
 * again, for writing only and without O_APPEND. That counts where it also works in the project.
 */
function outputEvidence(search: Search, process: ProcessInfo, file: OpenFile): Finding | null {
  if (!file.writable || !file.target.startsWith('/')) return null;
  // So the kernel and lsof write what was removed, as by `rm -rf .pids`.
  const path = file.target.replace(/ \(deleted\)$/, '');
  const output = outputAt(search, path);
  if (!output) return null;
  const { root } = search.facts;
  const { kind, service } = output;
  if (kind === 'stdin' && !file.readable) return null;
  if (kind === 'log' && file.appends !== true) {
    if (file.readable || !isInside(root, search.snapshot.details.cwd(process))) return null;
  }
  const shown = isInside(root, path) ? path.slice(root.length).replace(/^\//, '') : path;
  const detail = kind === 'log' ? `writes to ${shown}` : `holds ${shown} open`;
  const runId = service === null ? null : runOf(search, service);
  // The log of an earlier run, whose record is gone as well: the recorded one proves nothing about it.
  const isEarlier = path !== file.target && isOlder(search, process, runId);
  return { kind: 'output', detail, service, runId: isEarlier ? null : runId };
}

/** What a path is, by the records and the manifest, or else by its folder. */
function outputAt(
  { facts: { openFiles: traces } }: Search,
  path: string,
): { readonly kind: 'log' | 'stdin'; readonly service: string | null } | null {
  if (!traces) return null;
  const known = traces.logs.get(path);
  if (known !== undefined) return { kind: 'log', service: known };
  const cut = path.lastIndexOf('/');
  const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
  if (folder === traces.logsFolder) {
    // `web.log.1` is what a rotation by renaming leaves in the hands of a service.
    const service = /^(.+?)\.log(\.[^/]*)?$/.exec(name)?.[1] ?? null;
    return { kind: 'log', service: validName(service) };
  }
  return folder === traces.stdinFolder ? { kind: 'stdin', service: validName(name) } : null;
}

/** As the manifest has it: anything else cannot be the name of a service. */
function validName(name: string | null): string | null {
  return name !== null && /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/.test(name) ? name : null;
}

function runOf({ facts }: Search, service: string): string | null {
  return facts.runs.find((run) => run.service === service)?.runId ?? null;
}

function isOlder(search: Search, process: ProcessInfo, runId: string | null): boolean {
  const intent = runId === null ? undefined : search.intentTicks.get(runId);
  return intent !== undefined && process.identity.startTicks < intent;
}

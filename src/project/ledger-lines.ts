import type { Identity } from '../processes/identity.ts';
import { isCount, isGroup, isLabel, isPid, isRunId, isText } from './field-checks.ts';

/**
 * Largest part of a ledger that is read, in bytes: some 60,000 processes. Of a larger ledger only the end is read: the
 * newest batches, each with its header. It is read several times in a stop, which must not take long for a damaged one.
 */
export const MAX_LEDGER_BYTES = 4 * 1024 * 1024;

/** Stands for the run id of processes that no evidence ties to a run. */
export const NO_RUN = 'none';

/** The boot and the PID namespace in which the pids of a ledger are valid. */
export type PidScope = Pick<Identity, 'bootId' | 'pidNamespace'>;

/** The project that wrote the lines, by its real path: a `.pids` can be copied, or shared by two projects. */
interface WrittenBy {
  readonly project?: string | undefined;
}

/** The identity of a process, written down while the process was known to be ours. */
export interface LedgerEntry {
  readonly service: string;
  readonly runId: string;
  readonly identity: Identity;
  readonly ppid: number;
  /** Process group when it was seen; 0 where the platform cannot tell. */
  readonly pgid: number;
  /** Session when it was seen; 0 where the platform cannot tell. */
  readonly sid: number;
}

/** An entry as it stands in a ledger, whichever project wrote it. */
export interface WrittenEntry extends LedgerEntry, WrittenBy {}

/** The facts that an appender knows of one process. The boot and the PID namespace are those of the batch. */
export type LedgerLine = Pick<LedgerEntry, 'runId' | 'ppid' | 'pgid' | 'sid'> & {
  readonly identity: Pick<Identity, 'pid' | 'startTicks'>;
};

/**
 * Formats one append. Each batch begins with a header of its own, so that a ledger survives reboots, a
 * lost beginning and concatenation. It also begins with a line end, so that a line which an earlier
 * writer left unfinished cannot spoil the header. A line is a JSON array: a torn line lacks its bracket
 * and does not parse, so it can never be read as another process.
 */
export function formatBatch(scope: PidScope & WrittenBy, lines: readonly LedgerLine[]): string {
  const { bootId, pidNamespace, project } = scope;
  const whose = project === undefined ? [] : [project];
  const header = JSON.stringify(['devctl-ledger', 1, bootId, pidNamespace, ...whose]);
  const rows = lines.map(({ runId, identity, ppid, pgid, sid }) =>
    JSON.stringify([runId, identity.pid, identity.startTicks, ppid, pgid, sid]),
  );
  return `\n${[header, ...rows].join('\n')}\n`;
}

export interface LedgerParsed {
  readonly entries: readonly WrittenEntry[];
  /** Number of lines that are neither a header nor an entry. */
  readonly ignored: number;
}

/**
 * Parses any concatenation of batches: reads every whole line and counts the others. Of lines that say the same in
 * batches with the same header only the last counts. Never throws.
 */
export function parseLedger(service: string, content: string): LedgerParsed {
  const batches = new Map<string, Map<string, WrittenEntry>>();
  const entries = new Set<WrittenEntry>();
  let ignored = 0;
  let scope: (PidScope & WrittenBy) | null = null;
  let batch = new Map<string, WrittenEntry>();
  for (const line of linesOf(content)) {
    const again = scope === null ? undefined : batch.get(line);
    if (again) {
      entries.delete(again);
      entries.add(again);
      continue;
    }
    const value = parseLine(line);
    const header = toScope(value);
    const entry = scope && toEntry(service, scope, value);
    if (header) {
      scope = header;
      batch = batches.get(line) ?? new Map<string, WrittenEntry>();
      batches.set(line, batch);
    } else if (entry) {
      batch.set(line, entry);
      entries.add(entry);
    } else {
      ignored += 1;
      // Lines after a damaged header would be taken for processes of another boot: ignore them.
      if (line.includes('devctl')) scope = null;
    }
  }
  return { entries: [...entries], ignored };
}

/** Formats the last entry of each identity, in batches, as `appendLedger` would have written them. */
export function formatLatest(entries: readonly WrittenEntry[]): string {
  const latest = new Map(
    entries.map((entry) => [JSON.stringify([entry.runId, entry.identity]), entry]),
  );
  const batches = new Map<string, WrittenEntry[]>();
  for (const entry of latest.values()) {
    const { bootId, pidNamespace } = entry.identity;
    const key = JSON.stringify([bootId, pidNamespace, entry.project]);
    const batch = batches.get(key);
    if (batch) batch.push(entry);
    else batches.set(key, [entry]);
  }
  return [...batches.values()]
    .map((batch) => {
      const [first] = batch;
      return first ? formatBatch({ ...first.identity, project: first.project }, batch) : '';
    })
    .join('');
}

function toScope(value: unknown): (PidScope & WrittenBy) | null {
  if (!Array.isArray(value) || value.length < 4 || value.length > 5) return null;
  const [name, version, bootId, pidNamespace, project] = value as unknown[];
  if (name !== 'devctl-ledger' || version !== 1) return null;
  if (!isLabel(bootId) || !isLabel(pidNamespace)) return null;
  if (value.length === 4) return { bootId, pidNamespace };
  return isText(project) ? { bootId, pidNamespace, project } : null;
}

function toEntry(
  service: string,
  scope: PidScope & WrittenBy,
  value: unknown,
): WrittenEntry | null {
  if (!Array.isArray(value) || value.length !== 6) return null;
  const [runId, pid, startTicks, ppid, pgid, sid] = value as unknown[];
  if (!isRunId(runId) || !isPid(pid) || !isCount(startTicks)) return null;
  if (!isCount(ppid) || !isGroup(pgid) || !isGroup(sid)) return null;
  const { bootId, pidNamespace, project } = scope;
  const identity = { pid, startTicks, bootId, pidNamespace };
  return {
    service,
    runId,
    identity,
    ppid,
    pgid,
    sid,
    ...(project === undefined ? {} : { project }),
  };
}

/** Yields the lines that are not empty. To split the content would make millions of texts at once. */
function* linesOf(content: string): Generator<string> {
  for (let from = 0; from < content.length; ) {
    const at = content.indexOf('\n', from);
    const end = at === -1 ? content.length : at;
    if (end > from) yield content.slice(from, end);
    from = end + 1;
  }
}

/** The form of a header and of an entry. In a damaged ledger, JSON.parse would throw some 100,000 errors. */
const FORM = /^\["(?:devctl-ledger",.*|[^"\\]*"(?:,\d+){5})\]$/;

function parseLine(line: string): unknown {
  if (!FORM.test(line)) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

import type { Identity } from '../processes/identity.ts';
import { isCount, isGroup, isLabel, isPid, isRunId, isText } from './field-checks.ts';

/** Which boot and which PID namespace the pids of a ledger are names of. */
export type Moment = Pick<Identity, 'bootId' | 'pidNamespace'>;

/** The real path of the project whose processes they are: a `.pids` can be copied, or shared. */
interface Ours {
  readonly project?: string | undefined;
}

/** One identity that was seen while it was known to be ours. */
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

/** As a ledger says it, of whatever project. */
export interface WrittenEntry extends LedgerEntry, Ours {}

/** What the appender knows of one identity; `pid` and `startTicks` are of the batch's moment. */
export type LedgerLine = Pick<LedgerEntry, 'runId' | 'ppid' | 'pgid' | 'sid'> & {
  readonly identity: Pick<Identity, 'pid' | 'startTicks'>;
};

/**
 * The text of one append. Each batch begins with its own header, so that ledgers survive reboots,
 * lost beginnings and concatenation; and with a line end, so that a line which an earlier writer
 * left unfinished cannot spoil it. A line is a JSON array: without its bracket it does not parse,
 * so a torn one can never be read as another process.
 */
export function formatBatch(moment: Moment & Ours, lines: readonly LedgerLine[]): string {
  const { bootId, pidNamespace, project } = moment;
  const whose = project === undefined ? [] : [project];
  const header = JSON.stringify(['devctl-ledger', 1, bootId, pidNamespace, ...whose]);
  const rows = lines.map(({ runId, identity, ppid, pgid, sid }) =>
    JSON.stringify([runId, identity.pid, identity.startTicks, ppid, pgid, sid]),
  );
  return `\n${[header, ...rows].join('\n')}\n`;
}

export interface LedgerParsed {
  readonly entries: readonly WrittenEntry[];
  /** How many lines were neither a header nor an entry. */
  readonly ignored: number;
}

/** Reads what is whole, from any concatenation of batches, and counts the rest. Never throws. */
export function parseLedger(service: string, content: string): LedgerParsed {
  const entries: WrittenEntry[] = [];
  let ignored = 0;
  let moment: (Moment & Ours) | null = null;
  for (const line of content.split('\n')) {
    if (line === '') continue;
    const value = parseLine(line);
    const header = toMoment(value);
    const entry = moment && toEntry(service, moment, value);
    if (header) moment = header;
    else if (entry) entries.push(entry);
    else {
      ignored += 1;
      // What follows a damaged header would be taken for processes of another boot.
      if (line.includes('devctl')) moment = null;
    }
  }
  return { entries, ignored };
}

/** The last word on each identity, in batches, as `appendLedger` would have written them. */
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

function toMoment(value: unknown): (Moment & Ours) | null {
  if (!Array.isArray(value) || value.length < 4 || value.length > 5) return null;
  const [name, version, bootId, pidNamespace, project] = value as unknown[];
  if (name !== 'devctl-ledger' || version !== 1) return null;
  if (!isLabel(bootId) || !isLabel(pidNamespace)) return null;
  if (value.length === 4) return { bootId, pidNamespace };
  return isText(project) ? { bootId, pidNamespace, project } : null;
}

function toEntry(service: string, moment: Moment & Ours, value: unknown): WrittenEntry | null {
  if (!Array.isArray(value) || value.length !== 6) return null;
  const [runId, pid, startTicks, ppid, pgid, sid] = value as unknown[];
  if (!isRunId(runId) || !isPid(pid) || !isCount(startTicks)) return null;
  if (!isCount(ppid) || !isGroup(pgid) || !isGroup(sid)) return null;
  const { bootId, pidNamespace, project } = moment;
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

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

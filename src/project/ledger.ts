import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { appendFlags, removeIfThere, unwritable, writeFileAtomically } from './atomic-file.ts';
import { isServiceName } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { keepReads } from './kept-reads.ts';
import {
  formatBatch,
  formatLatest,
  type LedgerEntry,
  type LedgerLine,
  type LedgerParsed,
  MAX_LEDGER_BYTES,
  NO_RUN,
  type PidScope,
  parseLedger,
} from './ledger-lines.ts';
import { isSetAside, type RecordProblem } from './record-problem.ts';
import { whyOfAnotherProject } from './recorded-project.ts';
import { readFolderRecords } from './records.ts';
import { folderProblem, listFileNames, writableFolder } from './records-folder.ts';
import { type FileRead, openOwnFile, readOwnFile, readPart, whyNotAppend } from './safe-file.ts';
import type { ServiceRecord } from './service-record.ts';

/** Size in bytes from which on an appender should compact the ledger: some 4,000 processes. */
export const LEDGER_COMPACT_BYTES = 256 * 1024;

/**
 * Appends witnessed identities to `ledger/NAME`, in one write(2), so that two appenders cannot mix
 * their lines.
 *
 * @returns size of the ledger in bytes, to compare with LEDGER_COMPACT_BYTES
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function appendLedger(
  folder: ProjectFolder,
  service: string,
  scope: PidScope,
  lines: readonly LedgerLine[],
): number {
  const batch = Buffer.from(formatBatch({ ...scope, project: folder.root }, lines));
  const path = ledgerPath(folder, service);
  try {
    for (;;) {
      writableFolder(folder, 'ledger');
      const appended = appendWhole(path, batch);
      // A compaction that ran meanwhile has replaced the file. Then append to the new one, too.
      if (appended.inPlace) return appended.size;
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}

export interface LedgersRead {
  readonly entries: readonly LedgerEntry[];
  /** Entries without a run, which may be ours or those of another manifest. Missing: none. */
  readonly nameless?: readonly LedgerEntry[];
  readonly problems: readonly RecordProblem[];
}

/**
 * Reads every witnessed identity that no compaction has removed, oldest first within each service. An
 * identity that was witnessed in two groups or sessions comes twice. Never throws for a bad file: it becomes a problem.
 *
 * @param others the records of another manifest in this folder: what they name is not ours
 */
export function readLedgers(
  folder: ProjectFolder,
  others: readonly ServiceRecord[] = readFolderRecords(folder).others,
): LedgersRead {
  const entries: LedgerEntry[] = [];
  const nameless: LedgerEntry[] = [];
  const problems: RecordProblem[] = [];
  const blocked = folderProblem(folder, 'ledger');
  if (blocked) return { entries, problems: [blocked] };

  const directory = join(folder.pidsDir, 'ledger');
  for (const service of listFileNames(directory, problems)) {
    if (!isServiceName(service) || isSetAside(service)) continue;
    const path = join(directory, service);
    const parsed = kept.read(
      path,
      () => readParsed(path, service),
      ({ kind }) => kind === 'parsed',
    );
    if (parsed.kind === 'missing') continue;
    if (parsed.kind === 'refused') {
      problems.push({ path, service, kind: 'refused', reason: parsed.reason });
      continue;
    }
    const foreign = new Set<string>();
    for (const { project, ...entry } of parsed.entries) {
      const isNameless = others.length > 0 && entry.runId === NO_RUN;
      if (!isNameless && isOfOthers(entry, others)) continue;
      if (whyOfAnotherProject(folder, { project }) === null)
        (isNameless ? nameless : entries).push(entry);
      else foreign.add(project ?? folder.standing.original ?? 'another project');
    }
    for (const project of foreign) {
      const reason = `lines ignored that belong to the project ${project}`;
      problems.push({ path, service, kind: 'foreign', reason });
    }
    if (parsed.ignored > 0) {
      const reason = `lines ignored that are no entries: ${parsed.ignored}`;
      problems.push({ path, service, kind: 'partial', reason });
    }
  }
  return { entries, problems, ...(nameless.length > 0 ? { nameless } : {}) };
}

type LedgerRead =
  | ({ readonly kind: 'parsed' } & LedgerParsed)
  | Exclude<FileRead, { readonly kind: 'content' }>;

const kept = keepReads<LedgerRead>();

function readParsed(path: string, service: string): LedgerRead {
  const file = readOwnFile(path, MAX_LEDGER_BYTES, 'tail');
  if (file.kind !== 'content') return file;
  return { kind: 'parsed', ...parseLedger(service, file.bytes.toString()) };
}

/**
 * Tells whether an entry is of another manifest in the folder. A ledger does not say of which manifest it is, but
 * the records of that manifest name their runs. An entry without a run may be of either, so it must not be removed.
 */
function isOfOthers({ runId }: LedgerEntry, others: readonly ServiceRecord[]): boolean {
  if (others.length === 0) return false;
  return runId === NO_RUN || others.some((record) => record.runId === runId);
}

/**
 * Rewrites a ledger with only the entries to keep, the last of each identity. Lines that another
 * process appends meanwhile are kept, too.
 *
 * @returns size of the new ledger in bytes
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function compactLedger(
  folder: ProjectFolder,
  service: string,
  keep: (entry: LedgerEntry) => boolean,
): number {
  writableFolder(folder, 'ledger');
  const path = ledgerPath(folder, service);
  const old = openOwnFile(path);
  if (old.kind !== 'open') return 0;
  try {
    const end = old.size;
    const content = readPart(old.fd, Math.max(0, end - MAX_LEDGER_BYTES), end).toString();
    const text = formatLatest(parseLedger(service, content).entries.filter(keep));
    writeFileAtomically(path, text);
    // An appender writes to the new file, too, but only if it looks after the rename. Copy here what it
    // appended before: a line that is written twice is harmless, a lost line is not.
    const late = readPart(old.fd, end, Number.POSITIVE_INFINITY);
    return late.length > 0 ? appendWhole(path, late).size : Buffer.byteLength(text);
  } finally {
    closeSync(old.fd);
  }
}

/**
 * Removes a ledger, after the proof that no process in it is alive. A missing ledger is fine. In a
 * records folder that two projects or two manifests share, the entries of the other one stay. A ledger that cannot
 * be read stays as well, because nothing in it was proved dead.
 *
 * @param others as in `readLedgers`
 * @param only the run whose entries are removed. Missing: every run of the service
 */
export function removeLedger(
  folder: ProjectFolder,
  service: string,
  others: readonly ServiceRecord[] = readFolderRecords(folder).others,
  only?: string,
): void {
  if (folderProblem(folder, 'ledger')) return;
  const path = ledgerPath(folder, service);
  const file = readOwnFile(path, MAX_LEDGER_BYTES, 'tail');
  if (file.kind !== 'content') return;
  const { entries } = parseLedger(service, file.bytes.toString());
  const kept = entries.filter(
    (entry) =>
      whyOfAnotherProject(folder, entry) !== null ||
      isOfOthers(entry, others) ||
      (only !== undefined && entry.runId !== only),
  );
  if (kept.length === 0) removeIfThere(path);
  else writeFileAtomically(path, formatLatest(kept));
}

function appendWhole(path: string, batch: Buffer): { size: number; inPlace: boolean } {
  const fd = openSync(path, appendFlags, 0o600);
  try {
    const found = fstatSync(fd);
    const refused = whyNotAppend(found);
    if (refused) throw new DevctlError('unsafe', `${path} is not safe to use: ${refused}`);
    const written = writeSync(fd, batch);
    if (written < batch.length) {
      // The reader ignores the torn line. To write the rest would take a second write.
      throw new DevctlError('records-unwritable', `cannot write ${path}: the disk is full`, {
        hint: 'free some space and try again',
      });
    }
    // While the file is open, no other file can get its inode number.
    const inPlace = statSync(path, { throwIfNoEntry: false })?.ino === found.ino;
    return { size: fstatSync(fd).size, inPlace };
  } finally {
    closeSync(fd);
  }
}

function ledgerPath(folder: ProjectFolder, service: string): string {
  if (!isServiceName(service)) throw new Error(`not a service name: ${JSON.stringify(service)}`);
  return join(folder.pidsDir, 'ledger', service);
}

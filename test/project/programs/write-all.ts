// Tries every writer and reader on a project folder, and prints the outcomes as JSON. Arguments: the
// project folder.
import { DevctlError } from '../../../src/errors.ts';
import { acquireLock } from '../../../src/lock/lock.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { writeLastStop } from '../../../src/project/last-stop.ts';
import { appendLedger, readLedgers } from '../../../src/project/ledger.ts';
import { readLegacyFiles } from '../../../src/project/legacy-files.ts';
import { readRecords } from '../../../src/project/records.ts';
import { prepareFolder } from '../../../src/project/records-folder.ts';
import { isAlive, selfIdentity } from './alive.ts';

const folder = projectFolder(process.argv[2] ?? '');
const identity = selfIdentity();
const runId = '0123456789abcdef0123456789abcdef';

const facts = { leaders: new Set<number>(), elsewhereAtMs: null, bootedAtMs: 0 };
const { records, problems } = readRecords(folder);
const outcome = {
  prepare: await attempt(() => prepareFolder(folder)),
  lastStop: await attempt(() => writeLastStop(folder, { version: 1 })),
  ledger: await attempt(() => {
    // More than the room that is left on the full disk of the test.
    const lines = Array.from({ length: 3000 }, () => ({
      runId,
      identity,
      ppid: 2,
      pgid: 2,
      sid: 2,
    }));
    appendLedger(folder, 'web', identity, lines);
  }),
  lock: await attempt(async () => {
    const lock = await acquireLock(folder, { identity, command: 'all', isAlive, waitMs: 0 });
    if (lock.kind === 'held') lock.release();
  }),
  records: records.map(({ service }) => service),
  refused: [...problems, ...readLegacyFiles(folder, facts).problems].map(({ reason }) => reason),
  ledgerProblems: readLedgers(folder).problems.map(({ kind }) => kind),
};
process.stdout.write(JSON.stringify(outcome));

async function attempt(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'ok';
  } catch (error) {
    if (!(error instanceof DevctlError)) throw error;
    return `${error.code} | ${error.message} | ${error.hint}`;
  }
}

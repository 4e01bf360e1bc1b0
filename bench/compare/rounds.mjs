// One round of one supervisor: start, status, stop, each seen from outside.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openHolders } from './holders.mjs';
import { memoryOf, openCpuMeter, supervisorsIn } from './resident.mjs';
import { openSession } from './session.mjs';

/** Seconds that a service has to end. Each of these ends at once. */
const GRACE = 4;
/** In ms: the time after a start in which a supervisor still has work with it, and as long again. */
const IDLE_MS = 10_000;
/** How long a supervisor may take to end by itself after it was told to, in ms. */
const QUIT_MS = 5_000;

/** A time of its own for `node -e 0`, in ms. */
async function timeBare(environment) {
  const from = performance.now();
  const bare = spawn(process.execPath, ['-e', '0'], { env: environment, stdio: 'ignore' });
  await new Promise((resolve) => bare.once('exit', resolve));
  return performance.now() - from;
}

/**
 * @param one { adapter, found, size, isIdle }: with `isIdle` it stands still for 20 s before the stop
 * @param bench { root, oracle, environment, mark, endProcesses }
 * @param record is told of each figure: name, value
 */
export async function playRound({ adapter, found, size, isIdle }, bench, record) {
  const { oracle, environment, mark } = bench;
  const folder = bench.newFolder();
  const holders = openHolders(folder);
  const services = holders.services(size);
  const given = { adapter, found, folder, services, grace: GRACE, mark, environment };
  const session = openSession(given);
  const timed = async (name, act) => {
    const from = performance.now();
    const at = await act();
    record(name, at === null ? null : at - from);
    return { from, at };
  };
  const supervisors = () => supervisorsIn(oracle.everything(), holders.marker);
  try {
    record('bare', await timeBare(environment));
    const [, up] = await Promise.all([
      timed('start', () => session.start()),
      timed('up', () => holders.allUp()),
    ]);
    if (holders.isHeld() === false) throw new Error('all came, and none has the marker open');
    if (up.at === null) throw new Error('not all came');
    if (isIdle) await idle(supervisors(), record);
    await timed('status', () => session.status());
    record('memory', memoryOf(supervisors()));
    await Promise.all([
      timed('stop', () => session.stop()),
      timed('none', () => holders.noneLeft()),
    ]);
    record('left', leftOf(oracle, holders));
    await session.quit();
    await untilNone(supervisors);
    record('litter', supervisors().length);
  } catch (error) {
    error.message += `\n${session.output()}`;
    throw error;
  } finally {
    holders.close();
    await bench.endProcesses(oracle.everything);
  }
}

async function idle(pids, record) {
  const cpuMs = openCpuMeter(pids);
  for (const name of ['cpu at first', 'cpu later']) {
    const before = cpuMs();
    const from = performance.now();
    await setTimeout(IDLE_MS);
    record(name, (100 * (cpuMs() - before)) / (performance.now() - from));
  }
}

/** Counts the processes that have the marker open. The lease is asked as well, because it does not look through /proc. */
function leftOf(oracle, { marker, isHeld }) {
  const left = oracle.everything().filter(({ files }) => files.includes(marker)).length;
  const held = isHeld();
  if (held !== null && held !== left > 0) {
    throw new Error(`the lease says ${held ? 'held' : 'free'}, /proc says ${left} processes`);
  }
  return left;
}

async function untilNone(find) {
  const end = performance.now() + QUIT_MS;
  while (find().length > 0 && performance.now() < end) await setTimeout(50);
}

/** Makes the folders of sessions below `root`. */
export function folderMaker(root) {
  let count = 0;
  return () => {
    count += 1;
    const folder = path.join(root, String(count));
    mkdirSync(folder);
    return folder;
  };
}

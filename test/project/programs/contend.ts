// One of many processes that want the same lock. Arguments: project folder, rounds, and the chance in
// percent that the process kills itself while it holds the lock.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../../../src/lock/lock.ts';
import type { Identity } from '../../../src/processes/identity.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { isAlive, selfIdentity } from './alive.ts';

const [root = '', rounds = '1', deadly = '0'] = process.argv.slice(2);
const folder = projectFolder(root);
const inside = join(root, 'inside');
const identity = selfIdentity();

for (let round = 0; round < Number(rounds); round += 1) {
  const lock = await acquireLock(folder, { identity, command: 'contend', isAlive, waitMs: 60_000 });
  if (lock.kind === 'busy') throw new Error(`no lock after 60 s: ${JSON.stringify(lock)}`);
  await enter();
  if (Math.random() * 100 < Number(deadly)) process.kill(process.pid, 'SIGKILL');
  // Gives the others a chance to come in, too.
  await new Promise((resolve) => setImmediate(resolve));
  rmSync(inside);
  lock.release();
}

/**
 * Fails when another process is inside, too. A process that died inside does not count, so it asks
 * whether the other one is alive.
 */
async function enter(): Promise<void> {
  try {
    writeFileSync(inside, JSON.stringify(identity), { flag: 'wx' });
  } catch {
    const other: Identity | null = JSON.parse(readFileSync(inside, 'utf8') || 'null');
    if (other && (await isAlive(other))) {
      writeFileSync(join(root, `breach-${process.pid}`), `${other.pid} was inside`);
      throw new Error(`two at a time: ${process.pid} and ${other.pid}`);
    }
    writeFileSync(inside, JSON.stringify(identity));
  }
}

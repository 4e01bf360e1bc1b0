import { statSync } from 'node:fs';
import { errnoOf } from '../../errors.ts';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import type { Probe, ProbeContext } from './probe.ts';

/** Creates the probe that succeeds when a file was made or changed since the spawn. */
export function fileProbe(
  { path }: Extract<ProbeCheck, { kind: 'file' }>,
  { spawnedAtMs }: Pick<ProbeContext, 'spawnedAtMs'>,
): Probe {
  return {
    attemptMs: 5_000,
    attempt: async () => {
      try {
        // Every change sets it, and nobody can set it (inode(7)). A file that is moved to its place gets a new one, too.
        const { ctimeMs } = statSync(path);
        if (ctimeMs >= spawnedAtMs - TICK_MS) return { kind: 'ok' };
        return { kind: 'not-yet', reason: `${path} was not changed since the start` };
      } catch (error) {
        const why =
          errnoOf(error) === 'ENOENT' ? 'is not there' : `cannot be read: ${errnoOf(error)}`;
        return { kind: 'not-yet', reason: `${path} ${why}` };
      }
    },
  };
}

/** File systems take the time of the kernel's last tick, which may be so much before the present, in ms. */
const TICK_MS = 10;

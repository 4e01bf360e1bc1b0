import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from './clean-environment.ts';
import { endProcesses } from './end-processes.ts';
import { BYSTANDER_MARK } from './oracle.ts';
import { repositoryRoot } from './paths.ts';
import { readProcesses } from './read-processes.ts';
import { describeSeen, type SeenProcess } from './seen-process.ts';
import { until } from './until.ts';

/** Processes that a stop must not touch. */
export interface Bystanders extends AsyncDisposable {
  readonly kinds: readonly string[];
  /** Names the processes that are not alive any more, or not the same processes as before. */
  missing(): readonly string[];
}

export interface BystanderRecipe {
  /** The name of the recipe. */
  readonly kind: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
}

/** The folder of the recipes. */
export const RECIPES_FOLDER = join(repositoryRoot, 'fixtures', 'bystanders');
const KIND = 'DEVCTL_TEST_KIND';

/** A recipe makes this file in the folder outside when it gives up. */
export const FAILED = 'failed';

/**
 * Carries out each recipe as from another terminal (no process above it is above devctl), and waits until
 * all processes are those that the recipes describe.
 *
 * @param outside an empty folder that the project has nothing to do with
 * @param env variables for the recipes; FULL and AS, which `as.pl` needs, are added
 * @param uid the user that runs the recipes, if not our own
 */
export async function startBystanders(
  recipes: readonly BystanderRecipe[],
  outside: string,
  env: Readonly<Record<string, string>>,
  uid?: number,
): Promise<Bystanders> {
  const full = fillFifo(join(outside, 'full'));
  const group = `${KIND}_OF=${outside}`;
  const [mark = '', value = ''] = BYSTANDER_MARK.split('=');
  for (const { kind, command, cwd = '/' } of recipes) {
    spawn('/bin/sh', ['-c', '"$0" "$@" &', ...command], {
      cwd,
      env: {
        ...cleanEnvironment(),
        HOME: outside,
        AS: join(RECIPES_FOLDER, 'as.pl'),
        FULL: full.path,
        ...env,
        [mark]: value,
        [KIND]: kind,
        [`${KIND}_OF`]: outside,
      },
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
  }

  const kinds = recipes.map(({ kind }) => kind);
  const find = () =>
    readProcesses()
      .filter((one) => !one.zombie && isOf(one, group))
      .map((one) => ({ ...one }));
  const close = async (): Promise<void> => {
    await endProcesses(find);
    closeSync(full.fd);
  };
  let before = '';
  try {
    const all = await until(
      () => {
        if (existsSync(join(outside, FAILED))) return [];
        const found = find();
        const missing = kinds.filter((kind) => !found.some((one) => isOf(one, `${KIND}=${kind}`)));
        // These recipes are still at work.
        const busy = found.filter(({ argv }) =>
          argv.some((word) => word.startsWith(RECIPES_FOLDER)),
        );
        const now = [...missing, ...busy.map(describeSeen), found.length].join('\n');
        const settled = missing.length + busy.length === 0 && now === before;
        before = now;
        return settled ? found : null;
      },
      () => before,
    );
    if (all.length === 0) throw new Error('The bystanders cannot be had: see stderr');
    return {
      kinds,
      missing() {
        const now = new Set(find().map(identityOf));
        return all.filter((one) => !now.has(identityOf(one))).map(describeSeen);
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Makes a FIFO without any room, so that a process that writes into it waits. */
function fillFifo(path: string): { readonly path: string; readonly fd: number } {
  spawnSync('mkfifo', ['-m', '666', path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const page = Buffer.alloc(4096);
  try {
    while (writeSync(fd, page) > 0);
  } catch {
    // EAGAIN: that was the last free page.
  }
  return { path, fd };
}

function isOf({ environment }: SeenProcess, entry: string): boolean {
  return environment.includes(entry);
}

function identityOf({ pid, started }: SeenProcess): string {
  return `${pid}:${started}`;
}

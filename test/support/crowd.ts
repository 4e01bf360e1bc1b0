import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from './clean-environment.ts';
import { endProcesses } from './end-processes.ts';
import { BYSTANDER_MARK } from './oracle.ts';
import { repositoryRoot } from './paths.ts';
import { readProcesses } from './read-processes.ts';
import { describeSighting, type Sighting } from './sighting.ts';
import { until } from './until.ts';

/** What the recipes of `fixtures/bystanders/` are told, as environment variables. */
export interface CrowdPlace {
  /** The project folder. */
  readonly ROOT: string;
  /** An empty folder that has nothing to do with it. */
  readonly OUTSIDE: string;
  /** The project's id and a run of one of its services, as they stand in its cookies. */
  readonly ID: string;
  readonly RUN: string;
  /** Log and stdin of a service, and a port that it listens on. */
  readonly LOG: string;
  readonly FIFO: string;
  readonly PORT: string;
  /** The pid of a process of a service. */
  readonly TARGET: string;
}

/** Everybody whom a stop has no business with, at once. */
export interface Crowd extends AsyncDisposable {
  readonly kinds: readonly string[];
  /** Who is not alive any more, or not the very process that it was. */
  missing(): readonly string[];
}

const FOLDER = join(repositoryRoot, 'fixtures', 'bystanders');
const KIND = 'DEVCTL_TEST_KIND';

/**
 * Starts one of each kind in `fixtures/bystanders/` that this machine can have, as from another terminal:
 * nothing above them is above devctl.
 *
 * @param uid the user who runs them, if not our own
 */
export async function gatherCrowd(place: CrowdPlace, uid?: number): Promise<Crowd> {
  const kinds = readdirSync(FOLDER)
    .flatMap((name) => (name.endsWith('.sh') ? [name.slice(0, -3)] : []))
    .filter((kind) => needsOf(kind).every((need) => has(need, uid)));
  const full = fillFifo(join(place.OUTSIDE, 'full'));
  const group = `${KIND}_OF=${place.OUTSIDE}`;
  for (const kind of kinds) startKind(kind, place, full.path, uid);

  const find = () => readProcesses().filter((one) => isOf(one, group) && !one.zombie);
  let before = '';
  const all = await until(
    () => {
      const found = find();
      const missing = kinds.filter((kind) => !found.some((one) => isOf(one, `${KIND}=${kind}`)));
      // Still a recipe that is being carried out?
      const busy = found.some(({ argv }) => argv.some((word) => word.startsWith(FOLDER)));
      const now = [...missing, busy, ...found.map(({ pid }) => pid)].join(' ');
      const settled = missing.length === 0 && !busy && now === before;
      before = now;
      return settled ? found : null;
    },
    () => before,
  );
  return {
    kinds,
    missing() {
      const now = new Set(find().map(identityOf));
      return all.filter((one) => !now.has(identityOf(one))).map(describeSighting);
    },
    async [Symbol.asyncDispose]() {
      await endProcesses(find);
      closeSync(full.fd);
    },
  };
}

/** A FIFO that has no room left: whoever writes into it waits. */
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

function startKind(kind: string, place: CrowdPlace, full: string, uid: number | undefined): void {
  const [mark = '', value = ''] = BYSTANDER_MARK.split('=');
  const { HOME: _, ...clean } = cleanEnvironment();
  spawn('/bin/sh', ['-c', 'sh "$0" &', join(FOLDER, `${kind}.sh`)], {
    cwd: '/',
    env: {
      ...clean,
      ...place,
      HOME: place.OUTSIDE,
      FULL: full,
      AS: join(FOLDER, 'as.pl'),
      [mark]: value,
      [KIND]: kind,
      [`${KIND}_OF`]: place.OUTSIDE,
    },
    detached: true,
    stdio: ['ignore', 'ignore', process.env.DEVCTL_TEST_TRACE ? 'inherit' : 'ignore'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** The third line of a recipe may say what it takes: `# Needs: root tmux`. */
function needsOf(kind: string): readonly string[] {
  const text = readFileSync(join(FOLDER, `${kind}.sh`), 'utf8');
  return /^# Needs: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
}

function has(need: string, uid: number | undefined): boolean {
  const isRoot = (uid ?? process.getuid?.()) === 0;
  if (need === 'root') return isRoot;
  // To trace what is no child of ours takes root where Yama is (ptrace(2), ptrace_scope).
  if (need === 'ptrace') return isRoot && process.platform === 'linux' && mayTrace();
  return spawnSync('/bin/sh', ['-c', `command -v ${need}`]).status === 0;
}

/** Containers often forbid it even to root. */
function mayTrace(): boolean {
  const number = { x64: 101, arm64: 117 }[process.arch as string];
  if (number === undefined) return false;
  const program = `$p = fork // die; sleep 5, exit unless $p; $r = syscall(${number}, 0x4206, $p, 0, 0); kill 9, $p; exit($r != 0)`;
  return spawnSync('perl', ['-e', program]).status === 0;
}

function isOf({ environment }: Sighting, entry: string): boolean {
  return environment.includes(entry);
}

function identityOf({ pid, started }: Sighting): string {
  return `${pid}:${started}`;
}

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { StopReport } from '../../../src/stopping/report.ts';
import { endProcesses, signalExactly } from '../end-processes.ts';
import { canBind, freePorts } from '../free-ports.ts';
import { readProcesses } from '../read-processes.ts';
import { currentRunFolder } from '../run-folder.ts';
import type { SeenProcess } from '../seen-process.ts';
import { until } from '../until.ts';
import { startZooBystanders } from './bystanders.ts';
import { cgroupBase, delegateGroup } from './cgroups.ts';
import { isHeld, isRun, type Mode } from './modes.ts';
import { commandOf, type Exhibit, linesOf } from './service.ts';
import { openTracks, type Tracks } from './tracks.ts';
import { asUser, environmentOf, installFor, uidOf } from './user.ts';

/** The outcome of one start and one stop of the zoo in one mode. */
export interface Visit {
  readonly mode: Mode;
  readonly services: readonly string[];
  /** The number of living processes before the stop, and before the fault. */
  readonly before: number;
  readonly exitCode: number;
  readonly report: StopReport | null;
  readonly stderr: string;
  /** The processes that were alive after the stop, or came later, by service. */
  readonly left: ReadonlyMap<string, readonly SeenProcess[]>;
  readonly bystanders: number;
  readonly deadBystanders: readonly string[];
  /** Services that did not get their grace period, where the stop was to give it. */
  readonly cutShort: readonly string[];
  /** Declared ports that cannot be bound. */
  readonly portsTaken: readonly number[];
  /** Supervisors, one-offs and cgroups that are still there. */
  readonly litter: readonly string[];
  /** Services that were not set up in time. */
  readonly notReady: readonly string[];
}

/** The grace period. A child needs 1.5 s, and the machine is busy with the rest of the zoo. */
const STOP_GRACE = '4s';
const TIMEOUT_MS = 180_000;
/** The number of one-offs that begin at the same time. */
const MOST_RUNS = 10;

/**
 * Starts these services in a project of their own, does to the supervisor what the mode says, stops, and
 * looks for processes that are left. It ends these.
 */
export async function visit(mode: Mode, exhibits: readonly Exhibit[]): Promise<Visit> {
  const uid = uidOf(mode);
  if (uid !== null) chmodSync(currentRunFolder(), 0o755);
  const root = mkdtempSync(join(currentRunFolder(), 'zoo-'));
  const marks = join(root, 'marks');
  const home = join(root, 'home');
  const tracks = openTracks(marks);
  const installation = installFor(uid, currentRunFolder());
  const base = mode.cgroup && uid !== null ? cgroupBase() : null;
  const group = base !== null && uid !== null ? delegateGroup(base, uid) : null;
  const ports = await freePorts(exhibits.length);
  // A process that has escaped holds its port, and then a second start rightly starts nothing.
  const declares = (exhibit: Exhibit | undefined) =>
    mode.holder !== 'adopted' && !isRun(mode) && usesPort(exhibit);
  const declared = ports.filter((_, index) => declares(exhibits[index]));
  for (const folder of [marks, home]) mkdirSync(folder, { mode: 0o777 });
  const services = Object.fromEntries(
    exhibits.map((exhibit, index) => {
      const mark = tracks.mark(exhibit.name);
      const port = ports[index] ?? 0;
      writeFileSync(mark, '');
      if (uid !== null) chownSync(mark, uid, uid);
      const command = commandOf(exhibit, { mark, port, folder: installation.zoo });
      return [
        exhibit.name,
        { command, ...(declares(exhibit) ? { ports: [port], ready: 'spawned' } : {}) },
      ];
    }),
  );
  // A one-off cannot have the name of a service.
  const manifest = isRun(mode) ? { unused: { command: 'true' } } : services;
  const text = JSON.stringify({ stopGrace: STOP_GRACE, settle: 0, services: manifest });
  writeFileSync(join(root, '.devctl.json'), text);
  // Some of them become another user.
  chmodSync(root, 0o755);
  chmodSync(marks, 0o777);
  if (uid !== null) for (const path of [root, marks, home]) chownSync(path, uid, uid);

  const commands = Object.fromEntries(
    Object.entries(services).map(([name, { command }]) => [name, command]),
  );
  const options = {
    cwd: root,
    env: environmentOf(mode, home),
    extendEnv: false,
    reject: false,
  } as const;
  const commandLine = (args: readonly string[]) =>
    asUser(uid, group?.procs ?? null, [process.execPath, installation.program, ...args]);
  const devctl = async (...args: readonly string[]) => {
    const [file, ...rest] = commandLine(args);
    return execa(file, rest, { ...options, stdin: 'ignore', timeout: TIMEOUT_MS });
  };
  const logOf = (name: string) =>
    isRun(mode) ? join(root, `${name}.log`) : join(root, '.pids', 'logs', `${name}.log`);
  /** Starts each as a one-off, with a shell above it that stays. Each waits for the lock, so not too many begin at once. */
  const runEach = async () => {
    for (const [index, [name, command]] of Object.entries(commands).entries()) {
      const wait = ['/bin/sh', '-c', '"$@"; exec sleep 600', 'sh', ...command];
      const [file, ...rest] = commandLine([
        'run',
        '--name',
        name,
        '--grace',
        STOP_GRACE,
        '--',
        ...wait,
      ]);
      const log = { file: logOf(name), append: true };
      // A session of its own, so that it has no terminal.
      void execa(file, rest, {
        ...options,
        stdin: 'ignore',
        stdout: log,
        stderr: log,
        detached: true,
      });
      await comesTrue(() => recordedIn(root) > index - MOST_RUNS);
    }
  };
  const litter: string[] = [];
  try {
    const start = async () => {
      const started = await devctl('start');
      // 1: the main process of some services ends at once.
      if (![0, 1].includes(started.exitCode ?? -1)) {
        throw new Error(`start failed: ${started.stderr}`);
      }
    };
    if (isRun(mode)) await runEach();
    else await start();
    const notReady = await settle(tracks, exhibits);
    const service = exhibits[0]?.name ?? '';
    const elsewhere = join(root, '..', `${root.split('/').at(-1)}-elsewhere`);
    await using bystanders = await startZooBystanders({
      uid,
      root,
      elsewhere,
      zoo: installation.zoo,
      service,
      log: logOf(service),
    });
    const before = tracks.all().length;
    if (mode.holder === 'killed' || mode.holder === 'adopted') {
      await endHolders(() => supervisorsIn(root), 'SIGKILL');
    }
    if (mode.holder === 'adopted') {
      await start();
      await settle(tracks, exhibits);
    }
    if (mode.holder === 'run-killed') await endHolders(() => runsIn(root), 'SIGKILL');
    if (mode.holder === 'run-ended') await endHolders(() => runsIn(root), 'SIGTERM');
    const stop = await devctl('stop', '--json', ...(mode.force ? ['--force'] : []));
    const left = await lookTwice(tracks, exhibits);
    for (const { pid } of supervisorsIn(root)) litter.push(`supervisor ${pid}`);
    // Each one-off looks by itself whether anything is left.
    await comesTrue(() => runsIn(root).length === 0);
    for (const { pid } of runsIn(root)) litter.push(`devctl run ${pid}`);
    const taken = await Promise.all(
      declared.map(async (port) => ((await canBind(port)) ? [] : port)),
    );
    return {
      mode,
      services: exhibits.map(({ name }) => name),
      before,
      exitCode: stop.exitCode ?? -1,
      report: parse(stop.stdout),
      stderr: stop.stderr,
      left,
      bystanders: bystanders.count,
      deadBystanders: bystanders.dead(),
      cutShort: cutShort(mode, exhibits, tracks, left),
      portsTaken: taken.flat(),
      litter,
      notReady,
    };
  } finally {
    // A storm ends by itself when its mark is gone. It can be too fast for `endProcesses`.
    rmSync(marks, { recursive: true, force: true });
    await endProcesses(() => [...tracks.all(), ...supervisorsIn(root), ...waitersIn(root)]);
    rmSync(root, { recursive: true, force: true });
    rmSync(`${root}-elsewhere`, { recursive: true, force: true });
    try {
      group?.[Symbol.dispose]();
    } catch (error) {
      litter.push(String(error));
    }
  }
}

/** Lists what is wrong. Empty for a good visit. */
export function faultsOf(seen: Visit): string[] {
  const { mode, report, left, litter } = seen;
  const faults: string[] = [];
  const gone = [...left].map(([name, list]) => `${name} (${list.length || 'writes'})`).join(', ');
  if (isHeld(mode) && gone) faults.push(`got away although all was held: ${gone}`);
  if (!report) faults.push(`no report: ${seen.stderr}`);
  if (report?.proof.strength === 'complete' && gone) faults.push(`"complete", but left: ${gone}`);
  if (report?.proof.strength === 'complete' && !isHeld(mode)) {
    faults.push('"complete", but nothing held for the whole run');
  }
  if (isHeld(mode) && seen.exitCode !== 0)
    faults.push(`exit code ${seen.exitCode}: ${seen.stderr}`);
  for (const what of seen.deadBystanders) faults.push(`a bystander died: ${what}`);
  for (const name of seen.cutShort) faults.push(`${name} did not get its grace period`);
  // With survivors the supervisor stays, because it contains them.
  if (seen.exitCode !== 4) for (const what of litter) faults.push(`left behind: ${what}`);
  for (const name of seen.notReady) faults.push(`${name} never came to stand`);
  if (isHeld(mode)) for (const port of seen.portsTaken) faults.push(`port ${port} is taken`);
  return faults;
}

function recordedIn(root: string): number {
  const folder = join(root, '.pids', 'services');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).filter((name) => !name.startsWith('.')).length;
}

function usesPort(exhibit: Exhibit | undefined): boolean {
  return exhibit?.behaviours.some(({ port }) => port) ?? false;
}

/** Waits until every service is set up. Returns the names of the others. */
async function settle(tracks: Tracks, exhibits: readonly Exhibit[]): Promise<string[]> {
  const missing = () =>
    exhibits.filter((one) => tracks.lines(one.name).length < linesOf(one)).map(({ name }) => name);
  await comesTrue(() => missing().length === 0);
  return missing();
}

function comesTrue(isSo: () => boolean): Promise<boolean> {
  return until(isSo).catch(() => false);
}

function supervisorsIn(root: string): SeenProcess[] {
  return readProcesses().filter(
    ({ argv, zombie }) => !zombie && argv.join(' ').includes(`/dist/supervisor/main.js ${root} `),
  );
}

/** The processes of `devctl run` in the folder. */
function runsIn(root: string): SeenProcess[] {
  return readProcesses().filter(
    ({ argv, cwd, zombie }) =>
      !zombie && cwd === root && argv[1]?.endsWith('/bin/devctl.js') && argv[2] === 'run',
  );
}

/** One-offs, and the shells of `runEach`: they have no mark. */
function waitersIn(root: string): SeenProcess[] {
  const shells = readProcesses().filter(
    ({ argv, cwd, zombie }) => !zombie && cwd === root && argv.join(' ') === 'sleep 600',
  );
  return [...runsIn(root), ...shells];
}

async function endHolders(
  find: () => readonly SeenProcess[],
  signal: 'SIGKILL' | 'SIGTERM',
): Promise<void> {
  const holders = find();
  if (holders.length === 0) throw new Error('there is nobody who holds them');
  for (const holder of holders) signalExactly(holder, signal);
  // Each gives its processes the grace period, dozens of them at once.
  if (!(await comesTrue(() => find().length === 0))) throw new Error('who holds them lives on');
}

/** Looks now, and once more a little later: late processes count as well, and processes that still write. */
async function lookTwice(
  tracks: Tracks,
  exhibits: readonly Exhibit[],
): Promise<ReadonlyMap<string, readonly SeenProcess[]>> {
  const now = tracks.living();
  const sizes = exhibits.map(({ name }) => [name, tracks.size(name)] as const);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const writing = sizes.filter(([name, size]) => tracks.size(name) > size);
  return new Map([...writing.map(([name]) => [name, []] as const), ...now, ...tracks.living()]);
}

/** Names the services without their grace period. An escaped process was never asked, so it had none to be cut. */
function cutShort(
  mode: Mode,
  exhibits: readonly Exhibit[],
  tracks: Tracks,
  left: ReadonlyMap<string, unknown>,
): string[] {
  if (mode.force) return [];
  return exhibits
    .filter(({ name, behaviours }) => behaviours.every(({ grace }) => grace) && !left.has(name))
    .map(({ name }) => name)
    .filter((name) => !tracks.lines(name).includes('cleaned'));
}

function parse(text: string): StopReport | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

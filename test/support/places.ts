import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { execa } from 'execa';
import { cleanEnvironment } from './clean-environment.ts';
import { removeControlGroups } from './control-groups.ts';
import { type DevctlResult, devctlWith } from './devctl.ts';
import { endProcesses, signalExactly } from './end-processes.ts';
import { isGuard } from './oracle.ts';
import { readProcesses, startOf, startTimeNow } from './read-processes.ts';
import type { SeenProcess } from './seen-process.ts';
import { removeAll } from './services.ts';
import { temporaryProject } from './temporary-project.ts';
import { unsettled } from './unsettled.ts';
import { until } from './until.ts';

/** A folder for several projects whose places change, with a state folder of its own. */
export interface Ground extends AsyncDisposable {
  readonly root: string;
  /** The folder of the registry and of the reports of stops without a project: `$XDG_STATE_HOME/devctl`. */
  readonly state: string;
  /** Absolute path of a name on this ground; an absolute path stays. */
  path(name: string): string;
  /** Makes a fresh folder on another file system than the ground. */
  otherFileSystem(): string;
  /** Writes a manifest into a folder. */
  write(name: string, manifest?: object): void;
  /** Starts the project in a folder, with the usual manifest where there is none. */
  start(name: string): Promise<Run>;
  /** Runs devctl in a folder. */
  devctl(name: string, ...args: readonly string[]): Promise<DevctlResult>;
  /** Starts an innocent program in a folder, in a session of its own. It is ended with the ground. */
  bystander(name: string): Promise<SeenProcess>;
  /** Runs another program in the ground: `ground.run('mv', 'P', 'Q')`. */
  run(command: string, ...args: readonly string[]): Promise<string>;
  /** Removes a folder as `rm -rf` does, also while a supervisor writes into it. */
  remove(name: string): Promise<void>;
  /** The command of a process that `living` counts, for a manifest of a test. */
  readonly sleep: string;
  /** Every living process that services on this ground have started. */
  living(): readonly SeenProcess[];
  /** Living supervisors and guards that were started on this ground. */
  residents(): readonly SeenProcess[];
}

/** The processes that one start has started. */
export interface Run {
  /** The folder where it was started. */
  readonly path: string;
  readonly processes: readonly SeenProcess[];
  readonly supervisor: SeenProcess;
  /** The command lines of its processes that live. */
  living(): readonly string[];
}

/** A leader, a leader with a daemon, and that daemon. */
const MEMBERS = 3;

/**
 * The usual services: one that is only a leader, and one that leaves a daemon without parent, session, environment,
 * output and folder, so that only the kernel and the records tie it to the project.
 */
function services(seconds: number): object {
  const bare = `setsid -f env -i sleep ${seconds} </dev/null >/dev/null 2>&1`;
  return {
    web: { command: `echo web is up; exec sleep ${seconds}` },
    away: { command: `cd / && ${bare}; exec sleep ${seconds}` },
  };
}

/** @param env variables of every command, on top of those of the ground */
export async function openGround(env: Readonly<Record<string, string>> = {}): Promise<Ground> {
  const base = await temporaryProject();
  const since = startTimeNow();
  const seconds = 100_000_000 + Math.floor(Math.random() * 800_000_000);
  const stateHome = join(base.root, '.state');
  const others: string[] = [];
  const places = new Set<string>();

  const path = (name: string): string => (isAbsolute(name) ? name : join(base.root, name));
  const living = (): SeenProcess[] =>
    readProcesses(since).filter(
      ({ zombie, argv }) => !zombie && argv.join(' ') === `sleep ${seconds}`,
    );
  const bystanders = (): SeenProcess[] =>
    readProcesses(since).filter(
      ({ zombie, argv }) => !zombie && argv.join(' ') === `sleep ${seconds + 1}`,
    );
  const residents = (): SeenProcess[] =>
    base.oracle.everything().filter((one) => isGuard(one) || isSupervisor(one));
  const ground: Ground = {
    root: base.root,
    state: join(stateHome, 'devctl'),
    path,
    otherFileSystem() {
      const folder = realpathSync(mkdtempSync('/dev/shm/devctl-test-'));
      others.push(folder);
      return folder;
    },
    write(name, manifest = { services: services(seconds) }) {
      mkdirSync(path(name), { recursive: true });
      writeFileSync(join(path(name), '.devctl.json'), unsettled(JSON.stringify(manifest, null, 2)));
    },
    async start(name) {
      if (!existsSync(join(path(name), '.devctl.json'))) ground.write(name);
      const before = new Set(living().map(keyOf));
      const { exitCode, stderr } = await ground.devctl(name, 'start');
      if (exitCode !== 0) throw new Error(`start in ${name}: exit code ${exitCode}\n${stderr}`);
      const fresh = () => living().filter((one) => !before.has(keyOf(one)));
      await until(() => fresh().length === MEMBERS);
      const real = realpathSync(path(name));
      const supervisor = await until(() => residents().find((one) => one.argv.includes(real)));
      const processes = fresh();
      return {
        path: real,
        processes,
        supervisor,
        living: () => processes.filter(isAlive).map(tell),
      };
    },
    devctl(name, ...args) {
      if (existsSync(path(name))) places.add(realpathSync(path(name)));
      const options = { cwd: path(name), env: { XDG_STATE_HOME: stateHome, ...env } };
      return devctlWith(base, options, ...args);
    },
    async bystander(name) {
      const before = new Set(bystanders().map(keyOf));
      const options = { cwd: path(name), env: cleanEnvironment(), extendEnv: false } as const;
      await execa('setsid', ['-f', 'sleep', String(seconds + 1)], { ...options, stdio: 'ignore' });
      return until(() => bystanders().find((one) => !before.has(keyOf(one))));
    },
    async run(command, ...args) {
      return (await execa(command, args, { cwd: base.root })).stdout;
    },
    remove: (name) => removeAll(path(name)),
    sleep: `sleep ${seconds}`,
    living,
    residents,
    async [Symbol.asyncDispose]() {
      await endProcesses(() => [...base.oracle.everything(), ...living(), ...bystanders()]);
      for (const place of places) await removeControlGroups(place);
      for (const folder of others) rmSync(folder, { recursive: true, force: true });
      await base[Symbol.asyncDispose]();
    },
  };
  return ground;
}

/** Kills the supervisor of a run. */
export async function killSupervisorOf({ supervisor }: Run): Promise<void> {
  signalExactly(supervisor, 'SIGKILL');
  await until(() => !isAlive(supervisor));
}

/**
 * Starts a project, and kills its supervisor and its guard.
 *
 * @param processes number of processes that its services have
 * @param meanwhile what happens while the supervisor lives
 */
export async function startAbandoned(
  ground: Ground,
  name: string,
  { manifest, processes }: { readonly manifest: object; readonly processes: number },
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<readonly SeenProcess[]> {
  const before = new Set([...ground.living(), ...ground.residents()].map(keyOf));
  const fresh = (all: readonly SeenProcess[]) => all.filter((one) => !before.has(keyOf(one)));
  ground.write(name, manifest);
  const { exitCode, stderr } = await ground.devctl(name, 'start');
  if (exitCode !== 0) throw new Error(`start in ${name}: exit code ${exitCode}\n${stderr}`);
  await until(() => fresh(ground.living()).length === processes);
  const started = fresh(ground.living());
  await meanwhile();
  await until(() => {
    for (const one of fresh(ground.residents())) signalExactly(one, 'SIGKILL');
    return fresh(ground.residents()).length === 0;
  });
  return started;
}

/** True while exactly this process is alive. */
export function isAlive({ pid, started }: SeenProcess): boolean {
  if (startOf(pid) !== started) return false;
  return readProcesses().some((one) => one.pid === pid && !one.zombie);
}

function isSupervisor({ argv }: SeenProcess): boolean {
  return argv.slice(1, 3).some((word) => word.endsWith('/dist/supervisor/main.js'));
}

export function keyOf({ pid, started }: SeenProcess): string {
  return `${pid}:${started}`;
}

function tell({ pid, argv }: SeenProcess): string {
  return `${pid} ${argv.join(' ')}`;
}

/** Kills every supervisor and guard on the ground. */
export async function killResidents(ground: Ground): Promise<void> {
  const residents = ground.residents();
  for (const one of residents) signalExactly(one, 'SIGKILL');
  await until(() => !residents.some(isAlive));
}

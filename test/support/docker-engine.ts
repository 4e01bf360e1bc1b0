import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ownControlGroup, removeTree } from './control-groups.ts';
import { currentRunFolder } from './run-folder.ts';
import { until } from './until.ts';

/** The image in every engine of the tests: busybox. */
export const IMAGE = 'busybox:local';

/** Why no engine can be run here; null: one can. With DEVCTL_CI=full that is a failure, not a reason to skip. */
export function whyNoEngine(): string | null {
  if (process.platform !== 'linux') return 'Docker is tested on Linux only';
  if (process.getuid?.() !== 0) return 'a private dockerd needs root';
  const programs = ['dockerd', 'docker', 'docker-compose', 'busybox', 'unshare', 'ip', 'tar'];
  const missing = programs.filter((name) => spawnSync('which', [name]).status !== 0);
  return missing.length === 0 ? null : `not installed: ${missing.join(', ')}`;
}

/** A real Docker engine of one test file. */
export interface DockerEngine extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** Runs the docker program to its end, and returns what it printed. */
  docker(...args: readonly string[]): string;
  /** Ids of all containers. */
  containers(): readonly string[];
  signal(signal: NodeJS.Signals): void;
  /** Ends the engine with SIGKILL; its containers go on. */
  kill(): Promise<void>;
  /** Starts it again in the same folder. */
  start(): Promise<void>;
}

/**
 * Starts a dockerd in namespaces of its own: its bridges and mounts end with it, however it ends. Its containers are in
 * the control group of the test run, which ends them where the run is interrupted.
 */
export async function startEngine(): Promise<DockerEngine> {
  const folder = mkdtempSync(join(currentRunFolder(), 'engine-'));
  const socket = `unix://${join(folder, 'docker.sock')}`;
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: join(folder, 'config') };
  for (const name of ['data', 'exec', 'config']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'daemon.json'), '{}');
  const group = ownGroupPath();
  let daemon: ChildProcess | null = null;
  const docker = (...args: readonly string[]): string =>
    execFileSync('docker', args, {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const answers = (): boolean =>
    spawnSync('docker', ['version'], { env: { ...process.env, ...env } }).status === 0;
  const begin = (): void => {
    rmSync(join(folder, 'dockerd.pid'), { force: true });
    const words = ['--net', '--mount', '--', 'sh', '-c', commandLine(folder, socket, group)];
    daemon = spawn('unshare', words, { stdio: 'ignore' });
  };
  const start = async (): Promise<void> => {
    begin();
    const isUp = (): boolean => {
      if (answers()) return true;
      // On a busy machine its containerd takes longer than the 15 s that dockerd gives it.
      if (daemon?.exitCode !== null) begin();
      return false;
    };
    await until(isUp, () => readFileSync(join(folder, 'log'), 'utf8').slice(-2_000));
  };
  const ended = (one: ChildProcess | null): Promise<unknown> =>
    until(() => one === null || one.exitCode !== null || one.signalCode !== null);
  await start();
  importImage(folder, docker);
  return {
    env,
    docker,
    containers: () => docker('ps', '-aq', '--no-trunc').split('\n').filter(Boolean),
    signal: (signal) => void daemon?.kill(signal),
    async kill() {
      daemon?.kill('SIGKILL');
      await ended(daemon);
      // It dies with dockerd. A number that waits to be reaped would keep the next dockerd waiting for it.
      const pidFile = join(folder, 'exec/containerd/containerd.pid');
      const pid = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').trim() : '';
      await until(() => isDead(pid));
      rmSync(pidFile, { force: true });
    },
    start,
    async [Symbol.asyncDispose]() {
      daemon?.kill('SIGCONT');
      if (!answers()) await start();
      const all = docker('ps', '-aq').split('\n').filter(Boolean);
      if (all.length > 0) docker('rm', '-f', '-v', ...all);
      daemon?.kill('SIGTERM');
      await ended(daemon);
      endContainerd(folder);
      removeGroups(group);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function commandLine(folder: string, socket: string, group: string | null): string {
  const flags = [
    `--config-file ${folder}/daemon.json -H ${socket} --pidfile ${folder}/dockerd.pid`,
    `--data-root ${folder}/data --exec-root ${folder}/exec`,
    '--iptables=false --ip6tables=false --ip-masq=false --exec-opt native.cgroupdriver=cgroupfs',
    ...(group === null ? [] : [`--cgroup-parent=${group}`]),
  ];
  return `ip link set lo up; exec dockerd ${flags.join(' ')} >>${folder}/log 2>&1`;
}

/** The control group for containers, below that of the test run; null where there is none. */
function ownGroupPath(): string | null {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return ownControlGroup() === null || !own?.includes('devctl-test-') ? null : `${own}/docker`;
}

/** runc makes the group in every hierarchy of cgroup v1 too. */
function removeGroups(group: string | null): void {
  if (group === null) return;
  for (const name of readdirSync('/sys/fs/cgroup')) {
    const folder = join('/sys/fs/cgroup', name, group);
    if (existsSync(folder)) removeTree(folder);
    const run = join(folder, '..');
    if (name !== 'unified' && existsSync(run)) removeTree(run);
  }
}

function isDead(pid: string): boolean {
  try {
    return pid === '' || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

/** A dockerd that was killed has left its containerd, and the next one has taken it over without being its parent. */
function endContainerd(folder: string): void {
  try {
    const pid = Number(readFileSync(join(folder, 'exec/containerd/containerd.pid'), 'utf8'));
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (line.includes(folder)) process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended with dockerd.
  }
}

function importImage(folder: string, docker: DockerEngine['docker']): void {
  const root = join(folder, 'root');
  for (const name of ['bin', 'tmp', 'etc', 'dev', 'proc', 'sys', 'www', 'data'])
    mkdirSync(join(root, name), { recursive: true });
  const busybox = execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const name of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n')) {
    if (name !== '' && name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  }
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  writeFileSync(join(root, 'www/index.html'), 'hello\n');
  execFileSync('tar', ['-C', root, '-cf', join(folder, 'root.tar'), '.']);
  docker('import', '--change', 'CMD ["/bin/sh"]', join(folder, 'root.tar'), IMAGE);
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from '../clean-environment.ts';
import { endProcesses } from '../end-processes.ts';
import { BYSTANDER_MARK } from '../oracle.ts';
import { readProcesses } from '../read-processes.ts';
import type { SeenProcess } from '../seen-process.ts';
import { until } from '../until.ts';
import { perl } from './behaviours.ts';
import { asUser } from './user.ts';

/** Bystanders that look like programs of the zoo. */
export interface ZooBystanders extends AsyncDisposable {
  readonly count: number;
  /** Describes the bystanders that have died. */
  dead(): string[];
}

interface Place {
  readonly uid: number | null;
  readonly root: string;
  /** A folder that has nothing to do with the project. */
  readonly elsewhere: string;
  readonly zoo: string;
  /** A service, and its log for a bystander that reads it. */
  readonly service: string;
  readonly log: string;
}

/** Starts them as from other terminals: sessions of their own, and process 1 above them. */
export async function startZooBystanders(place: Place): Promise<ZooBystanders> {
  const { root, elsewhere, uid, log } = place;
  mkdirSync(elsewhere, { recursive: true });
  if (uid !== null) chownSync(elsewhere, uid, uid);
  chmodSync(elsewhere, 0o755);
  const program = join(place.zoo, 'plain.pl');
  const same = [perl() ?? 'perl', '-I', place.zoo, `-MZoo=${join(elsewhere, 'plain')}`, program];
  const sleep = ['/bin/sh', '-c', 'sleep 600; :'];
  const pids = new Map<number, string>();
  const sessions = new Set<number>();
  const cookies = {
    DEVCTL_PROJECT: 'another-0123456789abcdef',
    DEVCTL_SERVICE: place.service,
    OLD_DEVCTL_PROJECT: root,
    NOTE: `DEVCTL_RUN=${root}`,
  };
  for (const [what, command, cwd, env] of [
    ['the same program elsewhere', same, elsewhere, { FIXTURE_LIFETIME: '600' }],
    ['a shell in the project', sleep, root, {}],
    ['tail -f on a log', ['tail', '-f', log], elsewhere, {}],
    ["another project's cookie", sleep, elsewhere, cookies],
    [
      'an editor in the project',
      [perl() ?? 'perl', '-e', '$0 = "vim app.js"; sleep 600'],
      root,
      {},
    ],
  ] as const) {
    const { pid, session } = await startApart(uid, command, cwd, env);
    pids.set(pid, what);
    sessions.add(session);
  }
  const born = new Map(readProcesses().map((one) => [one.pid, one.started]));
  const isAlive = (pid: number, all: ReturnType<typeof readProcesses>) =>
    all.some((one) => one.pid === pid && one.started === born.get(pid) && !one.zombie);
  return {
    count: pids.size,
    dead() {
      const all = readProcesses();
      return [...pids].flatMap(([pid, what]) => (isAlive(pid, all) ? [] : [what]));
    },
    async [Symbol.asyncDispose]() {
      const isOurs = ({ zombie, sid, cwd }: SeenProcess) =>
        !zombie && sessions.has(sid) && (cwd?.startsWith(root) ?? false);
      await endProcesses(() => readProcesses().filter(isOurs));
    },
  };
}

async function startApart(
  uid: number | null,
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly pid: number; readonly session: number }> {
  const [mark = '', value = ''] = BYSTANDER_MARK.split('=');
  const [file, ...args] = asUser(uid, null, command);
  const shell = spawn('/bin/sh', ['-c', '"$0" "$@" >/dev/null & echo $!', file, ...args], {
    cwd,
    env: { ...cleanEnvironment(), ...env, [mark]: value },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [[line]] = await Promise.all([once(shell.stdout, 'data'), once(shell, 'close')]);
  const pid = Number(line);
  await until(() => readProcesses().some((one) => one.pid === pid && one.ppid !== shell.pid));
  return { pid, session: shell.pid ?? 0 };
}

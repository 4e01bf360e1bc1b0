import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { hasControlGroups } from '../../support/control-groups.ts';
import { type Ground, isAlive, killResidents, openGround } from '../../support/places.ts';
import type { SeenProcess } from '../../support/seen-process.ts';
import { hasSubreaper } from '../../support/services.ts';
import { eachModeIf, fullTest, isFull, test } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

const A = ['--config', 'a.json'] as const;
const B = ['--config', 'b.json'] as const;
const WITHOUT_CONTAINMENT = { DEVCTL_NATIVE: 'off', DEVCTL_CGROUP: 'off' };

/** A leader without any mark. */
const bare = ({ sleep }: Ground) => `exec env -i ${sleep}`;

/** A leader, and a daemon without mark, parent and session that has the log of its service open. */
const daemon = ({ sleep }: Ground) => `(setsid env -i ${sleep} &); exec sleep 1000`;

/** Writes the manifests a.json and b.json into the folder P. */
function writeTwo(ground: Ground, command: string, extra: (name: string) => object): void {
  ground.write('P');
  rmSync(ground.path('P/.devctl.json'));
  for (const name of ['a', 'b']) {
    const manifest = { settle: 0, services: { web: { command } }, ...extra(name) };
    writeFileSync(ground.path(`P/${name}.json`), JSON.stringify(manifest));
  }
}

const ownRecords = (name: string) => ({ pidsDir: `.p${name}` });

/** Starts, and returns the process that is new. */
async function startIn(ground: Ground, ...words: readonly string[]): Promise<SeenProcess> {
  const before = ground.living().map(({ pid }) => pid);
  const { exitCode, stdout, stderr } = await ground.devctl('P', 'start', ...words);
  expect(exitCode, stdout + stderr).toBe(0);
  return until(() => ground.living().find(({ pid }) => !before.includes(pid)));
}

/** Stops, and tells the exit code, with what was said in case of another one. */
async function stop(ground: Ground, ...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await ground.devctl('P', 'stop', ...words);
  return { exitCode, said: stdout + stderr };
}

describe('two manifests of one folder that keep their records apart', () => {
  eachModeIf(hasControlGroups)<[string, readonly string[], (ground: Ground) => unknown]>([
    ['stop', [], () => {}],
    ['stop --force', ['--force'], () => {}],
    ['stop --force, no supervisor lives', ['--force'], killResidents],
    [
      'stop, without a registry',
      [],
      (ground) => rmSync(join(ground.state, 'projects'), { recursive: true }),
    ],
  ])(
    'the stop by one leaves an unmarked service of the other alone: %s',
    async (_name, force, meanwhile) => {
      await using ground = await openGround();
      writeTwo(ground, bare(ground), ownRecords);
      const web = await startIn(ground, ...B);
      await meanwhile(ground);
      const stopped = await stop(ground, ...A, ...force);
      expect(isAlive(web), stopped.said).toBe(true);
      expect(stopped.exitCode, stopped.said).toBe(0);
      const own = await stop(ground, ...B);
      expect(own.exitCode, own.said).toBe(0);
      expect(ground.living()).toEqual([]);
    },
  );

  test.runIf(hasSubreaper)(
    'the start by one refuses while a recorded leader of the other lives',
    async () => {
      await using ground = await openGround();
      writeTwo(ground, bare(ground), ownRecords);
      const web = await startIn(ground, ...A);
      await killResidents(ground);
      const refused = await ground.devctl('P', 'start', ...B);
      expect(refused.exitCode, refused.stderr).toBe(2);
      expect(refused.stderr).toContain('a.json runs in');
      expect(isAlive(web)).toBe(true);
      const own = await stop(ground, ...A);
      expect(own.exitCode, own.said).toBe(0);
      expect(ground.living()).toEqual([]);
    },
  );

  fullTest.runIf(hasControlGroups).each<[string, (ground: Ground) => string]>([
    ['unmarked', bare],
    ['marked', ({ sleep }) => `exec ${sleep}`],
  ])('of two starts at the same time one is refused: %s', async (_name, command) => {
    await using ground = await openGround();
    for (let round = 0; round < (isFull ? 5 : 2); round += 1) {
      rmSync(ground.path('P'), { recursive: true, force: true });
      writeTwo(ground, command(ground), ownRecords);
      const [a, b] = await Promise.all([A, B].map((one) => ground.devctl('P', 'start', ...one)));
      const codes = [a?.exitCode, b?.exitCode];
      expect(codes.filter((code) => code === 0).length, `${a?.stderr}${b?.stderr}`).toBe(1);
      expect(`${a?.stdout}${a?.stderr}${b?.stdout}${b?.stderr}`).not.toContain('already running');
      const [winner, loser] = a?.exitCode === 0 ? [A, B] : [B, A];
      const [web] = await until(() => (ground.living().length === 1 ? ground.living() : null));
      const other = await stop(ground, ...loser);
      expect(other.exitCode, other.said).toBe(0);
      expect(web && isAlive(web), other.said).toBe(true);
      const own = await stop(ground, ...winner);
      expect(own.exitCode, own.said).toBe(0);
      expect(ground.living()).toEqual([]);
    }
  });
});

fullTest.each<[string, (ground: Ground) => unknown]>([
  ['its supervisor lives', () => {}],
  ['its supervisor was killed', killResidents],
])(
  'the stop by one manifest leaves a daemon alone that writes to a log of another one in the same records folder: %s',
  async (_name, meanwhile) => {
    await using ground = await openGround(WITHOUT_CONTAINMENT);
    writeTwo(ground, daemon(ground), () => ({}));
    const web = await startIn(ground, ...B);
    await meanwhile(ground);
    const stopped = await stop(ground, ...A, '--force');
    expect(isAlive(web), stopped.said).toBe(true);
    expect(stopped.exitCode, stopped.said).toBe(0);
    const own = await stop(ground, ...B, '--force');
    expect(own.exitCode, own.said).toBe(0);
    expect(ground.living()).toEqual([]);
  },
);

test.runIf(hasSubreaper)(
  'the stop by one manifest ends its own daemon although an ended run of another one is recorded beside it',
  async () => {
    await using ground = await openGround({ DEVCTL_CGROUP: 'off' });
    const command = (name: string) =>
      name === 'a'
        ? `(setsid env -i ${ground.sleep} >/dev/null 2>&1 &); exec sleep 1000`
        : 'exit 3';
    writeTwo(ground, '', (name) => ({ services: { [name]: { command: command(name) } } }));
    await ground.devctl('P', 'start', ...B);
    await killResidents(ground);
    const web = await startIn(ground, ...A);
    // The supervisor names the service too when it saw the daemon before its parent ended.
    const ledger = ground.path('P/.pids/ledger');
    const entries = () =>
      readdirSync(ledger)
        .map((name) => readFileSync(join(ledger, name), 'utf8'))
        .join('');
    await until(() => entries().includes(`,${web.pid},`), entries);
    await killResidents(ground);
    const stopped = await stop(ground, ...A);
    expect(stopped.exitCode, stopped.said).toBe(0);
    expect(ground.living()).toEqual([]);
  },
);

fullTest
  .runIf(hasSubreaper)
  .each<[string, (ground: Ground) => string, Readonly<Record<string, string>>]>([
    ['marked', ({ sleep }) => `exec ${sleep}`, {}],
    ['unmarked', bare, {}],
    ['unmarked, without control groups', bare, { DEVCTL_CGROUP: 'off' }],
    ['a daemon that only its log ties to us', daemon, WITHOUT_CONTAINMENT],
  ])(
  'a stop ends the services that ran when the manifest named another pidsDir: %s',
  async (_name, command, env) => {
    await using ground = await openGround(env);
    const write = (pidsDir: string) => {
      const services = { web: { command: command(ground) }, api: { command: 'exec sleep 1000' } };
      ground.write('P', { pidsDir, services });
    };
    write('.pa');
    await startIn(ground, 'web');
    await killResidents(ground);
    write('.pb');
    const api = await ground.devctl('P', 'start', 'api');
    expect(api.exitCode, api.stderr).toBe(0);
    const stopped = await stop(ground);
    expect(stopped.exitCode, stopped.said).toBe(0);
    expect(ground.living()).toEqual([]);
  },
);

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Ground, isAlive, openGround, startAbandoned } from '../../support/places.ts';
import type { SeenProcess } from '../../support/seen-process.ts';
import { killAtOnce } from '../../support/services.ts';
import { fullTest, test } from '../../support/sets.ts';

/** A service that works outside of its project, so that no working directory tells where the project is. */
const atRoot = ({ sleep }: Ground) => ({ services: { web: { command: sleep, cwd: '/' } } });

/** Stops in a folder: in doubt (exit code 4) these processes live on, and each is named. */
async function expectDoubt(
  ground: Ground,
  name: string,
  processes: readonly SeenProcess[],
  ...flags: readonly string[]
): Promise<void> {
  const { exitCode, stdout, stderr } = await ground.devctl(name, 'stop', ...flags);
  const said = stdout + stderr;
  expect(processes.filter(isAlive).length, said).toBe(processes.length);
  expect(exitCode, said).toBe(4);
  for (const { pid } of processes) expect(said).toContain(String(pid));
}

async function expectToEndAll(
  ground: Ground,
  name: string,
  processes: readonly SeenProcess[],
): Promise<void> {
  const { exitCode, stdout, stderr } = await ground.devctl(name, 'stop');
  expect(processes.filter(isAlive), stdout + stderr).toEqual([]);
  expect(exitCode, stdout + stderr).toBe(0);
}

test('a moved project that no registry knows is not that of a new checkout at its path', async () => {
  await using ground = await openGround();
  const web = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
  await ground.run('mv', 'P', 'R');
  rmSync(ground.state, { recursive: true });
  ground.write('P', atRoot(ground));
  await expectDoubt(ground, 'P', web);
  await expectDoubt(ground, 'P', web, '--force');
  await expectToEndAll(ground, 'R', web);
});

fullTest('a copy that was put in the place of the original is in doubt', async () => {
  await using ground = await openGround();
  const web = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
  await ground.run('cp', '-a', 'P', 'Q');
  await ground.run('mv', 'P', 'R');
  await ground.run('mv', 'Q', 'P');
  await expectDoubt(ground, 'P', web);
  await expectToEndAll(ground, 'R', web);
});

fullTest('an id that was written into another folder takes nothing from its own', async () => {
  await using ground = await openGround();
  const web = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
  rmSync(ground.state, { recursive: true });
  await ground.run('cp', '-a', 'P', 'Q');
  await ground.run('sh', '-c', 'rm -r Q/.pids/services Q/.pids/ledger Q/.pids/supervisor.json');
  const record = join('Q', '.pids', 'project.json');
  const inode = (await ground.run('stat', '-c', '%i', 'Q')).trim();
  const [from, to] = [ground.path('P'), ground.path('Q')];
  const edit = `s#${from}"#${to}"#; s#${from}/#${to}/#; s#"inode": "[0-9]*"#"inode": "${inode}"#`;
  await ground.run('sed', '-i', edit, record);
  const other = await startAbandoned(ground, 'Q', { manifest: atRoot(ground), processes: 1 });
  await expectToEndAll(ground, 'P', web);
  expect(other.filter(isAlive)).toEqual(other);
});

fullTest(
  'a stop of what was at a path forgets nothing of the project that is there now',
  async () => {
    await using ground = await openGround();
    const before = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
    for (const one of before) await killAtOnce(one);
    const { id } = JSON.parse(await ground.run('cat', 'P/.pids/project.json'));
    await ground.remove('P');
    const web = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
    expect(await ground.devctl('.', 'stop', '--project', id)).toMatchObject({ exitCode: 0 });
    await ground.run('mv', 'P', 'R');
    ground.write('P', atRoot(ground));
    await expectDoubt(ground, 'P', web, '--force');
    expect(await ground.devctl('R', 'status')).toMatchObject({ exitCode: 0 });
    await expectToEndAll(ground, 'R', web);
  },
);

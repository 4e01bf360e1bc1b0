import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  groupMembers,
  joinGroup,
  killGroup,
  listGroups,
  makeGroup,
  removeGroup,
  thawGroup,
} from '../../../src/processes/linux/control-groups.ts';
import { hasControlGroups, ownControlGroup } from '../../support/control-groups.ts';
import { until } from '../../support/until.ts';

describe.runIf(hasControlGroups)('control groups', () => {
  const group = join(ownControlGroup() ?? '', `devctl-test-groups-${process.pid}`);
  let child: ChildProcess;

  /** A shell in `folder` that has a child, and dies with its group. */
  const populate = async (folder: string): Promise<readonly number[]> => {
    makeGroup(folder);
    const script = 'echo $$ > "$0/cgroup.procs"; sleep 100 & wait';
    child = spawn('/bin/sh', ['-c', script, folder], { stdio: 'ignore' });
    await until(() => groupMembers(folder).length === 2);
    return groupMembers(folder);
  };
  const isFrozen = (): boolean => readFileSync(join(group, 'cgroup.freeze'), 'utf8') === '1\n';

  beforeEach(() => makeGroup(group));
  afterEach(async () => {
    if (existsSync(group)) writeFileSync(join(group, 'cgroup.kill'), '1');
    await until(() => removeGroup(group));
  });

  test('are killed at once, with all that is below them, once that is agreed to', async () => {
    const pids = await populate(join(group, 'inner'));
    expect(pids).toContain(child.pid);
    const asked: (readonly number[])[] = [];
    const killed = await killGroup(group, async (members) => {
      asked.push(members);
      expect(isFrozen()).toBe(true);
      return true;
    });
    expect(killed).toBe('killed');
    expect(asked.map((one) => [...one].sort())).toEqual([[...pids].sort()]);
    await until(() => groupMembers(group).length === 0);
    await until(() => child.signalCode === 'SIGKILL');
  });

  test('run on when it is not agreed to', async () => {
    const pids = await populate(group);
    expect(await killGroup(group, async () => false)).toBe('refused');
    expect(isFrozen()).toBe(false);
    expect([...groupMembers(group)].sort()).toEqual([...pids].sort());
  });

  test('in which we are ourselves are not frozen: nobody would thaw us', async () => {
    await populate(group);
    const own = ownControlGroup() ?? '';
    const inner = join(group, 'inner');
    makeGroup(inner);
    joinGroup(inner, process.pid);
    try {
      const agree = async () => expect.fail('we would not be asked');
      // Frozen by a test that fails, this process could not say so.
      expect(groupMembers(group)).toContain(process.pid);
      expect(await killGroup(group, agree)).toBe('refused');
    } finally {
      joinGroup(own, process.pid);
    }
    expect(isFrozen()).toBe(false);
  });

  test('that are gone, or are none, cannot be killed', async () => {
    const agree = async () => expect.fail('there is nothing to agree to');
    expect(await killGroup(join(group, 'nowhere'), agree)).toBe('failed');
    expect(groupMembers(join(group, 'nowhere'))).toEqual([]);
    expect(listGroups(join(group, 'nowhere'))).toEqual([]);
  });

  test('are not removed while something lives in them', async () => {
    await populate(join(group, 'inner'));
    makeGroup(join(group, 'empty'));
    expect(removeGroup(group)).toBe(false);
    expect(listGroups(group)).toEqual(['inner']);
    expect(removeGroup(join(group, 'nowhere'))).toBe(true);
  });

  test('that are known to have a process are not tried, and the others go', async () => {
    for (const name of ['kept', 'ended']) makeGroup(join(group, name));
    makeGroup(join(group, 'ended', 'inner'));
    expect(removeGroup(group, new Set(['kept']))).toBe(false);
    expect(listGroups(group)).toEqual(['kept']);
    expect(removeGroup(group)).toBe(true);
  });

  test('that somebody has left frozen run again', async () => {
    await populate(group);
    writeFileSync(join(group, 'cgroup.freeze'), '1');
    thawGroup(group);
    expect(isFrozen()).toBe(false);
    thawGroup(join(group, 'nowhere'));
  });

  test('cannot be entered where there are none', () => {
    expect(() => joinGroup(join(group, 'nowhere'), process.pid)).toThrow(/ENOENT|EACCES/);
    const folder = mkdtempSync(join(tmpdir(), 'devctl-test-'));
    expect(() => joinGroup(folder, process.pid)).toThrow(/ENOENT/);
    // A file of that name would make a group of it, for whoever looks next.
    rmdirSync(folder);
  });
});

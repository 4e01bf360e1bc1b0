import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRunEnder } from '../../../src/operations/stop/end-run.ts';
import { serviceCookie } from '../../../src/ownership/cookie.ts';
import { removeGroup } from '../../../src/processes/linux/control-groups.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { writeRecord } from '../../../src/project/records.ts';
import { prepareFolder } from '../../../src/project/records-folder.ts';
import { openRunGroups } from '../../../src/tracking/run-groups.ts';
import { recordOf } from '../../project/records-folder.ts';
import { hasControlGroups } from '../../support/control-groups.ts';
import { createFakeMachine } from '../../support/fake-machine.ts';
import { marksOf } from '../../support/marks.ts';
import { environBlock } from '../../support/process-table.ts';

let root = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-end-run-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const NAMES = Array.from({ length: 10 }, (_, index) => `s${index}`);

/** A machine that counts the reads of its process table, and what ends runs on it. */
async function runsOn(left: Readonly<Record<string, 'ends' | 'stuck'>>) {
  const folder = projectFolder(root, join(root, '.pids'));
  const machine = createFakeMachine();
  for (const [service, how] of Object.entries(left)) {
    machine.fork(1, {
      name: service,
      cwd: root,
      environ: environBlock(serviceCookie(marksOf(folder.mark), service, service)) ?? '',
      behaviour: how === 'stuck' ? { stuck: true, onTerm: () => {} } : {},
    });
  }
  let looks = 0;
  const host = {
    ...machine,
    snapshot: () => {
      looks += 1;
      return machine.snapshot();
    },
  };
  const self = await machine.self();
  const end = createRunEnder({ host, folder, self, runContained: async () => null });
  const ended = (name: string, signal = new AbortController().signal) =>
    end(name, { command: false, signal });
  return { machine, ended, looks: () => looks };
}

test('ten runs that are due together share the looks of one', async () => {
  const one = await runsOn({});
  await one.ended('s0');
  const ten = await runsOn({});
  expect(await Promise.all(NAMES.map((name) => ten.ended(name)))).toEqual(NAMES.map(() => null));
  expect(ten.looks()).toBe(one.looks());
});

test('runs that are due while a look is under way share the next one', async () => {
  const one = await runsOn({});
  await one.ended('s0');
  const ten = await runsOn({});
  const first = ten.ended('s0');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  await Promise.all([first, ...NAMES.slice(1).map((name) => ten.ended(name))]);
  expect(ten.looks()).toBeLessThanOrEqual(2 * one.looks());
});

test('what is left of a run is ended, and what outlives SIGKILL is named for its run alone', async () => {
  const { machine, ended } = await runsOn({ s1: 'ends', s2: 'stuck' });
  const order: string[] = [];
  const why = await Promise.all(
    NAMES.map(async (name) => {
      const left = await ended(name);
      order.push(name);
      return left;
    }),
  );
  expect(why.map((left) => left !== null)).toEqual(NAMES.map((name) => name === 's2'));
  expect(why[2]).toMatch(/^what is left of it outlives SIGKILL: s2 \(pid \d+\)$/);
  expect(order.at(-1)).toBe('s2');
  const { byPid } = await machine.snapshot();
  expect([...byPid.values()].filter(({ name }) => name === 's1')).toEqual([]);
});

test('a command that takes over one run leaves the others to be proved', async () => {
  const { ended } = await runsOn({});
  const controller = new AbortController();
  const taken = ended('s0', controller.signal).catch((error: unknown) => String(error));
  const others = NAMES.slice(1).map((name) => ended(name));
  controller.abort(new Error('a stop came'));
  expect(await taken).toBe('Error: a stop came');
  expect(await Promise.all(others)).toEqual(others.map(() => null));
});

test.runIf(hasControlGroups)(
  'an empty control group proves the end of a run without a look, unless a process has left it',
  async () => {
    const { ended, looks } = await runsOn({});
    const folder = projectFolder(root, join(root, '.pids'));
    prepareFolder(folder);
    const groups = openRunGroups(folder, (line) => expect.fail(line));
    if ('why' in groups) expect.fail(groups.why);
    for (const [name, held] of [
      ['s0', true],
      ['s1', false],
    ] as const) {
      const runId = (held ? 'a' : 'b').repeat(32);
      const { child } = groups.spawnInside(runId, true, () => spawn('/bin/true'));
      await once(child, 'exit');
      const cgroup = { path: groups.groupOf(runId), held, view: groups.view };
      writeRecord(folder, recordOf(folder, name, { runId, cgroup }));
      expect(await ended(name)).toBe(null);
      expect(looks() > 0).toBe(!held);
    }
    removeGroup(groups.folder);
  },
);

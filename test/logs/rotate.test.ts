import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readLog } from '../../src/logs/reader.ts';
import { recordLogs } from '../../src/logs/recorder.ts';
import { finishRotation, rotateLog } from '../../src/logs/rotate.ts';
import { openLogSource } from '../../src/logs/source.ts';
import {
  fileKey,
  movingPath,
  readLogLayout,
  writeLogLayout,
} from '../../src/logs/time-index-file.ts';
import { cutFile, findCutWay } from '../../src/processes/native/cut-file.ts';
import { type ProjectFolder, projectFolder } from '../../src/project/folder.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import { isFull, modeTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

const COLLAPSE = { how: 'collapse', block: 4096 } as const;
const PUNCH = { how: 'punch', block: 4096 } as const;
const SIZE = isFull ? 256 * 1024 : 64 * 1024;
const MANY = 1_000;

const here = await findCutWay('.');
/** The ways to test: where `collapse` works, `punch` works too. */
const ways = here.how === 'collapse' ? [COLLAPSE, PUNCH] : here.how === 'punch' ? [PUNCH] : [];

/** A file system that knows only holes, and needs no disk. */
const MEMORY = '/dev/shm';
const isInMemory = existsSync(MEMORY) && (await findCutWay(MEMORY)).how === 'punch';
/** Time limit on a busy disk, which must write much before a file may become shorter. */
const SLOW_MS = 300_000;

/** A project folder on a file system where devctl chooses this way. */
async function projectFor(way: { readonly how: string }) {
  if (way.how === 'collapse' || !isInMemory) return temporaryProject();
  const root = mkdtempSync(join(MEMORY, 'devctl-test-'));
  return {
    root,
    file: (name: string) => join(root, name),
    write(name: string, text: string) {
      writeFileSync(join(root, name), text);
      return join(root, name);
    },
    async [Symbol.asyncDispose]() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function prepared(project: Pick<TemporaryProject, 'root'>): ProjectFolder {
  const folder = projectFolder(project.root);
  prepareFolder(folder);
  return folder;
}

function textOf(folder: ProjectFolder, path: string): string {
  const lines = readLog(openLogSource(folder, 'web', path)).history(
    { lines: null, sinceMs: null },
    true,
  );
  return [...lines].map(({ text }) => `${text}\n`).join('');
}

/** The better way first. */
const WAYS = [COLLAPSE, PUNCH];

for (const [index, way] of WAYS.entries()) {
  modeTest(index).runIf(ways.includes(way))(
    `a reader sees every line once, beside a writer at full speed and 20 rotations (${way.how})`,
    { timeout: SLOW_MS },
    async () => {
      await using project = await projectFor(way);
      const folder = prepared(project);
      const path = project.file('web.log');
      const fd = openSync(path, 'a', 0o600);
      const last = isFull ? 1_000_000 : 300_000;
      const writer = spawn('seq', ['1', String(last)], { stdio: ['ignore', fd, fd] });
      const ended = once(writer, 'exit');
      closeSync(fd);
      let done = false;
      void ended.then(() => {
        done = true;
      });

      const reader = readLog(openLogSource(folder, 'web', path));
      let expected = 1;
      const follow = (): void => {
        // A rotation at work would be waited for, by the very process that rotates.
        if (readLogLayout(folder, 'web')?.moving != null) return;
        for (let more = true; more; ) {
          const next = reader.next(Date.now());
          more = next.more;
          for (const { text } of next.lines) {
            if (text !== String(expected)) throw new Error(`${text} instead of ${expected}`);
            expected += 1;
          }
        }
      };
      let rotations = 0;
      for (let ending = false; !ending; ) {
        ending = done;
        while (await rotateLog(folder, 'web', path, { maxSize: SIZE, keep: MANY }, way)) {
          rotations += 1;
          if (rotations % 5 === 0) follow();
        }
        follow();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(rotations).toBeGreaterThan(20);
      expect(expected).toBe(last + 1);
      const whole = Array.from({ length: last }, (_, index) => `${index + 1}\n`).join('');
      expect(textOf(folder, path) === whole).toBe(true);
      const { size, blocks } = statSync(path);
      // Moved bytes take no room on the disk any more, and a collapsed log is short as well.
      expect(blocks * 512).toBeLessThan(4 * SIZE);
      if (way.how === 'collapse') expect(size).toBeLessThan(2 * SIZE);
      expect(statSync(`${path}.1`).size).toBe(SIZE);
    },
  );
}

test.runIf(ways.length > 0).each([
  [0, 0],
  [2, 2],
])('with keep %i, so many files are left of ten rotations', async (keep, files) => {
  await using project = await projectFor(PUNCH);
  const folder = prepared(project);
  const path = project.write('web.log', 'x'.repeat(10 * 8192 + 5000));
  let rotations = 0;
  while (await rotateLog(folder, 'web', path, { maxSize: 8192, keep }, PUNCH)) rotations += 1;
  expect(rotations).toBe(10);
  const left = Array.from({ length: 12 }, (_, number) => `${path}.${number}`).filter(existsSync);
  expect(left).toHaveLength(files);
  expect(textOf(folder, path)).toHaveLength(files * 8192 + 5000 + 1);
});

for (const way of WAYS) {
  test.runIf(ways.includes(way)).each([1, 2, 3, 4, 5])(
    `killed after step %i (${way.how}): nothing is missing and nothing is there twice`,
    { timeout: SLOW_MS },
    async (step) => {
      await using project = await projectFor(way);
      const folder = prepared(project);
      const lines = Array.from({ length: 3_000 }, (_, index) => `line ${index}\n`).join('');
      const path = project.write('web.log', lines);
      // One whole rotation, then one that ends in the middle, by the steps that `rotateLog` lists.
      expect(await rotateLog(folder, 'web', path, { maxSize: 8192, keep: 9 }, way)).toBe(true);
      const map = readLogLayout(folder, 'web');
      if (!map) throw new Error('There is no map');
      const offset = map.start - map.base;
      writeFileSync(movingPath(path), readFileSync(path).subarray(offset, offset + 8192));
      const log = openSync(path, 'r+');
      if (step >= 2) writeLogLayout(folder, 'web', { ...map, moving: map.start + 8192 });
      if (step >= 3) expect(await cutFile(log, 'punch', offset, 8192)).toBeNull();
      if (step >= 4) {
        writeFileSync(`${path}.2`, readFileSync(`${path}.1`));
        writeFileSync(`${path}.1`, readFileSync(movingPath(path)));
        rmSync(movingPath(path));
      }
      if (step >= 5 && way.how === 'collapse') {
        expect(await cutFile(log, 'collapse', 0, 8192)).toBeNull();
      }
      closeSync(log);
      // A reader that finds it so waits its time, because nobody carries the rotation on.
      const patient = openLogSource(folder, 'web', path);
      if (step === 3) expect(patient.isMoving()).toBe(true);
      if (step < 2) expect(textOf(folder, path)).toBe(lines);

      appendFileSync(path, 'while nobody looked\n');
      await finishRotation(folder, 'web', path, way);
      expect(textOf(folder, path)).toBe(`${lines}while nobody looked\n`);
      expect(readLogLayout(folder, 'web')).toMatchObject({ moving: null });
      expect(existsSync(movingPath(path))).toBe(false);
      expect(await rotateLog(folder, 'web', path, { maxSize: 8192, keep: 9 }, way)).toBe(true);
      expect(textOf(folder, path)).toBe(`${lines}while nobody looked\n`);
    },
  );
}

test.runIf(ways.length > 0)('a log that is not ours is left alone', async () => {
  await using project = await temporaryProject();
  const folder = prepared(project);
  const path = project.file('web.log');
  const rotation = { maxSize: 8192, keep: 1 };
  expect(await rotateLog(folder, 'web', path, rotation, PUNCH)).toBe(false);
  const text = 'x'.repeat(20_000);
  symlinkSync(project.write('elsewhere', text), path);
  await expect(rotateLog(folder, 'web', path, rotation, PUNCH)).rejects.toThrow('ELOOP');
  rmSync(path);
  linkSync(project.file('elsewhere'), path);
  await expect(rotateLog(folder, 'web', path, rotation, PUNCH)).rejects.toThrow('second name');
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test.runIf(ways.length > 0)(
  'a log with a hole that somebody empties goes on with the next bytes',
  async () => {
    await using project = await projectFor(PUNCH);
    const folder = prepared(project);
    const path = project.write('web.log', 'x'.repeat(20_000));
    expect(await rotateLog(folder, 'web', path, { maxSize: 8192, keep: 1 }, PUNCH)).toBe(true);
    const moved = 'x'.repeat(8192);
    truncateSync(path, 0);
    appendFileSync(path, 'new\n');
    expect(textOf(folder, path)).toBe(`${moved}new\n`);
    const notes = recordLogs(folder, () => {});
    notes.record('web', path, null);
    notes.stop();
    // More bytes than the hole had, and all of them are there.
    const more = `${'y'.repeat(30_000)}\n`;
    appendFileSync(path, more);
    expect(textOf(folder, path)).toBe(`${moved}new\n${more}`);
  },
);

test('the layout of another file is not used', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': 'all\n' });
  const folder = prepared(project);
  const path = project.file('web.log');
  writeLogLayout(folder, 'web', { file: '1:2:3', base: 4, start: 4, moving: 9 });
  expect(fileKey(statSync(path, { bigint: true }))).not.toBe('1:2:3');
  expect(textOf(folder, path)).toBe('all\n');
});

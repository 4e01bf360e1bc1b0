import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HistoryEvent } from '../../src/history/events.ts';
import { appendHistory } from '../../src/history/files.ts';
import { readHistory } from '../../src/history/read.ts';
import { formatSample, mergeTiers } from '../../src/history/sample-lines.ts';
import type { Sample } from '../../src/history/samples.ts';
import type { Breach } from '../../src/limits/breach.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const sample = (atMs: number, memoryBytes = 1): Sample => ({
  atMs,
  services: { web: { processes: 3, memoryBytes, cpuPercent: 0.4 } },
});

describe('the history of a project', () => {
  test('has what was written, by time, and is empty when nothing was', async () => {
    await using project = await temporaryProject();
    const folder = projectFolder(project.root);
    expect(readHistory(folder)).toEqual({ samples: [], events: [], unread: 0 });
    prepareFolder(folder);

    const breach: Breach = {
      service: 'web',
      limit: 'processes',
      value: 101,
      allowed: 100,
      action: 'warn',
      measuredAs: null,
      branch: { pid: 7, command: 'node x.js', processes: 90, memoryBytes: 5, service: 'web' },
      atMs: 40,
    };
    const events: HistoryEvent[] = [
      { atMs: 10, kind: 'supervisor', what: 'began' },
      {
        atMs: 20,
        kind: 'change',
        service: 'web',
        from: 'starting',
        to: 'running',
        reason: null,
        pid: 7,
      },
      { atMs: 30, kind: 'lease', why: 'its two hours are over' },
      { atMs: 40, kind: 'breach', breach },
    ];
    for (const event of events) appendHistory(folder, 'events', JSON.stringify(event));
    appendHistory(folder, 'days', formatSample(sample(1_000)));
    appendHistory(folder, 'hours', formatSample(sample(2_000)));
    appendHistory(folder, 'days', formatSample(sample(2_500)));
    for (const atMs of [3_000, 4_000]) appendHistory(folder, 'recent', formatSample(sample(atMs)));

    const { samples, events: read } = readHistory(folder);
    expect(read).toEqual(events);
    expect(samples).toEqual([1_000, 2_000, 3_000, 4_000].map((atMs) => sample(atMs)));
  });

  test('a line that was cut off costs no other line', async () => {
    await using project = await temporaryProject();
    const folder = projectFolder(project.root);
    prepareFolder(folder);
    appendHistory(folder, 'recent', formatSample(sample(1)));
    appendFileSync(join(folder.pidsDir, 'history', 'recent.ndjson'), '\n{"atMs":2,"serv');
    appendHistory(folder, 'recent', formatSample(sample(3)));
    expect(readHistory(folder).samples.map(({ atMs }) => atMs)).toEqual([1, 3]);
  });

  test('takes no more disk than its bound, and keeps the latest lines', async () => {
    await using project = await temporaryProject();
    const folder = projectFolder(project.root);
    prepareFolder(folder);
    const reason = 'x'.repeat(20_000);
    for (let atMs = 0; atMs < 100; atMs += 1) {
      appendHistory(folder, 'events', JSON.stringify({ atMs, kind: 'lease', why: reason }));
    }
    const { events } = readHistory(folder);
    const first = events[0]?.atMs ?? 0;
    expect(events.map(({ atMs }) => atMs)).toEqual(
      Array.from({ length: 100 - first }, (_, index) => first + index),
    );
    expect(events.length).toBeGreaterThan(25);
    expect(events.length).toBeLessThan(55);
  });

  test('a symbolic link is followed neither by the reader nor by the writer', async () => {
    await using project = await temporaryProject();
    const folder = projectFolder(project.root);
    const line = formatSample(sample(1));
    const stranger = project.write('stranger', line);
    mkdirSync(join(folder.pidsDir, 'history'), { recursive: true, mode: 0o700 });
    symlinkSync(stranger, join(folder.pidsDir, 'history', 'recent.ndjson'));
    expect(() => appendHistory(folder, 'recent', line)).toThrow(/ELOOP|symbolic/);
    expect(readHistory(folder).samples).toEqual([]);
    expect(readFileSync(stranger, 'utf8')).toBe(line);
  });

  test('a symbolic link in the place of the folder is not followed', async () => {
    await using project = await temporaryProject();
    const folder = projectFolder(project.root);
    mkdirSync(project.file('elsewhere'));
    mkdirSync(folder.pidsDir, { mode: 0o700 });
    symlinkSync(project.file('elsewhere'), join(folder.pidsDir, 'history'));
    writeFileSync(project.file('elsewhere/recent.ndjson'), formatSample(sample(1)));
    expect(() => appendHistory(folder, 'recent', 'x')).toThrow('symbolic link');
    expect(readHistory(folder).samples).toEqual([]);
  });
});

describe('tiers', () => {
  const tier = fc.array(fc.nat(1_000), { maxLength: 20 });

  test('are merged into one row by time, with every sample of the finest tier', () => {
    fc.assert(
      fc.property(tier, tier, tier, (fine, middle, coarse) => {
        const tiers = [fine, middle, coarse].map((times) => times.map((atMs) => sample(atMs)));
        const times = mergeTiers(tiers).map(({ atMs }) => atMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        const newest = Math.min(...fine);
        expect(times.filter((atMs) => atMs >= newest)).toEqual(fine.toSorted((a, b) => a - b));
        expect(times[0]).toBe([...fine, ...middle, ...coarse].toSorted((a, b) => a - b)[0]);
      }),
    );
  });
});

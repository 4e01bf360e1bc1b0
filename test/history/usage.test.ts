import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Sample } from '../../src/history/samples.ts';
import {
  type CountedProcess,
  type CountedScan,
  isMoving,
  takeSample,
  totalOf,
} from '../../src/history/usage.ts';

const MB = 1024 * 1024;

function process(
  pid: number,
  cpuTicks: number,
  more: Partial<CountedProcess> = {},
): CountedProcess {
  const rest = { service: 'web', ppid: 1, startTicks: 0, rssBytes: MB, gone: false };
  return { key: `key-${pid}`, pid, cpuTicks, ...rest, ...more };
}

/** A scan, one each second. */
const look = (second: number, ...processes: CountedProcess[]): CountedScan => ({
  atMs: 1_000 * second,
  nowTicks: 100 * second,
  processes,
});

const cpu = (before: CountedScan, now: CountedScan) =>
  takeSample(before, now, 4).services.web?.cpuPercent;

describe('cpu since the scan before', () => {
  const parent = process(10, 50);
  const child = process(11, 600, { ppid: 10 });
  const grandchild = process(12, 30, { ppid: 11 });
  test.each([
    ['the time used since', look(1, process(10, 50)), look(2, process(10, 75)), 25],
    ['over the time between the scans', look(1, process(10, 0)), look(5, process(10, 200)), 50],
    [
      'a process forked since: all of its time',
      look(1, parent),
      look(2, parent, process(13, 9, { startTicks: 150 })),
      9,
    ],
    [
      'an older process that was not ours before: nothing',
      look(1, parent),
      look(2, parent, process(13, 900)),
      0,
    ],
    [
      'a child that its parent has waited for: its new time',
      look(1, parent),
      look(2, process(10, 50 + 20)),
      20,
    ],
    [
      'a child that its parent has waited for: not the time counted before',
      look(1, parent, child),
      look(2, process(10, 50 + 610)),
      10,
    ],
    [
      'two generations that were waited for at once: not the time counted before',
      look(1, parent, child, grandchild),
      look(2, process(10, 50 + 640)),
      10,
    ],
    [
      'a zombie that nobody has waited for: its time stays counted',
      look(1, parent, child),
      look(2, parent, { ...child, gone: true }),
      0,
    ],
    [
      'a process that ended without being waited for: its time is lost',
      look(1, parent, child),
      look(2, process(10, 53)),
      0,
    ],
    [
      'another process with the same number',
      look(1, process(10, 900)),
      look(2, process(10, 4, { key: 'other', startTicks: 150 })),
      4,
    ],
    ['never more than there are cores', look(1, parent), look(2, process(10, 9_999)), 400],
    ['never less than zero', look(1, parent), look(2, process(10, 0)), 0],
  ])('%s', (_what, before, now, percent) => {
    expect(cpu(before, now)).toBe(percent);
  });

  test.each(['constructor', 'toString'])('a service may be called %s', (service) => {
    const { services } = takeSample(null, look(1, process(10, 5, { service })), 4);
    expect(Object.entries(services)).toEqual([
      [service, { processes: 1, memoryBytes: MB, cpuPercent: 0 }],
    ]);
  });

  test('without an earlier scan the cpu is unknown, and 0', () => {
    const sample = takeSample(
      null,
      look(1, process(10, 500), process(11, 1, { service: 'db' })),
      4,
    );
    expect(sample).toEqual({
      atMs: 1_000,
      services: {
        web: { processes: 1, memoryBytes: MB, cpuPercent: 0 },
        db: { processes: 1, memoryBytes: MB, cpuPercent: 0 },
      },
    });
  });

  test('a zombie is no process and holds no memory', () => {
    const { services } = takeSample(
      null,
      look(1, process(10, 0), process(11, 0, { gone: true })),
      4,
    );
    expect(services.web).toMatchObject({ processes: 1, memoryBytes: MB });
  });

  /** A tree in which every process works and some end: the samples add up to the time that was used. */
  test('nothing is counted twice, whichever processes end and wait', () => {
    const life = fc.record({
      above: fc.nat(100),
      work: fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(life, { minLength: 1, maxLength: 8 }), (lives) => {
        const seconds = 8;
        let [before, counted, spent] = [null as CountedScan | null, 0, 0];
        const childTicks = lives.map(() => 0);
        const parents = lives.map(({ above }, index) => (index === 0 ? -1 : above % index));
        // The first process lives to the end; no process outlives its parent.
        const ends = lives.map(({ work }) => work.length);
        ends[0] = seconds + 1;
        for (const [index, parent] of parents.entries()) {
          if (parent >= 0) ends[index] = Math.min(ends[index] ?? 0, ends[parent] ?? 0);
        }
        const worked = (index: number, second: number) =>
          (lives[index]?.work ?? []).slice(0, second).reduce((sum, ticks) => sum + ticks, 0);
        for (let second = 0; second <= seconds; second += 1) {
          // The youngest end first, so that their time is handed on to their parents.
          for (let index = lives.length - 1; index > 0; index -= 1) {
            if (ends[index] !== second) continue;
            const all = worked(index, second) + (childTicks[index] ?? 0);
            const parent = parents[index] ?? 0;
            childTicks[parent] = (childTicks[parent] ?? 0) + all;
          }
          const alive = lives.flatMap((_, index) =>
            (ends[index] ?? 0) > second
              ? [
                  process(10 + index, worked(index, second) + (childTicks[index] ?? 0), {
                    ppid: 10 + (parents[index] ?? 0),
                  }),
                ]
              : [],
          );
          const now = look(second, ...alive);
          if (before) counted += takeSample(before, now, 1_000).services.web?.cpuPercent ?? 0;
          spent = alive[0]?.cpuTicks ?? 0;
          before = now;
        }
        const living = before?.processes.slice(1).reduce((sum, one) => sum + one.cpuTicks, 0) ?? 0;
        expect(Math.round(counted)).toBe(spent + living);
      }),
    );
  });
});

describe('whether the use changes', () => {
  const sample = (processes: number, memoryBytes: number, cpuPercent: number): Sample => ({
    atMs: 0,
    services: {
      web: { processes, memoryBytes, cpuPercent },
      db: { processes: 1, memoryBytes: MB, cpuPercent: 0 },
    },
  });
  const calm = sample(3, 500 * MB, 0.4);
  test.each([
    ['nothing', calm, false],
    ['the use of an idle server', sample(3, 505 * MB, 1.5), false],
    ['cpu', sample(3, 500 * MB, 5), true],
    ['one more process', sample(4, 500 * MB, 0), true],
    ['one process less', sample(2, 500 * MB, 0), true],
    ['memory that grows', sample(3, 530 * MB, 0), true],
    ['memory that is given back', sample(3, 470 * MB, 0), true],
  ])('%s', (_what, now, expected) => {
    expect(isMoving(calm, now)).toBe(expected);
  });

  test('the first sample counts as a change', () => {
    expect(isMoving(null, calm)).toBe(true);
    expect(totalOf(calm)).toEqual({ processes: 4, memoryBytes: 501 * MB, cpuPercent: 0.4 });
  });
});

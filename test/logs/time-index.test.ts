import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatTimeIndexHeader,
  formatTimeMark,
  parseTimeMarks,
  positionSince,
  type TimeMark,
  thinTimeMarks,
  timeOf,
} from '../../src/logs/time-index.ts';

const NOTES: readonly TimeMark[] = [
  { position: 10, atMs: 1_000, withinMs: null },
  { position: 30, atMs: 2_000, withinMs: 100 },
  { position: 40, atMs: 2_100, withinMs: 100 },
];

test.each([
  ['the first byte: written at any time before', 0, { atMs: 1_000, withinMs: null }],
  ['the last byte of a mark', 9, { atMs: 1_000, withinMs: null }],
  ['the first byte of the next mark', 10, { atMs: 2_000, withinMs: 100 }],
  ['in the middle', 35, { atMs: 2_100, withinMs: 100 }],
  ['beyond the last mark', 40, null],
])('the time of %s', (_name, position, expected) => {
  expect(timeOf(NOTES, position)).toEqual(expected);
});

test.each([
  ['before everything', 0, null],
  ['at the first mark', 1_000, null],
  ['between two marks', 1_001, 10],
  ['at the last mark', 2_100, 30],
  ['after everything', 2_101, 40],
])('what was written since: %s', (_name, sinceMs, expected) => {
  expect(positionSince(NOTES, sinceMs)).toBe(expected);
});

test('a malformed line costs no other line', () => {
  const text = `${formatTimeIndexHeader('1:2:3')}${NOTES.map(formatTimeMark).join('')}40 9 9\nrubbish\n50 3000 1`;
  expect(parseTimeMarks(text)).toEqual({
    file: '1:2:3',
    marks: [...NOTES, { position: 50, atMs: 3_000, withinMs: 1 }],
  });
  expect(parseTimeMarks('')).toEqual({ file: null, marks: [] });
});

const anyNotes = fc
  .array(fc.record({ grown: fc.nat(1_000), ms: fc.nat(1_000), isKnown: fc.boolean() }), {
    maxLength: 60,
  })
  .map((steps) => {
    let [position, atMs] = [0, 0];
    return steps.map(({ grown, ms, isKnown }): TimeMark => {
      position += grown + 1;
      atMs += ms;
      return { position, atMs, withinMs: isKnown ? Math.floor(ms / 2) : null };
    });
  });

test('thinned marks are true, only less exact', () => {
  fc.assert(
    fc.property(anyNotes, fc.nat(60_000), (marks, first) => {
      const thin = thinTimeMarks(marks, first);
      const end = marks.at(-1)?.position ?? 0;
      expect(thin.at(-1)?.position ?? 0).toBe(end > first ? end : 0);
      for (let position = first; position < end; position += 97) {
        const [exact, coarse] = [timeOf(marks, position), timeOf(thin, position)];
        // A mark gives each byte a stretch of time, and the thinned stretch contains the exact one.
        expect(coarse?.atMs).toBeGreaterThanOrEqual(exact?.atMs ?? 0);
        if (coarse?.withinMs == null) continue;
        const earliest = (exact?.atMs ?? 0) - (exact?.withinMs ?? Number.POSITIVE_INFINITY);
        expect(coarse.atMs - coarse.withinMs).toBeLessThanOrEqual(earliest);
      }
    }),
  );
});

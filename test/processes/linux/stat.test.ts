import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStat } from '../../../src/processes/linux/stat.ts';

/** A real line (sleep), with the name, state and flags to be filled in. */
function line(name: string, { state = 'S', flags = 4194304 } = {}): string {
  return `4711 (${name}) ${state} 4000 4001 4002 34816 4711 ${flags} 99 0 0 0 12 34 3 4 20 0 3 0 162193 5500928 476 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n`;
}

describe('parseStat', () => {
  test('every field in its place', () => {
    expect(parseStat(line('sleep'))).toEqual({
      pid: 4711,
      name: 'sleep',
      state: 'S',
      ppid: 4000,
      pgid: 4001,
      sid: 4002,
      kernelThread: false,
      cpuTicks: 46,
      childTicks: 7,
      threads: 3,
      startTicks: 162193,
      rssPages: 476,
    });
  });

  test.each([
    ['spaces', 'tmux: server', 'tmux: server'],
    ['a stat line of its own', 'a) R 1 1 1', 'a) R 1 1 1'],
    ['only parentheses', ')(', ')('],
    ['nothing', '', ''],
    ['a newline as old kernels print it', 'two\nlines', 'two\nlines'],
    ['a newline as the kernel escapes it', 'two\\nlines', 'two\nlines'],
    ['a backslash as the kernel escapes it', 'back\\\\slash', 'back\\slash'],
  ])('a name with %s', (_what, printed, name) => {
    expect(parseStat(line(printed))).toMatchObject({ name, state: 'S', ppid: 4000 });
  });

  test('kernel threads carry a flag, whatever their parent is', () => {
    expect(parseStat(line('kworker/0:1', { flags: 0x00208040 }))?.kernelThread).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['no name', '4711 '],
    ['a name that does not end', '4711 (sle'],
    ['a line that breaks off', line('sleep').slice(0, 60)],
    ['no number', line('sleep').replace('4711', 'self')],
  ])('is null for %s', (_what, text) => {
    expect(parseStat(text)).toBeNull();
  });

  test('no name whatsoever moves a field', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), (name) => {
        const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
        expect(parseStat(line(escaped))).toMatchObject({ name, ppid: 4000, startTicks: 162193 });
      }),
    );
  });
});

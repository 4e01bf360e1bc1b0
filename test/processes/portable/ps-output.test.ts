import { describe, expect, test } from 'vitest';
import {
  type PsColumn,
  parseCpuTime,
  parseLsof,
  parsePidLines,
  parsePsRows,
  parsePwdx,
  splitEnvironment,
} from '../../../src/processes/portable/ps-output.ts';

const LINUX: readonly PsColumn[] = [
  ...(['pid', 'ppid', 'pgid', 'sess', 'uid', 'stat', 'nlwp'] as const),
  ...(['rss', 'time', 'lstart', 'comm'] as const),
];
const MACOS = LINUX.filter((column) => column !== 'sess' && column !== 'nlwp');

describe('parsePsRows', () => {
  test('Linux', () => {
    const output =
      '   12     1    12    10  1000 Ssl+    7   2024 00:01:05 Mon Nov 23 07:23:54 2026 a) R 1 1\n';
    expect(parsePsRows(output, LINUX)).toEqual([
      {
        pid: 12,
        ppid: 1,
        pgid: 12,
        sid: 10,
        uid: 1000,
        state: 'S',
        threads: 7,
        rssBytes: 2024 * 1024,
        cpuTicks: 6500,
        startSeconds: Date.UTC(2026, 10, 23, 7, 23, 54) / 1000,
        name: 'a) R 1 1',
      },
    ]);
  });

  test('macOS has no session and no thread count, and prints paths', () => {
    const output =
      '  501   1   501  501 U  3  0:00.42 Sun Mar  1 09:05:06 2026 /usr/local/bin/node\n';
    expect(parsePsRows(output, MACOS)).toMatchObject([
      { pid: 501, sid: 0, threads: 1, state: 'U', cpuTicks: 42, name: 'node' },
    ]);
  });

  test.each([
    ['Linux', 'Z', 'node <defunct>'],
    ['BSD', 'Z+', '(node)'],
  ])('a zombie of %s keeps its name', (_system, stat, comm) => {
    const output = `12 1 12 12 0 ${stat} 1 0 00:00:00 Mon Nov 23 07:23:54 2026 ${comm}`;
    expect(parsePsRows(output, LINUX)).toMatchObject([{ state: 'Z', name: 'node' }]);
  });

  test('a line that is not whole is left out', () => {
    expect(parsePsRows('ps: bad column\n 12 1 12\n\n', LINUX)).toEqual([]);
  });
});

test.each([
  ['00:00:00', 0],
  ['00:01:05', 6500],
  ['1-02:03:04', 9_378_400],
  ['0:00.42', 42],
  ['125:10.07', 751_007],
  ['-', 0],
])('cpu time %s is %i ticks', (text, ticks) => {
  expect(parseCpuTime(text)).toBe(ticks);
});

test('parsePidLines keeps the text as it is', () => {
  expect([...parsePidLines('    1 /sbin/init  quiet\n  222 \n333\nPID X\n')]).toEqual([
    [1, '/sbin/init  quiet'],
    [222, ''],
    [333, ''],
  ]);
});

describe('splitEnvironment', () => {
  test.each([
    ['plain', 'node web.js A=1 DEVCTL_RUN=abc', 'node web.js', 'A=1\0DEVCTL_RUN=abc\0'],
    [
      'an argument that looks like a variable',
      'env DEVCTL_RUN=no B=2',
      'env DEVCTL_RUN=no',
      'B=2\0',
    ],
    ['a value with spaces', 'sh A=one two B=3', 'sh', 'A=one two\0B=3\0'],
    ['a suffix of another name', 'sh TURBO_DEVCTL_RUN=x', 'sh', 'TURBO_DEVCTL_RUN=x\0'],
    ['no environment', 'sleep 60', 'sleep 60', ''],
    ['bytes that the other ps printed as "?"', 'vim \xc3\xa9 A=\xc3\xa9', 'vim ??', 'A=\xc3\xa9\0'],
    ['other arguments by now', 'sleep 60 A=1', 'sh -c sleep', null],
  ])('%s', (_what, text, args, environ) => {
    expect(splitEnvironment(text, args).environ).toBe(environ);
  });

  test('gives back the arguments with their bytes', () => {
    expect(splitEnvironment('vim \xc3\xa9 A=1', 'vim ??').args).toBe('vim \xc3\xa9');
  });
});

describe('parseLsof', () => {
  test('fields belong to the process and file above them', () => {
    const output =
      'p12\nu1000\nfcwd\nn/srv/web\nf1\naw\nG0x8401;0x0\nn/srv/web/log\np13\nf3\nau\nn*:3000\n';
    expect(parseLsof(output)).toEqual([
      { pid: 12, uid: 1000, fd: 'cwd', access: '', flags: null, name: '/srv/web' },
      { pid: 12, uid: 1000, fd: '1', access: 'w', flags: 0x8401, name: '/srv/web/log' },
      { pid: 13, uid: null, fd: '3', access: 'u', flags: null, name: '*:3000' },
    ]);
  });

  test.each([
    ['/caf\\xc3\\xa9', '/café'],
    ['/a\\\\xc3', '/a\\xc3'],
  ])('%s is %s', (printed, path) => {
    expect(parseLsof(`p1\nfcwd\nn${printed}\n`)[0]?.name).toBe(path);
  });
});

test('parsePwdx leaves out what may not be looked at', () => {
  const output = '12: /srv/web\n13: Permission denied\n14: No such process\n';
  expect([...parsePwdx(output)]).toEqual([[12, '/srv/web']]);
});

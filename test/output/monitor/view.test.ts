import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { update } from '../../../src/output/monitor/update.ts';
import { frameOf } from '../../../src/output/monitor/view.ts';
import { lastMinute, sparkline } from '../../../src/output/terminal/sparkline.ts';
import { createTheme } from '../../../src/output/terminal/theme.ts';
import { displayWidth } from '../../../src/output/terminal/width.ts';
import {
  anyKeys,
  anyServices,
  anyText,
  monitorOf,
  observation,
  pressed,
  written,
} from './models.ts';

const plain = createTheme(false);
const screen = (model: Parameters<typeof frameOf>[0]): string =>
  frameOf(model, plain)
    .map((line) => line.trimEnd())
    .join('\n');

const SERVICES = [
  { name: 'web', commands: ['npm run dev', 'node vite'], cpuPercent: 12.34, restarts: 3 },
  { name: 'db' },
];

describe('the screen', () => {
  test('names that begin alike are cut in the middle', () => {
    const alike = ['api', 'app', 'worker'].map((end) => ({ name: `packages-for-the-web-${end}` }));
    const seen = screen(monitorOf(alike));
    expect(seen).toMatch(/^▸ pack\S*…\S*api .*\n {2}pack\S*…\S*app .*\n {2}pack\S*…\S*worker /m);
  });

  test('80 × 24: services, processes and log of the chosen service, and the keys', () => {
    const seen = screen(written(monitorOf(SERVICES), 'listening', 'GET /'));
    expect(seen).toMatch(/^project {3}2 of 2 up {3}3 processes .* supervisor 99/);
    expect(seen).toMatch(/^▸ web +ready +4711 +1m05s +3 +2 .*12\.3% .*3\.8 MB$/m);
    expect(seen).toMatch(/^ {2}db +ready/m);
    expect(seen).toMatch(/^ {2}npm run dev .*\d+s$/m);
    expect(screen(monitorOf(SERVICES, 120))).toMatch(/^ {2}npm run dev .* leader cookie$/m);
    expect(seen).toMatch(/^ {2}└─ node vite /m);
    expect(seen).toMatch(/LOG of web\n {2}listening\n {2}GET \/$/m);
    expect(seen).toMatch(/\? help +q quit$/);
  });

  test('what has changed, or is named no more, is marked', () => {
    const marked = [
      { name: 'web', changed: ['env'] },
      { name: 'old', undeclared: true },
    ];
    const seen = screen(monitorOf(marked));
    expect(seen).toMatch(/^▸ web +ready \(changed\) +4711/m);
    expect(seen).toMatch(/^ {2}old +ready \(undeclared\) +4711/m);
  });

  test('on a wide screen the log stands beside the lists', () => {
    const seen = screen(written(monitorOf(SERVICES, 200, 60), 'listening'));
    expect(seen).toMatch(/SERVICE .*│ {3}LOG of web$/m);
    expect(seen).toMatch(/^▸ web .*│ {3}listening$/m);
  });

  test('the bars show the last minute, with the highest value of each step', () => {
    const samples = [
      [10, 61],
      [100, 64],
      [0, 65],
      [50, 90],
      [0, 119],
    ].map(([value = 0, second = 0]) => ({
      atMs: 1_000 * second,
      services: { web: { processes: 1, memoryBytes: 1, cpuPercent: value } },
    }));
    const bars = (columns: number) =>
      sparkline(
        lastMinute(samples, columns, ({ services }) => services.web?.cpuPercent ?? null),
        {
          low: 0,
          high: 100,
        },
      );
    expect(bars(6)).toBe('█  ▅ ▁');
    expect(bars(1)).toBe('█');
    expect(bars(30)).toBe('▁ █            ▅             ▁');
  });

  test('the reason why a service is not up: in its line, or above its processes', () => {
    const failed = { name: 'web', state: 'failed', commands: [], reason: 'exit code 1' } as const;
    const sick = { name: 'api', state: 'unhealthy', reason: 'its probe fails' } as const;
    const model = monitorOf([failed, sick]);
    expect(screen(model)).toMatch(/^▸ web +failed +exit code 1$/m);
    expect(screen(pressed(model, 'down'))).toMatch(
      /PROCESS of api.*\n {2}! its probe fails\n {2}api/,
    );
  });

  test('exceeded limits, of a service or of the project that it is the largest part of', () => {
    const seen = observation(SERVICES);
    const [first = '', second = ''] = seen.status.services.map(({ name }) => name);
    const exceeded = [
      { of: first, text: `${first}: 21 processes, limit 20` },
      { of: second, text: 'all services together: 101 processes, limit 100' },
    ];
    const observed = { ...seen, exceeded };
    const { model } = update(monitorOf([]), { kind: 'observed', observation: observed });
    expect(screen(model)).toContain(`! ${first}: 21 processes, limit 20`);
    expect(screen(pressed(model, 'down'))).toContain('! all services together: 101 processes');
  });

  test.each([
    [
      [
        { endsInMs: 60_000, processes: [] },
        { endsInMs: 7_500_000, processes: [] },
      ],
      'stops in 2h05m',
    ],
    [[{ endsInMs: null, processes: [{ pid: 7, command: 'sh' }] }], 'stops with pid 7'],
  ])('leases: %j', (leases, text) => {
    const seen = observation(SERVICES);
    const leased = { ...seen, status: { ...seen.status, leases } };
    const { model } = update(monitorOf([]), { kind: 'observed', observation: leased });
    expect(screen(model)).toMatch(new RegExp(` {3}${text}$`, 'm'));
  });

  test('without colour there is no escape sequence', () => {
    const model = written(monitorOf(SERVICES), '\u001B[31mred\u001B[0m');
    expect(frameOf(pressed(model, '/', 'r', 'enter'), plain).join('')).not.toContain('\u001B');
  });

  test('with colour a log keeps its own colours', () => {
    const frame = frameOf(
      written(monitorOf(SERVICES), '\u001B[31mred\u001B[0m'),
      createTheme(true),
    );
    expect(frame.join('')).toContain('\u001B[31mred');
  });

  test('a small screen shows the marked pane', () => {
    expect(screen(monitorOf(SERVICES, 30, 5))).toMatch(/SERVICE.*\n▸ web/);
    expect(screen(written(pressed(monitorOf(SERVICES, 30, 5), 'backtab'), 'x'))).toMatch(
      /LOG.*\n {2}x/,
    );
  });
});

test('in any state, no line is wider than the screen, and there is a line for each row', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 100 }),
      anyServices,
      anyKeys,
      fc.array(anyText, { maxLength: 30 }),
      fc.boolean(),
      (columns, rows, services, keys, lines, color) => {
        const model = pressed(written(monitorOf(services, columns, rows), ...lines), ...keys);
        const frame = frameOf(model, createTheme(color));
        expect(frame).toHaveLength(rows);
        expect(frame.filter((line) => displayWidth(line) > columns)).toEqual([]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing but colours is left of what somebody writes
        expect(frame.join('')).not.toMatch(/[\r\n\t]|\u001B(?!\[[\d;]*m)/);
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);

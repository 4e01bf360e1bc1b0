import { describe, expect, test } from 'vitest';
import type { ContainerStatus, ContainersStatus } from '../../src/containers/report.ts';
import { update } from '../../src/output/monitor/update.ts';
import { frameOf } from '../../src/output/monitor/view.ts';
import { createTheme } from '../../src/output/terminal/theme.ts';
import { containersLines } from '../../src/output/text/containers.ts';
import { containersStopLines } from '../../src/output/text/stop.ts';
import { monitorOf, observation } from './monitor/models.ts';

const plain = createTheme(false);
const one = (given: Partial<ContainerStatus> = {}): ContainerStatus => ({
  service: 'db',
  name: 'shop_db_1',
  id: 'a1'.repeat(32),
  state: 'running',
  health: null,
  exitCode: null,
  uptimeMs: 90_000,
  ports: ['5432'],
  pid: 4711,
  ours: true,
  restartedByEngine: false,
  ...given,
});
const all = (
  list: readonly ContainerStatus[],
  given: Partial<ContainersStatus> = {},
): ContainersStatus => ({
  engine: 'tcp://far:2375',
  remote: false,
  ageMs: 0,
  why: null,
  list,
  healthy: true,
  ...given,
});

describe('containers in status', () => {
  test.each<[what: string, given: Partial<ContainerStatus>, state: string]>([
    ['running', {}, 'running'],
    ['healthy', { health: 'healthy' }, 'healthy'],
    ['not healthy yet', { health: 'starting' }, 'starting'],
    ['a task that is done', { state: 'exited', exitCode: 0 }, 'done'],
    ['exited', { state: 'exited', exitCode: 3 }, 'exited (3)'],
    ['restarting', { state: 'restarting' }, 'restarting'],
  ])('%s', (_what, given, state) => {
    const [, row = ''] = containersLines(all([one(given)]), plain);
    expect(row).toMatch(/^db +/);
    expect(row).toContain(state);
  });

  test.each<[what: string, status: ContainersStatus, line: RegExp]>([
    [
      'no answer',
      all([one()], { why: 'the engine does not answer', ageMs: 5_000 }),
      /does not answer, so this is what it said 5\.0 s ago/,
    ],
    ['another machine', all([one()], { remote: true }), /on another machine \(tcp:\/\/far:2375\)/],
    [
      'started again by the engine',
      all([one({ restartedByEngine: true })]),
      /db: started by the engine after a boot/,
    ],
    ['of somebody else', all([one({ ours: false })]), /db: started by somebody else/],
  ])('%s is said', (_what, status, line) => {
    expect(containersLines(status, plain).join('\n')).toMatch(line);
  });
});

describe('containers in the header of the monitor', () => {
  test.each<[what: string, status: ContainersStatus, text: string]>([
    ['up', all([one(), one({ state: 'exited' })]), '1 of 2 containers up'],
    ['no answer, and none before', all([], { why: 'x' }), 'containers: not known'],
    [
      'no answer of now',
      all([one()], { why: 'x', ageMs: 61_000 }),
      '1 of 1 containers up 1m01s ago',
    ],
  ])('%s', (_what, containers, text) => {
    const seen = observation([{ name: 'web' }]);
    const withThem = { ...seen, status: { ...seen.status, containers } };
    const { model } = update(monitorOf([]), { kind: 'observed', observation: withThem });
    expect(frameOf({ ...model, size: { columns: 160, rows: 20 } }, plain)[0]).toContain(text);
  });
});

test('what a stop did with containers', () => {
  const stopped = { id: 'x', name: 'shop_db_1', service: 'db', why: null };
  const lines = containersStopLines(
    {
      engine: null,
      containers: [
        { ...stopped, outcome: 'removed' },
        { ...stopped, name: 'db', outcome: 'kept', why: 'it holds data' },
        { ...stopped, outcome: 'left', why: 'refused' },
      ],
      networks: [{ name: 'n', removed: true, why: null }],
      volumes: [{ name: 'v', removed: false, why: 'in use' }],
      ports: [],
      unknown: '2 containers: not known, x',
      left: true,
      tookMs: 1,
    },
    plain,
  );
  expect(lines).toEqual([
    '✓ container db (shop_db_1): stopped and removed',
    '✓ container db: stopped, and kept: it holds data',
    '✗ container db (shop_db_1) is left: refused',
    '✓ network n: removed',
    '✗ volume v is left: in use',
    '✗ 2 containers: not known, x',
  ]);
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildProgram } from '../src/cli.ts';
import { parseQuickly } from '../src/quick.ts';

test.each([
  [['status'], { command: 'status', names: [], options: {} }],
  [['stop', 'web', '--json'], { command: 'stop', names: ['web'], options: { json: true } }],
  [['stop', '--force', '--no-color'], expect.objectContaining({ command: 'stop' })],
  [['stop', '--grace', '3s'], { command: 'stop', names: [], options: { grace: '3s' } }],
  [
    ['status', '--config', 'a.json', 'web'],
    { command: 'status', names: ['web'], options: { config: 'a.json' } },
  ],
  [['stop', '-c', 'a.json', '--force'], expect.objectContaining({ command: 'stop' })],
  [['status', '--all', '--json'], expect.objectContaining({ options: { all: true, json: true } })],
  [['stop', '--project', '../x'], { command: 'stop', names: [], options: { project: '../x' } }],
  // Commander reads an empty value, and the command refuses it.
  [['stop', '--config', ''], null],
  [['stop', '--config='], null],
  [['status', '-c', ''], null],
  [['stop', '--project', ''], null],
  [['status', '--project', 'x'], null],
  [['stop', '--all'], null],
  [['stop', '--grace'], null],
  [['stop', '--config', '--json'], null],
  [['status', '--grace', '3s'], null],
  [['stop', '--forse'], null],
  [['status', '--force'], null],
  [['stop', '--', '-x'], null],
  [['--json', 'stop'], null],
  [['start'], { command: 'start', names: [], options: {} }],
  [['start', 'web', '--abort-on-failure'], expect.objectContaining({ names: ['web'] })],
  [['restart', 'web', '--dependents'], expect.objectContaining({ options: { dependents: true } })],
  [['restart', '--grace', '3s'], { command: 'restart', names: [], options: { grace: '3s' } }],
  [['restart', '--force'], null],
  [['toString'], null],
  [['start', '--apply'], null],
  [['start', '--ttl', '2h'], null],
  [['start', 'web', '--', 'npm', 'run', 'dev'], null],
  [['up'], null],
  [[], null],
])('%j', (args, expected) => {
  expect(parseQuickly(args)).toEqual(expected);
});

test('commander parses in the same way each line that parseQuickly accepts', () => {
  const word = fc.constantFrom(
    'web',
    'api',
    '--json',
    '--force',
    '--abort-on-failure',
    '--dependents',
    '--containers',
    '--apply',
    '--',
    '--dry-run',
    '--why',
    '--verbose',
    '--color',
    '--no-color',
    '--grace',
    '--config',
    '-c',
    '-h',
    '--config=x',
    '--config=',
    '--all',
    '--project',
    '',
  );
  const line = fc.tuple(
    fc.constantFrom('start', 'restart', 'status', 'stop'),
    fc.array(word, { maxLength: 5 }),
  );
  fc.assert(
    fc.property(line, ([command, rest]) => {
      const quick = parseQuickly([command, ...rest]);
      if (quick === null) return;
      expect(parsedByCommander([command, ...rest])).toEqual(quick);
    }),
  );
});

function parsedByCommander(args: readonly string[]): unknown {
  const program = buildProgram(() => {});
  let parsed: unknown;
  for (const command of program.commands) {
    command.action((names: string[], _options: unknown) => {
      parsed = { command: command.name(), names, options: command.optsWithGlobals() };
    });
  }
  program.parse([...args], { from: 'user' });
  return parsed;
}

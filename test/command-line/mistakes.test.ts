import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/command-line/entries.ts';
import { guesses, hintForCommand, hintForOption } from '../../src/command-line/mistakes.ts';
import { DEVCTL } from '../../src/own-command.ts';

const names = COMMANDS.map(({ name }) => name);
const known = COMMANDS.map(({ name, options = [] }) => ({
  name,
  options: options.flatMap(([flags]) => /--[\w-]+/.exec(flags)?.[0] ?? []),
}));
const shared = ['--config', '--color', '--no-color', '--version', '--help', '--json'];
const option = (command: string | null, typed: string) =>
  hintForOption(typed, known.find(({ name }) => name === command) ?? null, shared);

test.each([
  ['statu', ['status']],
  ['stat', ['status', 'start']],
  ['stpo', ['stop']],
  ['stop ', ['stop']],
  ['st', ['start', 'stop', 'status']],
  ['STATUS', ['status']],
  ['moniter', ['monitor']],
  ['restrat', ['restart']],
  ['ch', ['check']],
  // Another first letter is another word: "top" is not "stop", nor "tart" "start".
  ['top', []],
  ['tart', []],
  ['xyzzy', []],
  ['', []],
])('%s may mean %j', (typed, meant) => {
  expect(guesses(typed, names)).toEqual(meant);
});

describe('words of other tools lead to the one here', () => {
  test.each([
    ['ps', 'status'],
    ['ls', 'status'],
    ['list', 'status'],
    ['down', 'stop'],
    ['kill', 'stop'],
    ['rm', 'stop'],
    ['delete', 'stop'],
    ['tail', 'logs'],
    ['reload', 'restart'],
    ['monit', 'monitor'],
    ['exec', 'run -- COMMAND'],
    ['config', 'check'],
    ['Down', 'stop'],
  ])('%s: %s', (typed, here) => {
    expect(hintForCommand(typed, known)).toBe(`here it is ${DEVCTL} ${here}`);
  });

  test.each([
    ['kill api', 'stop api'],
    ['down api web', 'stop api web'],
    ['killall api', 'stop --force api'],
    ['ps api', 'status api'],
    ['tail -f api', 'logs api'],
    ['connect web', 'attach web'],
    ['type web hello', 'send web TEXT'],
    ['dashboard web', 'monitor'],
    ['exec -- kill api', 'run -- COMMAND'],
    ['down ./x $y', 'stop'],
  ])('%s keeps the names: %s', (line, here) => {
    const [typed = '', ...rest] = line.split(' ');
    expect(hintForCommand(typed, known, rest)).toBe(`here it is ${DEVCTL} ${here}`);
  });

  test.each([
    ['logs', '--tail', '-n COUNT'],
    ['logs', '--tail=50', '-n COUNT'],
    ['start', '-d', 'in the background'],
    ['up', '-d', `${DEVCTL} start`],
    ['up', '--detach', `${DEVCTL} start`],
    ['stop', '--timeout', '--grace'],
    ['stop', '-9', '--force'],
    ['stop', '-v', '--volumes'],
    ['status', '--watch', 'monitor'],
    [null, '-f', '--config FILE'],
    [null, '-v', '--version'],
  ])('%s %s: %s', (command, typed, here) => {
    expect(option(command, typed)).toContain(here);
  });
});

test.each([
  ['stop', '--forec', `Did you mean --force? ${DEVCTL} stop --help lists its options`],
  ['stop', '--dry', `Did you mean --dry-run? ${DEVCTL} stop --help lists its options`],
  ['status', '--jsn', `Did you mean --json? ${DEVCTL} status --help lists its options`],
  ['check', '--bogus', `${DEVCTL} check --help lists its options`],
  [null, '--bogus', `${DEVCTL} --help lists commands and options`],
  ['stop', '__proto__', `${DEVCTL} stop --help lists its options`],
])('%s %s: %s', (command, typed, hint) => {
  expect(option(command, typed)).toBe(hint);
});

test('a word of another tool is no command here, and no option', () => {
  const taken = names.filter((name) => hintForCommand(name, []).startsWith('here'));
  expect(taken).toEqual([]);
  const options = known.flatMap(({ name, options: own }) =>
    own.filter((flag) => !option(name, flag).startsWith('Did you mean')),
  );
  expect(options).toEqual([]);
});

test('a word of any length is answered', () => {
  expect(guesses('s'.repeat(100_000), names)).toEqual([]);
});

test('a tie names all', () => {
  expect(hintForCommand('st', known)).toBe(
    `Did you mean ${DEVCTL} start, ${DEVCTL} stop or ${DEVCTL} status?`,
  );
});

test('each command has a page, and its exit codes begin with success or its own', () => {
  for (const { name, exits } of COMMANDS) expect(exits[0], name).toMatch(/^0 |^that of/);
});

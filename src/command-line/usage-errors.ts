import type { Command, CommanderError } from 'commander';
import { DevctlError } from '../errors.ts';
import { COMMANDS } from './entries.ts';
import {
  hintForCommand,
  hintForOption,
  hintForWords,
  type KnownCommand,
  type WordsOfCommand,
} from './mistakes.ts';

/**
 * Turns an error of commander, such as `error: unknown option '--jsn'`, into a message and a hint.
 *
 * @param words the words of the command line before `--`
 */
export function usageError(
  error: CommanderError,
  program: Command,
  words: readonly string[],
): DevctlError {
  const [first = ''] = error.message.split('\n');
  const known = knownCommands(program);
  const quoted = /'([^']*)'/.exec(first)?.[1] ?? '';
  if (error.code === 'commander.unknownCommand') return unknownCommand(quoted, program, words);
  const command = known.find(({ name }) => words.includes(name)) ?? null;
  const flag = error.code === 'commander.unknownOption' ? quoted : null;
  const shared = [...longOptions(program), '--help'];
  const ofWords =
    command && hintForWords(error.code, quoted, command.name, wordsOf(program, command));
  return new DevctlError('usage', first.replace(/^error: /, ''), {
    hint: ofWords ?? hintForOption(flag, command, shared, known),
  });
}

function wordsOf(program: Command, { name }: KnownCommand): WordsOfCommand {
  const command = program.commands.find((one) => one.name() === name);
  const operands = command?.registeredArguments ?? [];
  return {
    example: COMMANDS.find((entry) => entry.name === name)?.examples[0],
    operands:
      operands.length === 0
        ? null
        : operands.map(({ argChoices = [] }) => ({ choices: argChoices })),
    values: new Map(
      [...program.options, ...(command?.options ?? [])].map((one) => [one.flags, one.description]),
    ),
  };
}

/**
 * The failure of a command that does not exist.
 *
 * @param words the words of the command line before `--`
 */
export function unknownCommand(
  name: string,
  program: Command,
  words: readonly string[] = [],
): DevctlError {
  return new DevctlError('usage', `unknown command '${name}'`, {
    hint: hintForCommand(name, knownCommands(program), words.slice(words.indexOf(name) + 1)),
  });
}

function knownCommands(program: Command): readonly KnownCommand[] {
  return program.commands
    .filter((one) => !one.name().startsWith('_'))
    .map((one) => ({ name: one.name(), options: longOptions(one) }));
}

function longOptions(command: Command): readonly string[] {
  return command.options.flatMap(({ long }) => long ?? []);
}

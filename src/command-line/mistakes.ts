import { editDistance } from '../manifest/nearest.ts';
import { DEVCTL } from '../own-command.ts';
import { commandOfOthers, optionOfOthers } from './other-tools.ts';

/** The commands of the program with their long options, as far as a mistake needs them. */
export interface KnownCommand {
  readonly name: string;
  readonly options: readonly string[];
}

/** The further words of a command, for a mistake in these. */
export interface WordsOfCommand {
  readonly example: string | undefined;
  /** Null: it takes no names. */
  readonly operands: readonly { readonly choices: readonly string[] }[] | null;
  /** The options that take a value, with their descriptions. */
  readonly values: ReadonlyMap<string, string>;
}

/** From this length on, two edits are one mistake. */
const LONG = 7;

/**
 * Finds the words that a mistyped one may have meant: first those that it begins, then those with the same first letter and
 * one edit, or two in a long word. All of them are named, because a guess may start or stop something.
 */
export function guesses(typed: string, known: readonly string[]): readonly string[] {
  const word = typed.slice(0, 100).toLowerCase();
  if (word === '') return [];
  const begun = known.filter((one) => one.startsWith(word));
  const edits = word.length >= LONG ? 2 : 1;
  const near = known.filter((one) => one[0] === word[0] && editDistance(word, one) <= edits);
  return [...new Set([...begun, ...near])];
}

/**
 * The hint for a command that does not exist.
 *
 * @param rest the words that follow it
 */
export function hintForCommand(
  typed: string,
  known: readonly KnownCommand[],
  rest: readonly string[] = [],
): string {
  const ofOthers = commandOfOthers(typed, rest);
  if (ofOthers !== null) return ofOthers;
  const names = known.map(({ name }) => name);
  const [first = '', ...others] = typed.trim().split(/\s+/);
  if (others.length > 0 && names.includes(first))
    return `without the quotes: ${DEVCTL} ${first} ${others.join(' ')}`;
  const meant = guesses(typed, names).map((name) => `${DEVCTL} ${name}`);
  return didYouMean(meant) ?? `${DEVCTL} --help lists commands and options`;
}

/**
 * The hint for an option that does not exist, or is used wrongly.
 *
 * @param typed `--tail`, `-d`; null: the mistake is none of the option's name
 * @param command the command that it was given to; null: before any
 */
export function hintForOption(
  typed: string | null,
  command: KnownCommand | null,
  shared: readonly string[],
  commands: readonly KnownCommand[] = [],
): string {
  const list =
    command === null
      ? `${DEVCTL} --help lists commands and options`
      : `${DEVCTL} ${command.name} --help lists its options`;
  if (typed === null) return list;
  const [flag = ''] = typed.split('=');
  const ofOthers = optionOfOthers(flag, command?.name ?? null);
  if (ofOthers !== null) return ofOthers;
  const name = flag.replace(/^-+/, '');
  if (command === null && commands.some((one) => one.name === name))
    return `a command has no dash: ${DEVCTL} ${name}`;
  const known = [...(command?.options ?? []), ...shared].map((one) => one.replace(/^--/, ''));
  const meant = flag.startsWith('--') ? guesses(flag.slice(2), known) : [];
  const hint = didYouMean(meant.map((name) => `--${name}`));
  return hint === null ? list : `${hint} ${list}`;
}

/**
 * The hint for words behind a command that it cannot take; null where the list of its options says more.
 *
 * @param code commander's name of the mistake
 * @param quoted the word or option that the mistake is about
 */
export function hintForWords(
  code: string,
  quoted: string,
  name: string,
  { example, operands, values }: WordsOfCommand,
): string | null {
  if (code === 'commander.optionMissingArgument') {
    const description = values.get(quoted);
    return description === undefined ? null : `${quoted}: ${description}`;
  }
  if (code === 'commander.excessArguments' && operands === null)
    return `it takes no names: ${DEVCTL} ${name}`;
  if (code !== 'commander.missingArgument' && code !== 'commander.invalidArgument') return null;
  const choices = operands?.flatMap((operand) => operand.choices) ?? [];
  if (choices.length > 0) return choices.map((one) => `${DEVCTL} ${name} ${one}`).join(', or ');
  return example === undefined ? null : `for example: ${DEVCTL} ${example}`;
}

function didYouMean(meant: readonly string[]): string | null {
  if (meant.length === 0) return null;
  const last = meant.at(-1);
  return meant.length === 1
    ? `Did you mean ${last}?`
    : `Did you mean ${meant.slice(0, -1).join(', ')} or ${last}?`;
}

/** What can be said on a command line, as the shell completions need it. */
export interface CommandLineModel {
  readonly options: readonly OptionModel[];
  readonly commands: readonly CommandModel[];
}

export interface OptionModel {
  /** `-c`, `--config`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What its value is: `file` of `--config <file>`; null: it takes none. */
  readonly value: string | null;
}

export interface CommandModel {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionModel[];
  readonly arguments: readonly {
    readonly name: string;
    readonly variadic: boolean;
    readonly choices: readonly string[];
  }[];
}

export interface Named {
  readonly services: readonly string[];
  readonly groups: readonly string[];
}

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/**
 * `files` and `command`: the shell knows better. `at`: which word is the name of that command, where `devctl`
 * is word 0.
 */
export type Candidates =
  | readonly Candidate[]
  | { readonly shell: 'files' }
  | { readonly shell: 'command'; readonly at: number };

/**
 * What may stand in the place of the last word.
 *
 * @param words after `devctl`; the last one is being typed, and may be empty
 * @param names only called where names are asked for
 */
export function candidates(
  words: readonly string[],
  model: CommandLineModel,
  names: () => Named,
): Candidates {
  const typed = words.at(-1) ?? '';
  const { command, operands, operandsAt, awaits, beyond } = read(words.slice(0, -1), model);
  const its = { shell: 'command', at: 1 + (operandsAt ?? words.length - 1) } as const;
  if (command?.name === 'run' && (beyond || operands.length > 0)) return its;
  if (awaits) return awaits.value === 'file' ? { shell: 'files' } : [];
  if (!beyond && typed.startsWith('-')) {
    const all = [...(command?.options ?? []), ...model.options];
    const flags = all.flatMap(({ flags: some, description }) =>
      some.map((word) => ({ word, description })),
    );
    return matching(flags, typed);
  }
  if (!command) return matching(model.commands.map(asCandidate), typed);
  const position = Math.min(operands.length, Math.max(0, command.arguments.length - 1));
  const argument = command.arguments[position];
  if (!argument || (operands.length > position && !argument.variadic)) return [];
  if (argument.choices.length > 0) return matching(argument.choices.map(plain), typed);
  if (command.name === 'run') return its;
  if (command.name === 'help') return matching(model.commands.map(asCandidate), typed);
  if (argument.name !== 'name' && argument.name !== 'names') return [];
  const { services, groups } = names();
  const grouped = argument.variadic ? groups.map((word) => ({ word, description: 'group' })) : [];
  const all = [...services.map((word) => ({ word, description: 'service' })), ...grouped];
  return matching(
    all.filter(({ word }) => !operands.includes(word)),
    typed,
  );
}

interface Reading {
  readonly command: CommandModel | null;
  readonly operands: readonly string[];
  /** Where the first of them is; null while there is none. */
  readonly operandsAt: number | null;
  /** The option whose value comes next. */
  readonly awaits: OptionModel | null;
  /** Was there a `--`? */
  readonly beyond: boolean;
}

function read(words: readonly string[], model: CommandLineModel): Reading {
  let command: CommandModel | null = null;
  const operands: string[] = [];
  let awaits: OptionModel | null = null;
  let beyond = false;
  let operandsAt: number | null = null;
  for (const [at, word] of words.entries()) {
    if (awaits) awaits = null;
    else if (!beyond && word === '--') beyond = true;
    else if (!beyond && word.startsWith('-') && operands.length === 0) {
      const known: readonly OptionModel[] = [...(command?.options ?? []), ...model.options];
      const option = known.find(({ flags }) => flags.includes(word));
      awaits = option && option.value !== null ? option : null;
    } else if (!beyond && word.startsWith('-')) continue;
    else if (command) {
      operandsAt ??= at;
      operands.push(word);
    } else command = model.commands.find(({ name }) => name === word) ?? NO_COMMAND;
  }
  return { command, operands, operandsAt, awaits, beyond };
}

/** A mistyped one: nothing can be said of what follows. */
const NO_COMMAND: CommandModel = { name: '', description: '', options: [], arguments: [] };

function asCandidate({ name, description }: CommandModel): Candidate {
  return { word: name, description };
}

function plain(word: string): Candidate {
  return { word, description: '' };
}

function matching(all: readonly Candidate[], typed: string): readonly Candidate[] {
  return all.filter(({ word }) => word.startsWith(typed));
}

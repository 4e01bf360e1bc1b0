/** The commands and options of devctl, for the shell completions. */
export interface CommandLineModel {
  readonly options: readonly OptionModel[];
  readonly commands: readonly CommandModel[];
}

export interface OptionModel {
  /** The forms of the option: `-c`, `--config`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** The kind of the value: `file` for `--config <file>`; null when the option takes none. */
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

export interface ProjectNames {
  readonly services: readonly string[];
  readonly groups: readonly string[];
  /** Compose services. */
  readonly containers: readonly string[];
}

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/**
 * The words that may come next. For `files` and `command` the shell completes by itself. `at` is the index
 * of the word that names the other command; `devctl` is word 0.
 */
export type Candidates =
  | readonly Candidate[]
  | { readonly shell: 'files' }
  | { readonly shell: 'command'; readonly at: number };

/**
 * Finds the words that may stand in the place of the last word.
 *
 * @param words after `devctl`; the last one is being typed, and may be empty
 * @param names called only when names of services are needed
 */
export function candidates(
  words: readonly string[],
  model: CommandLineModel,
  names: () => ProjectNames,
): Candidates {
  const typed = words.at(-1) ?? '';
  const { command, operands, operandsAt, awaitedOption, hasSeparator } = parseWords(
    words.slice(0, -1),
    model,
  );
  const shellCompletes = { shell: 'command', at: 1 + (operandsAt ?? words.length - 1) } as const;
  if (command?.name === 'run' && (hasSeparator || operands.length > 0)) return shellCompletes;
  if (awaitedOption) return takesPath(awaitedOption) ? { shell: 'files' } : [];
  if (!hasSeparator && typed.startsWith('-')) {
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
  if (argument.choices.length > 0) return matching(argument.choices.map(withoutDescription), typed);
  if (command.name === 'run') return shellCompletes;
  if (command.name === 'help') return matching(model.commands.map(asCandidate), typed);
  if (argument.name !== 'name' && argument.name !== 'names') return [];
  const { services, groups, containers } = names();
  const contained = containers.map((word) => ({ word, description: 'container' }));
  const isAlone = words.includes('--containers');
  if (isAlone && argument.variadic) return others(contained, operands, typed);
  const grouped = argument.variadic ? groups.map((word) => ({ word, description: 'group' })) : [];
  const all = [...services.map((word) => ({ word, description: 'service' })), ...grouped];
  return others(command.name === 'logs' ? [...all, ...contained] : all, operands, typed);
}

/** Those that are not on the command line yet. */
function others(
  all: readonly Candidate[],
  operands: readonly string[],
  typed: string,
): readonly Candidate[] {
  return matching(
    all.filter(({ word }) => !operands.includes(word)),
    typed,
  );
}

function takesPath({ value }: OptionModel): boolean {
  return value === 'file' || value === 'folder' || value === 'folder-or-id';
}

interface ParsedWords {
  readonly command: CommandModel | null;
  readonly operands: readonly string[];
  /** Index of the first operand; null when there is none. */
  readonly operandsAt: number | null;
  /** The option whose value comes next. */
  readonly awaitedOption: OptionModel | null;
  /** True after a `--`. */
  readonly hasSeparator: boolean;
}

function parseWords(words: readonly string[], model: CommandLineModel): ParsedWords {
  let command: CommandModel | null = null;
  const operands: string[] = [];
  let awaitedOption: OptionModel | null = null;
  let hasSeparator = false;
  let operandsAt: number | null = null;
  for (const [at, word] of words.entries()) {
    if (awaitedOption) awaitedOption = null;
    else if (!hasSeparator && word === '--') hasSeparator = true;
    else if (!hasSeparator && word.startsWith('-') && operands.length === 0) {
      const known: readonly OptionModel[] = [...(command?.options ?? []), ...model.options];
      const option = known.find(({ flags }) => flags.includes(word));
      awaitedOption = option && option.value !== null ? option : null;
    } else if (!hasSeparator && word.startsWith('-')) continue;
    else if (command) {
      operandsAt ??= at;
      operands.push(word);
    } else command = model.commands.find(({ name }) => name === word) ?? UNKNOWN_COMMAND;
  }
  return { command, operands, operandsAt, awaitedOption, hasSeparator };
}

/** Stands for a mistyped command, after which nothing can be completed. */
const UNKNOWN_COMMAND: CommandModel = { name: '', description: '', options: [], arguments: [] };

function asCandidate({ name, description }: CommandModel): Candidate {
  return { word: name, description };
}

function withoutDescription(word: string): Candidate {
  return { word, description: '' };
}

function matching(all: readonly Candidate[], typed: string): readonly Candidate[] {
  return all.filter(({ word }) => word.startsWith(typed));
}

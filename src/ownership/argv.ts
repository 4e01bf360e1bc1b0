/** The last part of a path. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Returns a program's own name: the last part of argv[0], without the dash of a login shell. */
export function programOf(argv: readonly string[]): string {
  return fileName((argv[0] ?? '').split(' ')[0] ?? '').replace(/^-/, '');
}

const INTERPRETER = /^(node|bun|deno|python[\d.]*)$/;

/** Options that load a module before the script; the next word is the module. */
const LOADS = /^(-r|--require|--import|--loader|--experimental-loader|--preload)$/;
/** Other options of Node whose value is a word of its own. */
const TAKES_VALUE =
  /^(-C|--conditions|--env-file|--title|--stack-trace-limit|--watch-path|--tsconfig)$/;
/** Options whose work is in the command line itself: the other words are its arguments. */
const HAS_NO_SCRIPT = /^(-e|--eval|-p|--print|-pe|-c|-m)$/;

/** The parts of the command line of an interpreter. */
export interface CommandWords {
  /** The options before the script, which are the interpreter's own. */
  readonly options: readonly string[];
  /** The modules that it loads before the script. */
  readonly loaded: readonly string[];
  /** The script, or another first word; null where there is none, and for other programs. */
  readonly script: string | null;
  /** The words behind the script, which are the script's own. */
  readonly args: readonly string[];
}

/** Tells the options of an interpreter from its script and from the arguments of the script. */
export function commandWords(argv: readonly string[]): CommandWords {
  if (!isInterpreter(argv)) return { options: [], loaded: [], script: null, args: [] };
  const takesRun = programOf(argv) !== 'node';
  const own = ownOptions(argv.slice(1));
  // `deno run x.ts`, `bun run x.ts`: the next word is the script.
  if (!takesRun || own.first !== 'run') return { ...own, script: own.first, args: own.rest };
  const more = ownOptions(own.rest);
  return {
    options: [...own.options, ...more.options],
    loaded: [...own.loaded, ...more.loaded],
    script: more.first,
    args: more.rest,
  };
}

export function isInterpreter(argv: readonly string[]): boolean {
  return INTERPRETER.test(programOf(argv));
}

/** Takes the options off the front of these words. */
export function ownOptions(words: readonly string[]): Pick<CommandWords, 'options' | 'loaded'> & {
  readonly first: string | null;
  readonly rest: readonly string[];
} {
  const options: string[] = [];
  const loaded: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-')) {
      return { options, loaded, first: word, rest: words.slice(index + 1) };
    }
    options.push(word);
    const [option = '', value] = word.split(/=(.*)/s, 2);
    if (HAS_NO_SCRIPT.test(option)) break;
    if (LOADS.test(option)) {
      if (value === undefined) index += 1;
      loaded.push(value ?? words[index] ?? '');
    } else if (TAKES_VALUE.test(word)) index += 1;
  }
  return { options, loaded, first: null, rest: [] };
}

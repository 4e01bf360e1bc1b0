import { fieldsOf } from '../plain-values.ts';
import { below, type Repository, textsOf } from './repository.ts';
import { matchingNames } from './script-text.ts';

/** A name of devctl as a word, or as the last part of a path. */
const NAMES_DEVCTL = /(?:^|[^\w@.-])devctl(?:\.[cm]?js)?(?![\w./-])/;

/** Programs that run scripts, targets or tasks by their names. */
const RUNNER =
  /\b(?:npm|pnpm|yarn|bun|run-s|run-p|npm-run-all2?|conc|concurrently|turbo|nx|lerna|rush|moon|wireit|make|gmake|just|task)\b|--run\b/;

/** Signs that a script of another folder may be meant. */
const ELSEWHERE =
  /\b(?:turbo|nx|lerna|rush|moon|workspaces?|recursive|make|gmake|just|task)\b|(?:^|\s)(?:-w|-ws|-r|-C|-F|--prefix|--cwd|--dir|--filter)\b|\bcd\s/;

/** Words in which a shell, or a launcher in JavaScript, names scripts and files. */
const WORD = /[\w@.:*+/-]+/g;

/** More words than that are no command line: a file of that kind runs devctl by its name, or not at all. */
const MOST_WORDS = 5_000;

interface Text {
  readonly folder: string;
  readonly text: string;
  /** The file in which it stands; null: the command itself. */
  readonly file: string | null;
}

/**
 * Tells why a command cannot become a service: it calls devctl, itself, through scripts and tasks of any package, or
 * through files of the repository, and would start itself for ever. In doubt it does: a service that is missing is added
 * in a minute.
 *
 * @param folder where the command runs
 * @returns null where it does not call devctl
 */
export function whyCallsDevctl(
  repository: Repository,
  folder: string,
  text: string,
): string | null {
  const queue: Text[] = [{ folder, text, file: null }];
  const seen = new Set<string>();
  for (const one of queue) {
    if (NAMES_DEVCTL.test(withoutComments(one.text))) {
      const by = one.file === null ? '' : ` through ${one.file}`;
      return `it calls devctl${by}, and would start itself for ever`;
    }
    const words = (one.text.match(WORD) ?? []).slice(0, MOST_WORDS);
    for (const next of [...scriptsOf(repository, one, words), ...filesOf(repository, one, words)]) {
      const key = `${next.folder}\0${next.text}`;
      if (!seen.has(key)) queue.push(next);
      seen.add(key);
    }
  }
  return null;
}

function withoutComments(text: string): string {
  return text.replace(/^[ \t]*(?:\/\/|#).*$/gm, '');
}

/** The scripts, targets and rules that a text calls by their names. */
function scriptsOf(
  repository: Repository,
  { folder, text }: Text,
  words: readonly string[],
): readonly Text[] {
  if (!RUNNER.test(text)) return [];
  const all = tasksOf(repository);
  const own = all.filter((task) => task.folder === folder);
  const isElsewhere = ELSEWHERE.test(text);
  return [...new Set(words)].flatMap((word) => {
    // `npm:dev` of concurrently.
    const name = word.replace(/^(?:npm|pnpm|yarn|bun|node):/, '');
    const mine = called(own, name);
    if (mine.length > 0 && !isElsewhere) return mine;
    // `shop:serve` of nx, `web#dev` of turbo.
    const parts = new Set([name, ...name.split(/[:#]/).slice(1)]);
    return [...parts].flatMap((part) => called(all, part));
  });
}

/** A script of package.json, a target of nx or a rule of a Makefile. */
interface Task extends Text {
  readonly name: string;
}

/** The tasks of a name or a pattern such as `dev:*`, with the scripts before and after them. */
function called(tasks: readonly Task[], word: string): readonly Task[] {
  const names = new Set(
    matchingNames(
      tasks.map(({ name }) => name),
      word,
    ).flatMap((name) => [name, `pre${name}`, `post${name}`]),
  );
  return names.size === 0 ? [] : tasks.filter(({ name }) => names.has(name));
}

const TASKS = new WeakMap<Repository, readonly Task[]>();

/** Everything in a repository that can be called by a name. */
function tasksOf(repository: Repository): readonly Task[] {
  const known = TASKS.get(repository);
  if (known) return known;
  const tasks = repository.folders.flatMap((folder) => tasksIn(repository, folder));
  TASKS.set(repository, tasks);
  return tasks;
}

function tasksIn({ documents, texts }: Repository, folder: string): readonly Task[] {
  const inFile = (name: string): string => below(folder, name);
  const { scripts } = fieldsOf(documents.get(inFile('package.json')));
  const { targets } = fieldsOf(documents.get(inFile('project.json')));
  const rules = (texts.get(inFile('Makefile')) ?? '').matchAll(RULE);
  const toTask = (file: string, name: string, text: string): Task => ({ folder, name, text, file });
  return [
    ...Object.entries(textsOf(scripts)).map(([name, text]) =>
      toTask(`${inFile('package.json')}: scripts.${name}`, name, text),
    ),
    ...Object.entries(fieldsOf(targets)).map(([name, target]) =>
      toTask(`${inFile('project.json')}: targets.${name}`, name, JSON.stringify(target)),
    ),
    ...[...rules].map(([, name = '', needs = '', recipe = '']) =>
      toTask(`${inFile('Makefile')}: ${name}`, name, `make ${needs}\n${recipe}`),
    ),
  ];
}

/** A rule of a Makefile: its name, what it needs, and its recipe. */
const RULE = /^([\w.-]+)[ ]*:(?!=)([^\n]*)\n((?:\t[^\n]*\n?)*)/gm;

/** The files of the repository that a text runs. */
function filesOf(
  { texts }: Repository,
  { folder, text, file }: Text,
  words: readonly string[],
): readonly Text[] {
  // A script may go to its own folder first.
  const around = new Set([folder, '.', file?.includes('/') ? file.replace(/\/[^/]*$/, '') : '.']);
  const named = words.flatMap((word) => [...around].map((one) => below(one, word)));
  const lasts = /\bcd\s/.test(text) ? words.filter(isProgram) : [];
  const elsewhere = [...texts.keys()].filter((path) =>
    lasts.some((word) => path.endsWith(`/${word.replace(/^(?:\.\/)+/, '')}`)),
  );
  return [...new Set([...named, ...elsewhere])].flatMap((path) => {
    const found = isProgram(path) ? texts.get(path) : undefined;
    return found === undefined ? [] : [{ folder, text: found, file: path }];
  });
}

/** The files that a command line, or a script that it runs, may run. */
export function programsIn(text: string): readonly string[] {
  return [...new Set(text.match(WORD) ?? [])].filter(isProgram).slice(0, MOST_PROGRAMS);
}

const MOST_PROGRAMS = 40;

/** Tells whether a path may be a program: not a configuration, of which only its own program knows what it does. */
function isProgram(path: string): boolean {
  const [name = ''] = path.split('/').slice(-1);
  return (
    /\.(?:sh|bash|zsh|[cm]?[jt]s|py|rb|pl)$/.test(name) ||
    (/^[\w-]+$/.test(name) && path.includes('/'))
  );
}

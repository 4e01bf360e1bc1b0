import { whyCallsDevctl } from './own-calls.ts';
import { NOTHING, type ProposedService, type Reading, toServiceName } from './proposal.ts';
import { below, nameOfFolder, type Repository } from './repository.ts';
import { readScriptCommands, type ScriptCommand } from './script-commands.ts';
import { runsCompose } from './script-text.ts';
import { isShellScript } from './shell-script.ts';

/** Programs that end by themselves or belong to a person, and words of the shell. */
const NO_SERVICES = new Set(
  `: . [ alias cat cd clear command cp declare echo eval exec exit export false kill local ln logger ls mkdir mv open popd
  printf pushd read readonly return rm set shift sleep source tail tee test touch trap true ulimit umask unset wait
  xdg-open`.split(/\s+/),
);

/** Words of commands that end others, remove something, or change another machine. */
const HARMS =
  /(?:^|[/.:_-])(?:fuser|skill|p?kill(?:all5?)?|stop|down|teardown|shutdown|cleanup|clean|prune|deploy|delete|destroy|apply|push|publish|release|rm|drop|dropdb|uninstall|reset)(?:$|[.:_-])/i;
/** Longest word that is looked at. */
const LONGEST_WORD = 200;

/** Programs that run another one as somebody else, or one whose text only a shell reads. */
const HIDES = /^(?:sudo|doas|su|runuser|ssh|eval|kubectl|helm|terraform|ansible[\w-]*)$/;

/** Programs that only run another one, which devctl keeps alive without them. */
const WRAPPERS = /^(?:nohup|setsid|exec)$/;

const ASSIGNMENT = /^([A-Za-z_]\w*)=([\s\S]*)$/;
const MOST_SHOWN = 12;

/** More commands than that are no script that anybody has written. */
const MOST_COMMANDS = 2_000;

/** The folder and the variables that the lines before a command have set. */
interface Around {
  /** Null: only a shell knows it. */
  folder: string | null;
  readonly exported: Map<string, string>;
  /** Lines that set variables which only a shell knows. */
  readonly unknown: number[];
}

/**
 * Proposes what a start script starts in the background: each simple command whose words the text tells. Nothing is run. A
 * command that only a shell can read is named in a note, and not taken; so is one that may do harm.
 */
export function proposeFromScript(repository: Repository, file: string): Reading {
  const text = repository.texts.get(file);
  if (text === undefined || !isShellScript(text)) return NOTHING;
  const around: Around = { folder: '.', exported: new Map(), unknown: [] };
  const services: ProposedService[] = [];
  const refused: string[] = [];
  const commands = readScriptCommands(text).slice(0, MOST_COMMANDS);
  const last = commands.at(-1);
  for (const command of commands) {
    if (!command.isBackground) {
      if (command.words[0] === 'exit' && command.inside === null && command.why === null) break;
      follow(around, command, file);
    }
    // People let the last program run in the foreground.
    if (!command.isBackground && (command !== last || !mayServe(command))) continue;
    const why = command.isBackground ? whyNot(repository, command, around) : IN_FOREGROUND;
    if (why === null) services.push(toService(repository, command, around, file));
    else refused.push(`line ${command.line} not taken: ${shown(command)} (${why})`);
  }
  if (services.length === 0) return NOTHING;
  const more = refused.length - MOST_SHOWN;
  const notes = [...refused.slice(0, MOST_SHOWN), ...(more > 0 ? [`… and ${more} more`] : [])];
  return { ...NOTHING, services, notes: notes.map((note) => `${file}: ${note}`) };
}

const IN_FOREGROUND = 'it runs in the foreground; add it where it is a service';

function shown({ text, isBackground }: ScriptCommand): string {
  return isBackground ? `${text} &` : text;
}

function mayServe(command: ScriptCommand): boolean {
  const { program } = partsOf(command);
  return command.why === null && program !== '' && !NO_SERVICES.has(program);
}

/** Keeps the folder and the exported variables for the commands that follow. */
function follow(around: Around, command: ScriptCommand, file: string): void {
  if (command.inside === 'subshell' || /^\([^()]*\)$/.test(command.text)) return;
  followFolder(around, command, file);
  followVariables(around, command);
}

/** Only a `cd` that stands alone is followed. After any other one, only a shell knows the folder. */
function followFolder(around: Around, { words, inside, why, text }: ScriptCommand, file: string) {
  if (!/(?:^|[\s;&|({])(?:cd|pushd|popd)(?:\s|$)/.test(text)) return;
  const ofScript = inside === null ? OWN_FOLDER.exec(text) : null;
  if (ofScript) {
    around.folder = below(file.split('/').slice(0, -1).join('/'), ofScript[1] ?? '.');
    return;
  }
  const [first, ...operands] = words;
  const to = operands.find((word) => !word.startsWith('-'));
  const isAlone = why === null || /^\S+\s+\S+\s*\|\|\s*(?:exit|return)(?:\s+\d+)?$/.test(text);
  const isKnown = first === 'cd' && inside === null && isAlone && around.folder !== null;
  around.folder =
    isKnown && to !== undefined && /^['"]?[\w.@]/.test(to) && isLiteral(to)
      ? below(around.folder ?? '.', unquoted(to))
      : null;
}

function followVariables(around: Around, { words, inside, text, line }: ScriptCommand): void {
  const [first = '', ...rest] = words;
  const { exported, unknown } = around;
  const names = words.flatMap((word) => ASSIGNMENT.exec(word)?.[1] ?? []);
  const isOfAll = first === 'export' || words.length === names.length;
  const changes =
    first === 'export' || names.some((name) => exported.has(name)) || first === 'unset';
  if (/^(?:source|\.|eval|declare|typeset)$/.test(first) || /^set\s+-\w*a/.test(text))
    unknown.push(line);
  else if (changes && isOfAll && inside === null) {
    for (const word of words) {
      const [, name = '', value = ''] = ASSIGNMENT.exec(word) ?? [];
      if (name === '') continue;
      if (isLiteral(value)) exported.set(name, unquoted(value));
      else {
        exported.delete(name);
        unknown.push(line);
      }
    }
  } else if (changes) {
    for (const name of [...names, ...rest]) exported.delete(name);
    if (first !== 'unset' || inside !== null) unknown.push(line);
  }
}

/** `cd "$(dirname "$0")/.."`: the folder of the script, or one from there. */
const OWN_FOLDER =
  /^cd (?:-- )?"?(?:\$\(dirname (?:-- )?"?(?:\$0|\$\{BASH_SOURCE(?:\[0\])?\})"?\)|\$\{0%\/\*\})(?:\/([\w./-]+))?"?(?:$| \|\|)/;

/** The parts of a simple command. */
function partsOf({ words }: ScriptCommand) {
  const start = words.findIndex((word) => !ASSIGNMENT.test(word));
  const assigned = start < 0 ? words : words.slice(0, start);
  const all = start < 0 ? [] : words.slice(start);
  const isWrapped = WRAPPERS.test(all[0] ?? '') && !/^-|^$/.test(all[1] ?? '');
  const [program = '', ...args] = isWrapped ? all.slice(1) : all;
  return { assigned, program, args };
}

function whyNot(repository: Repository, command: ScriptCommand, { folder }: Around): string | null {
  const { assigned, program, args } = partsOf(command);
  const line = [program, ...args].join(' ');
  if (command.why !== null) return command.why;
  if (folder === null) return 'only a shell knows the folder in which it runs';
  if (folder.startsWith('..')) return 'it runs outside of this folder';
  if (!/^[\w./@+-]+$/.test(program)) return 'it names no program';
  if (!assigned.every((word) => isLiteral(word.slice(word.indexOf('=') + 1))))
    return 'only a shell knows the value of a variable';
  if (runsCompose(line)) return 'it brings up containers';
  if (HIDES.test(lastOf(program))) return 'only a person should run that';
  if (/^(?:ba|z|k|da)?sh$/.test(lastOf(program)) && args.some((one) => /^-\w*c/.test(one)))
    return 'only a shell knows what it runs';
  if (lastOf(program) === 'docker' && !(args[0] === 'run' && !args.some(isDetached)))
    return 'it leaves its process to the engine';
  if ([program, ...args].some((one) => HARMS.test(one.slice(0, LONGEST_WORD))))
    return 'it may end or remove something';
  if (args.some((one) => /\{[^}]*(?:,|\.\.)[^}]*\}/.test(one.replace(/'[^']*'|"[^"]*"/g, ''))))
    return 'sh does not know its braces';
  if (NO_SERVICES.has(program)) return 'it is no service';
  return whyCallsDevctl(repository, folder, line);
}

function toService(
  repository: Repository,
  command: ScriptCommand,
  { folder, exported, unknown }: Around,
  file: string,
): ProposedService {
  const { assigned, program, args } = partsOf(command);
  const cwd = folder ?? '.';
  const own = assigned.map((word) => {
    const at = word.indexOf('=');
    return [word.slice(0, at), unquoted(word.slice(at + 1))] as const;
  });
  const env = Object.fromEntries([...exported, ...own]);
  const text = [program, ...args].join(' ');
  return {
    name: toServiceName(nameOf(program, args) ?? nameOfFolder(repository, cwd)),
    command: text,
    ...(cwd === '.' ? {} : { cwd }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    from: `${file}: line ${command.line}`,
    notes: [
      ...(command.text === text ? [] : [`  ${shown(command)}`]),
      ...unknown.map((line) => `  line ${line} sets variables that only a shell knows`),
    ],
    text,
  };
}

const INTERPRETER =
  /^(?:node|nodemon|tsx|ts-node|bun|deno|python[\d.]*|ruby|perl|php|sh|bash|zsh|java|go)$/;

/** The name of what runs: `worker` of `./worker.sh`, `api` of `npm run dev:api`. Null: that of the folder says more. */
function nameOf(program: string, args: readonly string[]): string | null {
  const base = lastOf(program);
  const words = args.map(unquoted);
  const operands = words.filter((word) => !word.startsWith('-') && word !== 'run');
  const module = words[words.indexOf('-m') + 1];
  if (/^python/.test(base) && words.includes('-m') && module !== undefined) return module;
  if (/^(?:npm|pnpm|yarn)$/.test(base) || (base === 'bun' && words[0] === 'run')) {
    const script = (operands[0] ?? '').replace(/^(?:dev|develop|start|serve|watch)(?:[:-]|$)/, '');
    return script === '' ? null : script;
  }
  if (/^(?:npx|bunx|uv|poetry|pipenv)$/.test(base)) return lastOf(operands[0] ?? base);
  const run = INTERPRETER.test(base) ? operands.find((word) => /[./]/.test(word)) : undefined;
  return withoutExtension(lastOf(run ?? program));
}

function lastOf(path: string): string {
  return path.split('/').findLast((step) => /\w/.test(step)) ?? path;
}

function withoutExtension(name: string): string {
  return name.replace(/(?<=\w)\.(?:[cm]?[jt]sx?|py|rb|pl|php|sh|bash|jar|go)$/, '');
}

/** Tells whether a shell changes nothing in a text, apart from its quotes. */
function isLiteral(value: string): boolean {
  return !/^~|[$`*?[\]{}()]/.test(value.replace(/'[^']*'/g, ''));
}

function isDetached(word: string): boolean {
  return /^(?:-\w*d\w*|--detach.*)$/.test(word);
}

function unquoted(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g,
    (_all, single?: string, double?: string, one?: string) =>
      single ?? double?.replace(/\\([$`"\\])/g, '$1') ?? one ?? '',
  );
}

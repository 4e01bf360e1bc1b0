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

/** Programs and scripts that end others. */
const ENDS_OTHERS =
  /(?:^|\/)(?:kill|pkill|killall|killall5|skill|fuser|kill-port)$|(?:^|[/.:_-])(?:stop|kill|down|teardown|shutdown|cleanup)(?:[.:_-][\w.:-]*)?$/;

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
}

/**
 * Proposes what a start script starts in the background: each simple command whose words the text tells. Nothing is run,
 * so what only a shell knows is named, and not taken.
 */
export function proposeFromScript(repository: Repository, file: string): Reading {
  const text = repository.texts.get(file);
  if (text === undefined || !isShellScript(text)) return NOTHING;
  const around: Around = { folder: '.', exported: new Map() };
  const services: ProposedService[] = [];
  const refused: string[] = [];
  const commands = readScriptCommands(text).slice(0, MOST_COMMANDS);
  const last = commands.at(-1);
  for (const command of commands) {
    if (!command.isBackground) follow(around, command, file);
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
function follow(around: Around, { words, inside, why, text }: ScriptCommand, file: string): void {
  const [first, ...rest] = words;
  if (inside === 'function' || inside === 'subshell') return;
  if (first === 'cd') {
    const ofScript = OWN_FOLDER.exec(text);
    if (ofScript) around.folder = below(file.split('/').slice(0, -1).join('/'), ofScript[1] ?? '.');
    else {
      const isKnown = inside === null && (why === null || /^it has (?:&&|\|\|)$/.test(why));
      const to = rest.find((word) => !word.startsWith('-'));
      around.folder =
        isKnown && around.folder !== null && to !== undefined && /^['"]?[\w.@]/.test(to)
          ? below(around.folder, unquoted(to))
          : null;
    }
  } else if (/^(?:pushd|popd)$/.test(first ?? '')) around.folder = null;
  else if (first === 'export' && inside === null)
    for (const word of rest) {
      const [, name = '', value = ''] = ASSIGNMENT.exec(word) ?? [];
      if (name !== '' && isLiteral(value)) around.exported.set(name, unquoted(value));
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
  const isEnding =
    ENDS_OTHERS.test(program) || args.slice(0, 2).some((one) => ENDS_OTHERS.test(one));
  if (isEnding) return 'it ends other programs';
  if (NO_SERVICES.has(program)) return 'it is no service';
  if (runsCompose(line)) return 'it brings up containers';
  return whyCallsDevctl(repository, folder, line);
}

function toService(
  repository: Repository,
  command: ScriptCommand,
  { folder, exported }: Around,
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
    notes: command.text === text ? [] : [`  ${shown(command)}`],
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

function isLiteral(value: string): boolean {
  return !/^~|[$`*?[\]{}()]/.test(value);
}

function unquoted(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g,
    (_all, single?: string, double?: string, one?: string) =>
      single ?? double?.replace(/\\([$`"\\])/g, '$1') ?? one ?? '',
  );
}

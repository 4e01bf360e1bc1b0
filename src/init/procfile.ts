import { DEVCTL } from '../own-command.ts';
import { frameworksIn } from './frameworks.ts';
import { programsIn } from './own-calls.ts';
import { NOTHING, type ProposedService, type Reading, toServiceName } from './proposal.ts';
import { below, type Repository } from './repository.ts';

/** The first port that foreman, node-foreman and overmind give away; each further process gets 100 more. */
const FIRST_PORT = 5_000;

const STEP = 100;

/** A line of a Procfile, as foreman and node-foreman read it. */
const LINE = /^([A-Za-z0-9_-]+):\s*(.+?)\s*$/;

/**
 * Reads a Procfile. Each process gets the PORT that foreman would give it, and `.env`, which foreman reads too. The first
 * one gets it from `.env` where that has one, because a copy in `env` would hide each change of the file. A program that was read and does not use it gets none. A `release` phase is a task that no start runs.
 */
export function readProcfile(repository: Repository, file: string): Reading {
  const text = repository.texts.get(file);
  if (text === undefined) return NOTHING;
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const match = LINE.exec(line);
    return match?.[1] === undefined || match[2] === undefined
      ? []
      : [[match[1], match[2]] as const];
  });
  const envFile = repository.texts.has('.env') ? '.env' : null;
  const inEnvFile = portInEnv(repository);
  const base = inEnvFile ?? firstPort(repository, file);
  const services = lines.map(([name, command], index): ProposedService => {
    const isTask = name === 'release';
    const { rest, cwd, hasPort, env } = exportedBefore(command);
    const hasPortOfFile = index === 0 && inEnvFile !== null;
    const given = hasPort && !hasPortOfFile && !needsNoPort(repository, cwd ?? '.', rest);
    const variables = { ...(given ? { PORT: String(base + STEP * index) } : {}), ...env };
    return {
      name: toServiceName(name),
      command: rest,
      ...(cwd === null ? {} : { cwd }),
      ...(Object.keys(variables).length === 0 ? {} : { env: variables }),
      ...(envFile === null ? {} : { envFile }),
      ...(isTask ? { autostart: false as const, oneShot: true as const } : {}),
      from: `${file}: ${name}`,
      notes: isTask ? [`a release phase: only with ${DEVCTL} start release`] : [],
      text: command,
    };
  });
  return { ...NOTHING, services };
}

/** Signs that a program reads PORT, or loads or runs another one that may. In doubt it does: a PORT too many does no harm. */
const MAY_READ_PORT =
  /PORT\b|["'`]\.{1,2}\/|\b(?:import|require(?:_relative)?|include|load|use|npm|yarn|pnpm)\b|process\.env(?!\.)|environ\b|getenv|ENV\b|^[ \t]*(?:source|\.)[ \t]/m;

/** Loads a module of Node, which reads no PORT. */
const OF_NODE =
  /\bimport\s[^;'"]{0,200}['"]node:[\w/]+['"]|\brequire\(\s*['"]node:[\w/]+['"]\s*\)/g;

/** Tells whether a command runs programs that were read, and that neither use PORT nor load others of the repository. */
function needsNoPort({ texts }: Repository, folder: string, command: string): boolean {
  if (MAY_READ_PORT.test(command.replace(/(?<=^|\s)\.\//g, ''))) return false;
  if (frameworksIn(command).length > 0) return false;
  const read = programsIn(command).flatMap((name) => texts.get(below(folder, name)) ?? []);
  return read.length > 0 && !read.some((text) => MAY_READ_PORT.test(text.replace(OF_NODE, '')));
}

/** A word of a shell as `devctl export` writes it. */
const WORD = /(?:[\w@%+:,./-]|'[^']*'|\\')+/;
const FOLDER = new RegExp(`^cd (${WORD.source}) \\|\\| exit; `);
const ASSIGNED = new RegExp(`(\\w+)=(${WORD.source})`, 'g');
const EXPORTED = new RegExp(`^export (\\w+=${WORD.source}(?: \\w+=${WORD.source})*); `);
const NO_PORT = 'unset PORT; ';

/** Takes off a command what `devctl export procfile` has put before it: the folder, the variables, and that there is no PORT. */
function exportedBefore(command: string) {
  const folder = FOLDER.exec(command);
  const inFolder = command.slice(folder?.[0].length ?? 0);
  const hasPort = !inFolder.startsWith(NO_PORT);
  const afterPort = hasPort ? inFolder : inFolder.slice(NO_PORT.length);
  const exported = EXPORTED.exec(afterPort);
  return {
    cwd: folder?.[1] === undefined ? null : withoutQuotes(folder[1]),
    hasPort,
    env: Object.fromEntries(
      [...(exported?.[1] ?? '').matchAll(ASSIGNED)].map(([, name = '', value = '']) => [
        name,
        withoutQuotes(value),
      ]),
    ),
    rest: afterPort.slice(exported?.[0].length ?? 0),
  };
}

function withoutQuotes(word: string): string {
  return word.replaceAll(
    /'([^']*)'|\\(')/g,
    (_all, inner?: string, quote?: string) => inner ?? quote ?? '',
  );
}

/** The PORT of `.env`, which decides for foreman. The last line of a name counts, as for dotenv. */
export function portInEnv({ texts }: Repository): number | null {
  const lines = (texts.get('.env') ?? '').matchAll(
    /^[ \t]*(?:export\s+)?PORT=["']?(\d{2,5})["']?\s*$/gm,
  );
  const last = [...lines].at(-1)?.[1];
  return last === undefined ? null : Number(last);
}

/** `bin/dev` of Rails sets the port before it runs foreman. */
function firstPort({ texts }: Repository, file: string): number {
  const binDev = file === 'Procfile.dev' ? (texts.get('bin/dev') ?? '') : '';
  const byRails = /\bPORT(?:=|:-|="\$\{PORT:-)["']?(?:\$\{PORT:-)?(\d{2,5})/.exec(binDev)?.[1];
  return byRails === undefined ? FIRST_PORT : Number(byRails);
}

import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../paths.ts';

/** Where the programs of the zoo are. */
export const zooFolder = join(repositoryRoot, 'fixtures', 'zoo');

/** The needs of a behaviour: its mark, a free port, and the folder of the programs. */
export interface Place {
  /** Absolute path of the file that its processes hold open. */
  readonly mark: string;
  readonly port: number;
  readonly folder: string;
}

/** One way to escape from a stop. */
export interface Behaviour {
  readonly name: string;
  /** The first two lines of its program: how it escapes, and what catches it. */
  readonly how: string;
  readonly caughtBy: string;
  /** Arguments before those of the next program. */
  readonly args: (place: Place) => readonly string[];
  /** The number of lines in its mark when it is set up. */
  readonly lines: number;
  /** True for a program that forks without end. It runs apart, because it starves the others. */
  readonly storm: boolean;
  /** True for a program that needs another user or the root of the cgroups. */
  readonly needsRoot: boolean;
  /** True for a program that writes "cleaned" into its mark when it had its grace period. */
  readonly grace: boolean;
  /** True for a program that can become another program at its deepest point. */
  readonly nests: boolean;
  /** True for a program that becomes the next one when it is asked to end. */
  readonly waits: boolean;
  /** True for a program that listens on the port of its place. */
  readonly port: boolean;
  /** Needs Perl with threads, which perl-base has not. */
  readonly needsThreads: boolean;
  /** The program that has to be installed for it, where it is no fixture. */
  readonly needs: string | null;
}

/** The program that runs the behaviours as services of any supervisor, and is none itself. */
const PUBLIC = 'cli.mjs';
const STORMS = ['fork-storm', 'fork-storm-empty-env', 'hop-bomb', 'hop-bomb-empty-env'];
const RESPAWNERS = ['respawning-pair', 'respawner-daemon'];
/** Programs that are no fixtures. */
const NEEDS = new Map([
  ['npm-wrapper', 'npm'],
  ['postgres-server', 'postgres'],
  ['nginx-daemon', 'nginx'],
  ['nginx-master-killed', 'nginx'],
  ['tmux-server', 'tmux'],
]);
const LISTENS = /^(port-|postgres-|nginx-)/;
const LINES = new Map([
  ['forty-children', 40],
  ['odd-names', 2],
  ['main-crashed', 3],
  ['turbo-like', 3],
  ['hop-bomb', 5],
  ['hop-bomb-empty-env', 5],
  ['fork-storm', 120],
  ['fork-storm-empty-env', 120],
]);
/** The arguments that lead to the next program, where there is one. */
const GOES_ON = /\bonward\(\)|"\$@"|\.\.\.next|@ARGV \?/;

/** Lists the behaviours that have a program, by name. */
export function behaviours(folder: string = zooFolder): Behaviour[] {
  return readdirSync(folder)
    .filter((file) => /\.(pl|sh|mjs)$/.test(file) && file !== PUBLIC)
    .sort()
    .map((file) => describe(file, readFileSync(join(folder, file), 'utf8')));
}

/** @throws Error where a program does not begin with its two lines */
function describe(file: string, text: string): Behaviour {
  const name = file.replace(/\.\w+$/, '');
  const head = /^(?:#|\/\/) ([\w-]+): (.+)\n(?:#|\/\/) Caught by: (.+)\n/.exec(text);
  const [, ownName, how, caughtBy] = head ?? [];
  if (ownName !== name || !how || !caughtBy) {
    throw new Error(`${file} does not begin with "${name}: how" and "Caught by: evidence"`);
  }
  return {
    name,
    how,
    caughtBy,
    args: (place) => [...program(file, place), ...parameters(name, place)],
    lines: LINES.get(name) ?? 1,
    storm: STORMS.includes(name) || RESPAWNERS.includes(name),
    needsRoot: /needs root/.test(how),
    grace: name.startsWith('needs-grace'),
    nests: GOES_ON.test(text) && !STORMS.includes(name),
    waits: /\$SIG\{(TERM|CONT)\} = .*onward/.test(text),
    port: LISTENS.test(name),
    needs: NEEDS.get(name) ?? null,
    needsThreads: /^use threads/m.test(text),
  };
}

function program(file: string, { mark, folder }: Place): readonly string[] {
  const path = join(folder, file);
  if (file.endsWith('.sh')) return ['/bin/sh', path, mark];
  if (file.endsWith('.mjs')) return [process.execPath, path, mark];
  return [perl() ?? 'perl', '-I', folder, `-MZoo=${mark}`, path];
}

function parameters(name: string, { port }: Place): readonly string[] {
  if (name === 'shell-chain') return ['2'];
  if (name === 'late-escape') return ['5'];
  return LISTENS.test(name) ? [String(port)] : [];
}

/** The path of Perl. The programs of the zoo are written in it because every Debian has it. */
export function perl(): string | null {
  return findProgram('perl');
}

/** Finds a program in the search path, or in the folders where Debian puts servers. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', ...postgresFolders()];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function postgresFolders(): string[] {
  const parent = '/usr/lib/postgresql';
  if (!existsSync(parent)) return [];
  return readdirSync(parent).map((version) => join(parent, version, 'bin'));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

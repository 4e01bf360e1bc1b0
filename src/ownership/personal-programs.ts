import { isInside } from '../project/inside.ts';
import { readVariable } from './cookie.ts';

/** The facts that devctl knows of the person who runs it. Paths are absolute. */
export interface Person {
  /** The home folder by the environment, and the one of the user database. */
  readonly homes: readonly string[];
  /** The folder of the user's sockets (`XDG_RUNTIME_DIR`); null: there is none. */
  readonly runtimeDir: string | null;
}

/** The facts by which a program is taken for one that belongs to the person, and not to a service. */
export interface ProgramFacts {
  readonly argv: readonly string[];
  /** As in `ProcessDetails.environ`; null: it cannot be read. */
  readonly environ: string | null;
  readonly person: Person;
  /** Real path of the project folder. */
  readonly root: string;
}

/**
 * Names the program of a person that a service has only woken up: the next service, or the person, uses it too.
 *
 * It is a short list of programs that serve the whole login from one well-known place. A private instance (a gpg-agent
 * with another home, `eval $(ssh-agent)`, `dbus-run-session`, a browser under test) is not on it.
 *
 * @returns null for any other program
 */
export function personalProgram(facts: ProgramFacts): string | null {
  const program = nameOf(facts.argv);
  if (GPG_DAEMONS.has(program)) return gpgDaemon(facts, program);
  if (program === 'dbus-daemon') return sessionBus(facts);
  if (facts.argv[0]?.startsWith('ssh: ')) return sshMaster(facts);
  return BROWSER.test(program) ? browser(facts) : null;
}

/** The daemons that gpg starts by itself, one of each for a home folder of GnuPG (gpg-agent(1)). */
const GPG_DAEMONS: ReadonlySet<string> = new Set(['gpg-agent', 'dirmngr', 'keyboxd']);

/**
 * gpg names the home folder on the command line of the daemons that it starts. Where nothing names one, it is
 * `~/.gnupg`; gpg-agent hides its environment, so that often cannot be asked.
 */
function gpgDaemon({ argv, environ, person }: ProgramFacts, program: string): string | null {
  const folder = optionOf(argv, '--homedir') ?? variable(environ, 'GNUPGHOME');
  const home = variable(environ, 'HOME');
  const isUsual =
    folder === null
      ? home === null || person.homes.includes(home)
      : person.homes.some((path) => withoutSlash(folder) === `${path}/.gnupg`);
  return isUsual ? `the ${program} of ~/.gnupg` : null;
}

/** The bus that systemd's user manager starts listens at `$XDG_RUNTIME_DIR/bus`. */
function sessionBus({ argv, person: { runtimeDir } }: ProgramFacts): string | null {
  const address = optionOf(argv, '--address');
  const isUsual =
    address === 'systemd:' || (runtimeDir !== null && address === `unix:path=${runtimeDir}/bus`);
  return isUsual ? 'the session bus of the user' : null;
}

/** A connection that later ssh commands share. ssh calls itself `ssh: PATH [mux]` then (ControlPersist, ssh_config(5)). */
function sshMaster({ argv, person: { homes, runtimeDir }, root }: ProgramFacts): string | null {
  const path = /^ssh: (\/.*) \[mux\]/.exec(argv[0] ?? '')?.[1];
  if (path === undefined || isInside(root, path)) return null;
  const places = runtimeDir === null ? homes : [...homes, runtimeDir];
  return places.some((place) => isInside(place, path)) ? 'a shared connection of ssh' : null;
}

/** Names of browsers, also as they are on macOS. */
const BROWSER =
  /^(google-)?chrome(-stable|-beta)?$|^chromium(-browser)?$|^(microsoft-edge|msedge|brave|brave-browser|firefox|firefox-esr|firefox-bin|Google Chrome|Brave Browser|Microsoft Edge)$/;

/** Options of a browser that a program controls, not a person. */
const CONTROLLED =
  /(^| )--?(headless|remote-debugging-(port|pipe|address)|marionette|juggler(-pipe)?|enable-automation|test-type)(=| |$)/;

/** Folders for files that nobody keeps. */
const TEMPORARY = [
  '/tmp',
  '/var/tmp',
  '/dev/shm',
  '/private/tmp',
  '/private/var/folders',
  '/var/folders',
];

/** A browser with a person's own profile. A dev server opens a page in it, and starts it if it does not run. */
function browser({ argv, root }: ProgramFacts): string | null {
  const line = argv.join(' ');
  // Helpers of a browser are judged by their parent.
  if (CONTROLLED.test(line) || / --type=/.test(line) || / -contentproc /.test(line)) return null;
  const profile =
    optionOf(argv, '--user-data-dir') ?? optionOf(argv, '--profile') ?? optionOf(argv, '-profile');
  const isPrivate =
    profile !== null && [...TEMPORARY, root].some((folder) => isInside(folder, profile));
  return isPrivate ? null : 'a browser with the profile of a person';
}

/** The name of a program. A command line that `ps` or the program itself has joined is cut at the first option. */
function nameOf(argv: readonly string[]): string {
  const first = argv[0] ?? '';
  const path = argv.length === 1 ? (/^(.*?)( -|$)/.exec(first)?.[1] ?? first) : first;
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The value of an option, written `--option value` or `--option=value`; null: it is not given. */
function optionOf(argv: readonly string[], option: string): string | null {
  const words = argv.length === 1 ? (argv[0] ?? '').split(' ') : argv;
  const index = words.findIndex((word) => word === option || word.startsWith(`${option}=`));
  if (index < 0) return null;
  const word = words[index] ?? '';
  return word === option ? (words[index + 1] ?? null) : word.slice(option.length + 1);
}

function variable(environ: string | null, name: string): string | null {
  const value = environ === null ? null : readVariable(environ, name);
  return value === null ? null : withoutSlash(value);
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

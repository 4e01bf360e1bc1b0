import { DEVCTL } from '../own-command.ts';

/** Words of docker compose, pm2, overmind, foreman, systemctl and npm, with what does that here. */
const COMMANDS: readonly (readonly [words: readonly string[], here: string])[] = [
  [['ps', 'ls', 'list', 'jlist', 'info', 'is-active', 'health'], 'status'],
  [['show', 'describe', 'inspect', 'top', 'processes'], 'tree'],
  [['monit', 'dash', 'dashboard', 'stats', 'watch', 'ui', 'tui'], 'monitor'],
  [['down', 'kill', 'halt', 'quit', 'shutdown', 'terminate', 'rm', 'del', 'delete'], 'stop'],
  [['killall', 'pkill', 'destroy', 'nuke', 'force-stop'], 'stop --force'],
  [['clean', 'cleanup', 'prune'], 'sweep'],
  [['tail', 'log', 'journal', 'journalctl', 'output'], 'logs'],
  [['reload', 'bounce', 'rerun'], 'restart'],
  [['startorrestart', 'update'], 'start --apply'],
  [['boot', 'launch', 'begin', 'enable', 'serve'], 'start'],
  [['dev', 'foreground'], 'up'],
  [['exec', 'shell', 'sh', 'bash'], 'run -- COMMAND'],
  [['connect', 'console', 'enter'], 'attach NAME'],
  [['type', 'write', 'echo', 'stdin', 'input'], 'send NAME TEXT'],
  [['add'], 'start NAME -- COMMAND'],
  [['new', 'create', 'generate', 'setup', 'import', 'scaffold'], 'init'],
  [['config', 'validate', 'lint', 'verify'], 'check'],
  [['diagnose', 'troubleshoot', 'fix'], 'doctor'],
  [['resurrect', 'takeover'], 'adopt'],
  [['history', 'events'], 'report'],
  [['version'], '--version'],
];

/** Options of other tools, with what does that here; '*': for every command, and before any. */
const OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '*': {
    '-f': 'the manifest is named with --config FILE',
    '--file': 'the manifest is named with --config FILE',
    '--cwd': 'the folder of the project is named with --config FOLDER',
    '-C': 'the folder of the project is named with --config FOLDER',
    '-v': `the version is ${DEVCTL} --version`,
    '-d': `${DEVCTL} start returns once all is up, and it goes on in the background`,
    '--detach': `${DEVCTL} start returns once all is up, and it goes on in the background`,
    '--daemon': `${DEVCTL} start returns once all is up, and it goes on in the background`,
    '--background': `${DEVCTL} start returns once all is up, and it goes on in the background`,
    '--env-file': 'name the file in the manifest: "envFile" of the service',
    '--env': 'set variables in the manifest: "env" of the service',
    '-e': 'set variables in the manifest: "env" of the service',
    '--port': 'name the port in the manifest: "ports" of the service',
    '--profile': 'put services into "groups" of the manifest, and name the group',
  },
  logs: {
    '--tail': 'the last lines are -n COUNT',
    '--last': 'the last lines are -n COUNT',
    '-F': 'to follow is -f',
  },
  start: {
    '--watch': `to see it live: ${DEVCTL} monitor; a restart on changes is the work of the service's own command (node --watch, tsx watch)`,
    '-w': `to see it live: ${DEVCTL} monitor; a restart on changes is the work of the service's own command (node --watch, tsx watch)`,
    '--force': `what is left over of earlier runs ends by itself; to end everything first: ${DEVCTL} stop --force`,
    '--wait': 'start waits until all is ready',
    '--name': `a service without a manifest is ${DEVCTL} start NAME -- COMMAND`,
    '--build': 'compose builds what it lacks; to build again: docker compose build',
  },
  up: {
    '--watch': `to see it live: ${DEVCTL} monitor`,
    '--abort-on-container-exit': 'that is --abort-on-exit',
    '--build': 'compose builds what it lacks; to build again: docker compose build',
  },
  stop: {
    '--timeout': 'the time to end by themselves is --grace 10s',
    '-t': 'the time to end by themselves is --grace 10s',
    '--signal': 'the signal is "stop": {"signal": "SIGINT"} of the service',
    '-s': 'the signal is "stop": {"signal": "SIGINT"} of the service',
    '-9': 'to end at once is --force',
    '-f': 'to end at once is --force; the manifest is named with --config FILE',
    '--kill': 'to end at once is --force',
    '--all': `without names everything is stopped: ${DEVCTL} stop`,
    '-a': `without names everything is stopped: ${DEVCTL} stop`,
    '-v': 'the volumes of the containers go with --volumes',
    '--remove-orphans': 'a stop leaves no orphans',
    '-y': 'a stop asks nothing',
    '--yes': 'a stop asks nothing',
  },
  restart: {
    '--timeout': 'the time to end by themselves is --grace 10s',
    '-t': 'the time to end by themselves is --grace 10s',
    '--all': `without names all are restarted: ${DEVCTL} restart`,
    '--update-env': 'a restart takes the environment of this terminal',
  },
  status: {
    '-a': 'every project of yours: --all',
    '--watch': `to see it live: ${DEVCTL} monitor`,
    '-w': `to see it live: ${DEVCTL} monitor`,
    '--format': 'for a program: --json',
    '-q': 'for a program: --json; the exit code is 0 when all are up, 3 when not',
    '--quiet': 'for a program: --json; the exit code is 0 when all are up, 3 when not',
  },
  run: {
    '--rm': 'run leaves nothing behind anyway',
    '-it': 'on a terminal, the command has it anyway',
    '-i': 'on a terminal, the command has it anyway',
    '-t': 'on a terminal, the command has it anyway',
  },
};

/** The commands of the table that take names of services. */
const TAKES_NAMES = /^(?:status|tree|stop|logs|restart|start|up)(?: --\w+)?$/;

/** A word that may be the name of a service. If no service has this name, the command fails, and does nothing. */
const NAME = /^[\w@][\w.@:/-]*$/;

/**
 * The sentence for a command of another tool; null where none is known. It keeps the names of services, because without
 * them the command would mean all.
 *
 * @param rest the words that follow
 */
export function commandOfOthers(typed: string, rest: readonly string[]): string | null {
  const word = typed.toLowerCase();
  const here = COMMANDS.find(([words]) => words.includes(word))?.[1];
  if (here === undefined) return null;
  const end = rest.indexOf('--');
  const names = rest.slice(0, end < 0 ? undefined : end).filter((one) => NAME.test(one));
  const [first = 'NAME'] = names;
  const whole = TAKES_NAMES.test(here) ? [here, ...names].join(' ') : here.replace('NAME', first);
  return `here it is ${DEVCTL} ${whole}`;
}

/** The sentence for an option of another tool; null where none is known. */
export function optionOfOthers(flag: string, command: string | null): string | null {
  return own(OPTIONS, command ?? '*', flag) ?? own(OPTIONS, '*', flag);
}

function own(table: typeof OPTIONS, key: string, flag: string): string | null {
  const options = Object.hasOwn(table, key) ? table[key] : undefined;
  return options && Object.hasOwn(options, flag) ? (options[flag] ?? null) : null;
}

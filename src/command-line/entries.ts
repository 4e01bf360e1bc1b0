/** The groups of commands, in the order of the help, with their headings. */
export const GROUPS = {
  daily: 'Every day:',
  look: 'Look closer:',
  one: 'One service, one command:',
  setUp: 'Set up:',
  emergency: 'When something is wrong:',
} as const;

/** The parts in which one command differs from another. */
export interface CommandEntry {
  readonly name: string;
  readonly group: keyof typeof GROUPS;
  /** The page of `docs/` that tells more. */
  readonly page: string;
  /** The exit codes with their meaning for this command, a line each. 2 is wrong usage everywhere. */
  readonly exits: readonly string[];
  readonly description: string;
  readonly operands?: readonly (readonly [
    name: string,
    description: string,
    choices?: readonly string[],
  ])[];
  readonly options?: readonly (readonly [
    flags: string,
    description: string,
    /** Collects the values of an option that may be given more than once. */
    collectValues?: (value: string, before?: readonly string[]) => readonly string[],
  ])[];
  /** Description of the option `--json`, which all these commands have. */
  readonly json: string;
  /** True where the words after `--` are a command: `options.command`. */
  readonly takesCommand?: true;
  /** Text of the help before the examples. */
  readonly more?: string;
  readonly examples: readonly [string, ...string[]];
  /** Loads the function of the command, which takes the operands and then the options. */
  load(): Promise<(...args: never[]) => Promise<number>>;
}

/** Collects the values of an option that may be given more than once. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

const STOP_SWEEPS = `Without names, stop ends with a sweep: it also ends dev servers, watchers and test runners
that were started by hand inside the project (npm test, vite, tsc --watch). It spares
what builds or runs once, and editors. stop --dry-run shows each; to turn the sweep off:
"sweep": {"scope": "off"} in the manifest.`;

const AD_HOC = `NAME -- COMMAND starts a service that no manifest defines: status, logs, restart and stop know it until it
is stopped, and save writes it into a manifest.`;

const INIT_READS = `It reads package.json and workspaces (npm, pnpm, yarn, bun), turbo and nx, Procfile, mprocs,
process-compose, pm2, compose files and start scripts, and runs nothing without --probe. It never
overwrites a file.`;

const ATTACHED = `Keys go to the service, Ctrl-C too, and it follows the size of your terminal. Ctrl-] detaches and
leaves the service running: exit code 0. When the service ends, attach ends with its exit code.`;

/** The commands that only differ in these parts. A new command is one entry here and one file in commands/. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    group: 'setUp',
    page: 'init',
    exits: ['0 written, or nothing to write', '1 not written'],
    description: 'propose a manifest from what the repository says, and write it',
    options: [
      ['-y, --yes', 'write it without a question'],
      ['--probe', 'run each service for up to 60 s before, and add what it shows; asks for each'],
    ],
    json: 'print the proposal as JSON; written only with --yes',
    more: INIT_READS,
    examples: ['init', 'init --yes', 'init --probe'],
    load: async () => (await import('../commands/manifests/init.ts')).initCommand,
  },
  {
    name: 'start',
    group: 'daily',
    page: 'readiness',
    exits: [
      '0 all are up',
      '1 one is not',
      '4 an earlier run cannot be ended',
      '5 a port is held by another program',
      '6 another devctl at work',
    ],
    description: 'start services and wait until they are ready',
    operands: [
      [
        '[names...]',
        'services or groups, with what they depend on (default: all); or: NAME -- COMMAND',
      ],
    ],
    takesCommand: true,
    more: AD_HOC,
    options: [
      ['--abort-on-failure', 'when one fails, stop again what this start has started'],
      [
        '--apply',
        'restart what has changed in the manifest, stop what it names no more, start what is new',
      ],
      ['--dependents', 'with --apply: restart what depends on them as well'],
      ['--dry-run', 'with --apply: show what it would do, do nothing'],
      ['--ttl <duration>', 'stop everything after so long, e.g. 30m or 2h'],
      [
        '--while-pid <pid>',
        'stop everything when this process has ended; of several, the last',
        collect,
      ],
      ['--containers', 'the containers alone; names are those of compose services'],
    ],
    json: 'print the result as JSON',
    examples: [
      'start',
      'start web',
      'start backend --abort-on-failure',
      'start web -- npm run dev',
      'start --ttl 2h --while-pid $$',
      'start --apply --dry-run',
    ],
    load: async () => (await import('../commands/apply.ts')).startOrApply,
  },
  {
    name: 'up',
    group: 'daily',
    page: 'up',
    exits: [
      '0 ended as wished',
      '1 one failed',
      '4 processes left',
      '5 a port is held',
      '6 another devctl at work',
      'with --exit-code-from that of the service',
    ],
    description: 'start services, show what they write, and stop them with Ctrl-C',
    operands: [['[names...]', 'services or groups, with what they depend on (default: all)']],
    options: [
      ['--exit-code-from <name>', 'end when this service ends, with its exit code'],
      ['-y, --yes', 'without a manifest: run what init would write, without a question'],
      ['--abort-on-exit', 'end when any service ends; a task that succeeds does not count'],
      ['-t, --timestamps', 'with the time of each line'],
      ['--no-prefix', 'without the names of the services'],
    ],
    json: 'print each line, change and the report as JSON documents',
    examples: ['up', 'up web', 'up --exit-code-from tests'],
    load: async () => (await import('../commands/up.ts')).upCommand,
  },
  {
    name: 'save',
    group: 'setUp',
    page: 'init',
    exits: ['0 written', '1 it cannot be written', '6 another devctl at work'],
    description: 'write services that were started with a command into the manifest',
    operands: [['[names...]', 'such services (default: all)']],
    json: 'print the result as JSON',
    examples: ['save', 'save web'],
    load: async () => (await import('../commands/manifests/save.ts')).saveCommand,
  },
  {
    name: 'stop',
    group: 'daily',
    page: 'how-stop-decides',
    exits: [
      '0 nothing is left',
      '4 something is left or cannot be known',
      '5 a port is held by another program',
      '6 another devctl at work',
    ],
    description: 'stop services, with every process they ever started, and prove it',
    operands: [['[names...]', 'services or groups (default: everything, with the sweep)']],
    options: [
      ['--force', 'short grace period, no stop commands, no waiting for other commands'],
      ['--unprotected', 'with --force: also what "protect" and the built-in list protect'],
      ['--dry-run', 'show what would be signalled, signal nothing'],
      ['--why', 'with --dry-run: also why each process is ours'],
      ['--verbose', 'also each process: why it was ours, and what ended it'],
      ['--grace <duration>', 'time to end by themselves, e.g. 500ms or 3s'],
      ['--project <folder-or-id>', 'another project, also one whose folder is gone'],
      ['--containers', 'the containers alone; names are those of compose services'],
      ['--volumes', 'also remove the volumes of the containers, with all that is in them'],
    ],
    json: 'print the report as JSON',
    more: STOP_SWEEPS,
    examples: ['stop', 'stop web', 'stop --dry-run', 'stop --force', 'stop --project ../old'],
    load: async () => (await import('../commands/stop.ts')).stopCommand,
  },
  {
    name: 'restart',
    group: 'daily',
    page: 'restarts',
    exits: [
      '0 all are up again',
      '1 one is not',
      '4 a process outlived the stop and nothing was started',
      '5 a port is held',
      '6 another devctl at work',
    ],
    description: 'stop services with proof, then start them again',
    operands: [['[names...]', 'services or groups (default: all that run or start by themselves)']],
    options: [
      ['--dependents', 'restart what depends on them as well'],
      ['--grace <duration>', 'time to end by themselves, e.g. 500ms or 3s'],
      ['--containers', 'the containers alone; names are those of compose services'],
    ],
    json: 'print both results as JSON',
    examples: ['restart web', 'restart database --dependents', 'restart'],
    load: async () => (await import('../commands/restart.ts')).restartCommand,
  },
  {
    name: 'adopt',
    group: 'emergency',
    page: 'restarts',
    exits: ['0 a supervisor cares for what runs', '1 it cannot', '6 another devctl at work'],
    description: 'have a supervisor care for what runs, after its own was killed; restarts nothing',
    json: 'print what was taken over as JSON',
    examples: ['adopt', 'adopt --json'],
    load: async () => (await import('../commands/adopt.ts')).adoptCommand,
  },
  {
    name: 'status',
    group: 'daily',
    page: 'readiness',
    exits: ['0 all that should be up is up', '3 not'],
    description: 'show services and their processes; exits 3 when not all are up',
    operands: [['[names...]', 'services or groups (default: all)']],
    options: [
      ['--all', 'every project of yours of which something runs, wherever you are'],
      ['--containers', 'the containers alone'],
      ['--urls', 'only where each service can be opened, by its http probe and its own log'],
    ],
    json: 'print the table as JSON',
    examples: ['status', 'status --json', 'status --urls', 'status --all'],
    load: async () => (await import('../commands/status.ts')).statusCommand,
  },
  {
    name: 'wait',
    group: 'look',
    page: 'cli',
    exits: ['0 it has come', '1 it can no longer come', '124 the time is over'],
    description: 'wait until services are ready, whoever starts them; 124 when the time is over',
    operands: [['[names...]', 'services or groups (default: all that run or start by themselves)']],
    options: [
      [
        '--for <event>',
        'ready (default), exited, completed (with success), healthy, port, or log=REGEX',
      ],
      ['--timeout <duration>', 'how long to wait: 60s (default), 5m; 0: look once'],
    ],
    json: 'print the result as JSON',
    examples: [
      'wait',
      'wait web --timeout 2m',
      'wait tests --for completed',
      'wait api --for "log=listening on \\d+"',
    ],
    load: async () => (await import('../commands/wait.ts')).waitCommand,
  },
  {
    name: 'tree',
    group: 'look',
    page: 'how-stop-decides',
    exits: ['0 printed'],
    description: 'show every process of every service as a tree',
    operands: [['[names...]', 'services or groups (default: all)']],
    options: [['--why', 'also why each is ours, with a legend']],
    json: 'print the trees as JSON',
    examples: ['tree', 'tree web', 'tree --why', 'tree web --json'],
    load: async () => (await import('../commands/tree.ts')).treeCommand,
  },
  {
    name: 'monitor',
    group: 'look',
    page: 'monitor',
    exits: ['0 left with q', '2 no terminal'],
    description:
      'show what goes on, on the whole terminal: services, processes, logs, and keys to act',
    json: 'print it as JSON instead, a document a second, to anything',
    examples: ['monitor', 'monitor --json'],
    load: async () => (await import('../commands/monitor.ts')).monitorCommand,
  },
  {
    name: 'run',
    group: 'one',
    page: 'run',
    exits: [
      'that of the command',
      '124 a time or a limit was over',
      '126 or 127 it could not be run',
      '4 with --fail-on-orphans',
    ],
    description: 'run one command, and end everything that it leaves behind',
    operands: [['<command...>', 'the command and its arguments, after --']],
    options: [
      ['--name <name>', 'what status and stop call it (default: run-COMMAND)'],
      ['--timeout <duration>', 'end everything after so long, with exit code 124'],
      ['--max-processes <n>', 'end everything, with 124, at more processes than that'],
      ['--max-memory <size>', 'the same at more memory: 512MB, 2GB'],
      ['--max-cpu <cores>', 'the same at more cpu, over 30 s: 1.5, or 150%'],
      ['--idle <duration>', 'the same after so long without output and cpu'],
      ['--grace <duration>', 'time to end by themselves, e.g. 500ms or 3s'],
      ['--fail-on-orphans', 'exit 4 when it leaves processes behind'],
    ],
    json: 'print the result as one line of JSON on stderr, at the end',
    examples: [
      'run -- npm test',
      'run --timeout 10m --fail-on-orphans -- npm test',
      'run --max-processes 200 --max-memory 8GB -- npm test',
    ],
    load: async () => (await import('../commands/run.ts')).runCommand,
  },
  {
    name: 'send',
    group: 'one',
    page: 'logs',
    exits: ['0 sent', '1 it could not be written'],
    description: 'write a line to the stdin of a service',
    operands: [
      ['<name>', 'a service'],
      ['[text...]', 'the line; without it, all that comes from stdin'],
    ],
    options: [['--no-newline', 'send the text alone, without a line end']],
    json: 'print what was sent as JSON',
    examples: ['send web rs', 'send api "reload now"', 'send db < dump.sql'],
    load: async () => (await import('../commands/send.ts')).sendCommand,
  },
  {
    name: 'attach',
    group: 'one',
    page: 'terminal',
    exits: ['0 detached', 'else that of the service'],
    description: 'put the terminal of a service ("tty": true) on yours; Ctrl-] detaches',
    operands: [['<name>', 'a service']],
    json: 'print how it ended as JSON, at the end',
    more: ATTACHED,
    examples: ['attach web'],
    load: async () => (await import('../commands/attach.ts')).attachCommand,
  },
  {
    name: 'logs',
    group: 'daily',
    page: 'logs',
    exits: ['0 printed', '1 a log cannot be read'],
    description: 'show what services have written, merged by time',
    operands: [['[names...]', 'services or groups (default: all)']],
    options: [
      ['-f, --follow', 'go on with what comes, until Ctrl-C'],
      ['--containers', 'those of the containers alone'],
      ['-n, --lines <count>', 'only the last lines of each service (with -f: 10; or: all)'],
      ['--since <time>', 'only what is younger: 10m, 2h, 17:05, 2026-11-23T17:05'],
      ['--grep <regex>', 'only lines that match'],
      ['-i, --ignore-case', 'for --grep'],
      ['-t, --timestamps', 'with the time of each line, as far as it is known'],
      ['--no-prefix', 'without the names of the services'],
    ],
    json: 'print each line as a JSON document',
    examples: ['logs -f', 'logs web -n 50', 'logs --since 10m --grep error'],
    load: async () => (await import('../commands/logs.ts')).logsCommand,
  },
  {
    name: 'report',
    group: 'look',
    page: 'report',
    exits: ['0 printed', '1 it cannot be written'],
    description:
      'tell what happened: what grew, when and why, restarts, the last stop and its proof',
    options: [
      ['--html <file>', 'write it as one page for a browser (-: to stdout)'],
      [
        '--since <time>',
        'all since then: 10m, 2h, 17:05, 2026-11-23T17:05 (default: the last session)',
      ],
    ],
    json: 'print the report as JSON',
    examples: ['report', 'report --html report.html', 'report --since 1d'],
    load: async () => (await import('../commands/report.ts')).reportCommand,
  },
  {
    name: 'sweep',
    group: 'emergency',
    page: 'sweep',
    exits: ['0 nothing is left', '4 something is left'],
    description: 'end dev tools that work in the project and belong to no service',
    options: [['--dry-run', 'show what would be ended, and what is spared, with reasons']],
    json: 'print the report as JSON',
    examples: ['sweep --dry-run', 'sweep'],
    load: async () => (await import('../commands/sweep.ts')).sweepCommand,
  },
  {
    name: 'check',
    group: 'setUp',
    page: 'manifest',
    exits: ['0 valid', '2 not'],
    description: 'validate the manifest, start nothing',
    json: 'print the findings as JSON',
    examples: ['check', 'check --config other.json'],
    load: async () => (await import('../commands/check.ts')).checkCommand,
  },
  {
    name: 'export',
    group: 'setUp',
    page: 'export',
    exits: ['0 printed or written', '1 a file is there already'],
    description: 'print the services as units of systemd or as a Procfile; start nothing',
    operands: [['<format>', 'the other program', ['systemd', 'procfile']]],
    options: [
      ['--output <folder>', 'write files there; none that is there already'],
      ['--force', 'with --output: overwrite'],
    ],
    json: 'print the files and what they leave out as JSON',
    examples: ['export systemd --output ~/.config/systemd/user', 'export procfile > Procfile'],
    load: async () => (await import('../commands/manifests/export.ts')).exportCommand,
  },
  {
    name: 'doctor',
    group: 'emergency',
    page: 'troubleshooting',
    exits: ['0 no problem', '1 a problem'],
    description: 'look for what keeps devctl from its promises here, and say what mends it',
    json: 'print the findings as JSON',
    examples: ['doctor', 'doctor --json'],
    load: async () => (await import('../commands/doctor.ts')).doctorCommand,
  },
];

import * as z from 'zod';
import { containersSchema } from './containers/settings.ts';
import * as field from './fields.ts';
import { show } from './problem.ts';
import { projectLimits, serviceLimits } from './schema-limits.ts';
import { restartSchema } from './schema-policy.ts';
import { live, ready } from './schema-probe.ts';

const color = z.enum(['auto', 'never']).optional();

const condition = z.enum(['started', 'ready', 'completed', 'exited']);

const stop = z.strictObject({
  signal: field.signalName
    .optional()
    .describe('The signal that asks the service to end. Default: "SIGTERM".'),
  grace: field.duration
    .optional()
    .describe(
      'How long all its processes may take to end before SIGKILL: "3s". Default: stopGrace.',
    ),
  command: field.command.optional().describe('Run before the signal, in cwd, as `command` is.'),
});

const service = z.strictObject(
  {
    command: field.command.describe(
      'The command to run. Text goes through /bin/sh -c; a list is the program and its arguments.',
    ),
    cwd: field.path
      .optional()
      .describe("Working folder, relative to the manifest's. Default: that folder."),
    env: field.environment
      .optional()
      .describe(
        "Variables on top of envFile, the project's and the caller's; taken literally, $ too.",
      ),
    envFile: field.envFile
      .optional()
      .describe('File or files of NAME=value lines, relative to the manifest; $NAME is replaced.'),
    ports: z
      .union([z.array(field.declaredPort), z.record(field.serviceName, field.declaredPort)], {
        error: ({ input }) =>
          `expected a list of ports such as [3000, "8125/udp"], or names for them such as {"web": 3000}, got ${show(input)}`,
      })
      .optional()
      .describe(
        'Ports that it listens on, 3000 of TCP or "8125/udp": must be free before start, and are free after stop. Without `ready` it is ready when it listens on all those of TCP.',
      ),
    dependsOn: z
      .union([z.array(z.string()), z.record(z.string(), condition)], {
        error: ({ input }) =>
          `expected a list of services, or an object such as {"db": "ready"}, got ${show(input)}`,
      })
      .optional()
      .describe(
        'Services to wait for: a list (until ready), or each with "started", "ready" (up, or done where it is a task), "completed" (ended with success) or "exited" (ended in any way).',
      ),
    ready: ready
      .optional()
      .describe(
        'How to find out that it is up. Default: it listens on its `ports`; without ports, once it was started. "spawned": once it was started.',
      ),
    live: live
      .optional()
      .describe(
        'How to find out, once it is up, that it is still well. One that is not is `unhealthy`, and started again by `restart`.',
      ),
    restart: restartSchema
      .optional()
      .describe('Whether to start it again when it ends by itself. Default: "no".'),
    stop: stop.optional().describe('How to end it.'),
    limits: serviceLimits.optional().describe('Limits on all its processes together.'),
    autostart: z
      .boolean()
      .optional()
      .describe('Does `devctl start` without names start it? Default: true.'),
    settle: field.duration
      .optional()
      .describe(
        'For a service without ports and `ready`, or with `ready.log`: `start` calls it up only if it has not ended by then. "1s" (default), 0: at once.',
      ),
    stdin: z
      .enum(['fifo', 'null'])
      .optional()
      .describe('"fifo" (default): stays open, `devctl send` types into it. "null": empty.'),
    tty: z
      .boolean()
      .optional()
      .describe(
        'true: a terminal of its own, for keys (Vite, Expo) and output that is not buffered; `devctl attach` shows it. Linux, with koffi. Default: false.',
      ),
    color: color.describe(
      '"auto" (the default of the project): FORCE_COLOR=1 where it was started on a terminal, unless its environment decides. "never".',
    ),
    oneShot: z
      .boolean()
      .optional()
      .describe(
        'true: a task, such as a migration. It is done, not down, once it has ended with success. Default: false.',
      ),
  },
  {
    error: ({ code, input }) =>
      code === 'invalid_type' && input !== undefined
        ? `expected an object such as {"command": "npm run dev"}, got ${show(input)}`
        : undefined,
  },
);

/**
 * The schema of `.devctl.json`, and the only definition of its keys. The JSON Schema for editors is
 * generated from it, and its descriptions are the reference.
 *
 * It knows shapes only. `semantics.ts` checks what names and paths mean.
 */
export const manifestSchema = z.strictObject({
  $schema: z.string().optional().describe('Where editors find the JSON Schema of this file.'),
  name: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("Name of the project, for people. Default: the folder's name."),
  services: z
    .record(field.serviceName, service, {
      error: ({ input }) =>
        `expected an object of services such as {"web": {"command": "npm run dev"}}, got ${show(input)}`,
    })
    .default({})
    .describe('The commands to run, by name. Needed where there are no containers.'),
  groups: z
    .record(field.serviceName, z.array(z.string()).min(1, 'is empty: name its services'))
    .optional()
    .describe('Names for sets of services: {"backend": ["api", "worker"]}.'),
  env: field.environment
    .optional()
    .describe('Variables for all services, on top of envFile; taken literally, $ too.'),
  envFile: field.envFile
    .optional()
    .describe('File or files of NAME=value lines for all services; $NAME is replaced.'),
  color: color.describe(
    'Whether services use colours: "auto" (default): FORCE_COLOR=1 where they were started on a terminal, unless their environment decides. "never".',
  ),
  settle: field.duration
    .optional()
    .describe(
      'How long a service that only its life shows to be up must live before `start` calls it up: "1s" (default), 0: at once.',
    ),
  stopGrace: field.duration
    .optional()
    .describe('How long a service may take to end before SIGKILL: "3s" (default), "500ms".'),
  logs: z
    .strictObject({
      dir: field.path.optional().describe('Folder of the log files. Default: `logs` in pidsDir.'),
      maxSize: field.size
        .optional()
        .describe(
          'Size from which on the beginning of a log is moved to NAME.log.1: "10MB"; at least 8KB. Default: logs grow.',
        ),
      keep: z
        .int()
        .min(0)
        .max(1_000)
        .optional()
        .describe('How many of these files to keep of each log; 0: none. Default: 5.'),
    })
    .optional()
    .describe('Where the output of services goes.'),
  limits: projectLimits
    .optional()
    .describe(
      'Limits on all services together. Default: a warning at 100 processes, and at "8GB". "off": none.',
    ),
  sweep: z
    .strictObject({
      patterns: z
        .array(field.sweepPattern)
        .optional()
        .describe(
          'Regular expressions on whole command lines of leftovers, besides the built-in ones.',
        ),
      scope: z
        .enum(['project', 'user', 'off'])
        .optional()
        .describe(
          '"project" (default): only processes that work inside the project. "off": no sweep.',
        ),
      protect: z
        .array(field.pattern)
        .optional()
        .describe('Regular expressions on whole command lines that the sweep must never touch.'),
    })
    .optional()
    .describe('The last net of `stop`, for leftovers that only their command line gives away.'),
  protect: z
    .array(field.sweepPattern)
    .optional()
    .describe(
      'Regular expressions on whole command lines that no stop may end, also below a service: only `stop --force --unprotected` does.',
    ),
  protectByEnvironment: z
    .boolean()
    .optional()
    .describe(
      'Whether DEVCTL_PROTECT=1 in the environment of a process protects it. Default: false; then a stop leaves it alone, and fails.',
    ),
  containers: containersSchema
    .optional()
    .describe(
      'Containers of compose, such as databases: started before the services that name them in dependsOn, and stopped after these.',
    ),
  pidsDir: field.path
    .optional()
    .describe("Folder of devctl's records, relative to the manifest. Default: .pids"),
  containment: z
    .enum(['auto', 'cgroup', 'none'])
    .optional()
    .describe(
      'Control groups (cgroup v2) for services: where they can be made ("auto", the default), always, or else nothing is started ("cgroup"), or never ("none").',
    ),
});

/** A manifest of the right shape: durations in ms, sizes in bytes, no defaults filled in. */
export type Manifest = z.output<typeof manifestSchema>;
export type ManifestService = Manifest['services'][string];

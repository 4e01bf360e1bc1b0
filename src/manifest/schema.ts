import * as z from 'zod/mini';
import { containersSchema } from './containers/settings.ts';
import * as field from './fields.ts';
import { show } from './problem.ts';
import { projectLimits, serviceLimits } from './schema-limits.ts';
import { restartSchema } from './schema-policy.ts';
import { live, ready } from './schema-probe.ts';

const color = z.enum(['auto', 'never']);

const condition = z.enum(['started', 'ready', 'completed', 'exited']);

const stop = z.strictObject({
  signal: field.optional(
    'The signal that asks the service to end. Default: "SIGTERM".',
    field.signalName,
  ),
  grace: field.optional(
    'How long all its processes may take to end before SIGKILL. Default: `stopGrace`.',
    field.duration,
  ),
  command: field.optional('Run before the signal, in cwd, as `command` is.', field.command),
});

const on = z.strictObject({
  ready: field.optional('It is up, once in each run.', field.command),
  unhealthy: field.optional('It is not well, or was not ready in time.', field.command),
  exited: field.optional('It has ended by itself.', field.command),
  failed: field.optional('It has failed, and is not started again.', field.command),
  limit: field.optional('It exceeds one of its limits.', field.command),
  stopped: field.optional(
    'A stop has ended it; not with --force. At most 5 s, before the proof.',
    field.command,
  ),
});

const service = z.strictObject(
  {
    command: field.command.with(
      z.describe(
        'The command to run. Text goes through /bin/sh -c; a list is the program and its arguments.',
      ),
    ),
    cwd: field.optional(
      "Working folder, relative to the manifest's. Default: the manifest's.",
      field.path,
    ),
    env: field.optional(
      "Variables on top of envFile, the project's and the caller's; taken literally, $ too.",
      field.environment,
    ),
    envFile: field.optional(
      'File or files of NAME=value lines, relative to the manifest; $NAME is replaced.',
      field.envFile,
    ),
    ports: field.optional(
      'Ports that it listens on, 3000 of TCP or "8125/udp": must be free before start, and are free after stop. Without `ready` it is ready when it listens on all those of TCP.',
      z.union([z.array(field.declaredPort), z.record(field.serviceName, field.declaredPort)], {
        error: ({ input }) =>
          `expected a list of ports such as [3000, "8125/udp"], or names for them such as {"web": 3000}, got ${show(input)}`,
      }),
    ),
    dependsOn: field.optional(
      'Services to wait for: a list (until ready), or each with "started", "ready" (up, or done where it is a task), "completed" (ended with success) or "exited" (ended in any way).',
      z.union([z.array(z.string()), z.record(z.string(), condition)], {
        error: ({ input }) =>
          `expected a list of services, or an object such as {"db": "ready"}, got ${show(input)}`,
      }),
    ),
    ready: field.optional(
      'How to find out that it is up; "spawned": once it was started. Default: it listens on its `ports`; without ports, once it was started.',
      ready,
    ),
    live: field.optional(
      'How to find out, once it is up, that it is still well. One that is not is `unhealthy`, and started again by `restart`.',
      live,
    ),
    restart: field.optional(
      'Whether to start it again when it ends by itself. Default: "no".',
      restartSchema,
    ),
    stop: field.optional('How to end it.', stop),
    on: field.optional(
      'Commands to run when something happens to it, in cwd, at most 30 s; DEVCTL_EVENT_REASON says why.',
      on,
    ),
    limits: field.optional('Limits on all its processes together.', serviceLimits),
    autostart: field.optional(
      'Does `devctl start` without names start it? Default: true.',
      z.boolean(),
    ),
    settle: field.optional(
      'For a service without ports and `ready`, or with `ready.log`: `start` calls it up only if it has not ended by then; 0: at once. Default: `settle` of the project.',
      field.duration,
    ),
    stdin: field.optional(
      '"fifo": stays open, `devctl send` types into it; "null": empty. Default: "fifo".',
      z.enum(['fifo', 'null']),
    ),
    tty: field.optional(
      'true: a terminal of its own, for keys (Vite, Expo) and output that is not buffered; `devctl attach` shows it. Linux, with koffi. Default: false.',
      z.boolean(),
    ),
    color: field.optional('Whether it uses colours. Default: `color` of the project.', color),
    oneShot: field.optional(
      'true: a task, such as a migration. It is done, not down, once it has ended with success. Default: false.',
      z.boolean(),
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
  $schema: field.optional('Where editors find the JSON Schema of this file.', z.string()),
  name: field.optional(
    "Name of the project, for people. Default: the folder's name.",
    z.string().check(z.minLength(1), z.maxLength(100)),
  ),
  services: z
    ._default(
      z.record(field.serviceName, service, {
        error: ({ input }) =>
          `expected an object of services such as {"web": {"command": "npm run dev"}}, got ${show(input)}`,
      }),
      {},
    )
    .with(z.describe('The commands to run, by name. Needed where there are no containers.')),
  groups: field.optional(
    'Names for sets of services: {"backend": ["api", "worker"]}.',
    z.record(
      field.serviceName,
      z.array(z.string()).check(z.minLength(1, 'is empty: name its services')),
    ),
  ),
  env: field.optional(
    'Variables for all services, on top of envFile; taken literally, $ too.',
    field.environment,
  ),
  envFile: field.optional(
    'File or files of NAME=value lines for all services; $NAME is replaced.',
    field.envFile,
  ),
  color: field.optional(
    'Whether services use colours; "auto": FORCE_COLOR=1 where they were started on a terminal, unless their environment decides. Default: "auto".',
    color,
  ),
  settle: field.optional(
    'How long a service that only its life shows to be up must live before `start` calls it up; 0: at once. Default: "1s".',
    field.duration,
  ),
  stopGrace: field.optional(
    'How long everything of a service may take to end before SIGKILL. Default: "3s".',
    field.duration,
  ),
  logs: field.optional(
    'Where the output of services goes.',
    z.strictObject({
      dir: field.optional('Folder of the log files. Default: `logs` in pidsDir.', field.path),
      maxSize: field.optional(
        'Size from which on the beginning of a log is moved to NAME.log.1; at least 8KB. Default: logs grow.',
        field.size,
      ),
      keep: field.optional(
        'How many of these files to keep of each log; 0: none. Default: 5.',
        z.int().check(z.minimum(0), z.maximum(1_000)),
      ),
    }),
  ),
  limits: field.optional(
    'Limits on all services together; "off": none. Default: a warning at 100 processes, and at "8GB".',
    projectLimits,
  ),
  notify: field.optional(
    'Tells somebody who does not look that a service has failed or exceeds a limit: "desktop", or a command with DEVCTL_EVENT_REASON.',
    field.command,
  ),
  sweep: field.optional(
    'The sweep, with which `stop` ends leftovers that only their command line gives away.',
    z.strictObject({
      patterns: field.optional(
        'Regular expressions on whole command lines of leftovers, besides the built-in ones.',
        z.array(field.sweepPattern),
      ),
      scope: field.optional(
        'Which processes `stop` looks at: "project": those that work inside the project; "user": all of this user; "off": none. Default: "project".',
        z.enum(['project', 'user', 'off']),
      ),
      protect: field.optional(
        'Regular expressions on whole command lines that the sweep must never touch.',
        z.array(field.pattern),
      ),
    }),
  ),
  protect: field.optional(
    'Regular expressions on whole command lines that no stop may end, also below a service: only `stop --force --unprotected` does.',
    z.array(field.sweepPattern),
  ),
  protectByEnvironment: field.optional(
    'Whether DEVCTL_PROTECT=1 in the environment of a process protects it; else a stop leaves it alone, and fails. Default: false.',
    z.boolean(),
  ),
  containers: field.optional(
    'Containers of compose, such as databases: started before the services that name them in dependsOn, and stopped after these.',
    containersSchema,
  ),
  pidsDir: field.optional(
    'Folder of devctl\'s records, relative to the manifest. Default: ".pids".',
    field.path,
  ),
  containment: field.optional(
    'Control groups (cgroup v2) for services: where they can be made ("auto"); always, or else nothing is started ("cgroup"); never ("none"). Default: "auto".',
    z.enum(['auto', 'cgroup', 'none']),
  ),
});

/** A manifest of the right shape: durations in ms, sizes in bytes, no defaults filled in. */
export type Manifest = z.output<typeof manifestSchema>;
export type ManifestService = Manifest['services'][string];

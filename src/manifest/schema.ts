import * as z from 'zod';
import * as field from './fields.ts';
import { show } from './problem.ts';

const probeFields = {
  http: field.httpUrl
    .optional()
    .describe(
      'Ready when a GET of this http:// or https:// URL is answered as `status` and `body` ask for.',
    ),
  tcp: field.tcpTarget
    .optional()
    .describe('Ready when a connection is accepted: a port on this machine, or "HOST:PORT".'),
  log: field.pattern
    .optional()
    .describe(
      'Ready when a line of the output matches this regular expression (JavaScript, no slashes).',
    ),
  exec: field.command.optional().describe('Ready when this command ends with exit code 0.'),
  delay: field.duration
    .optional()
    .describe('Ready when this time has passed: "500ms", "3s", or a number of milliseconds.'),
  timeout: field.duration
    .optional()
    .describe(
      'How long the service may take to become ready, from its start: "30s" (default), "2m".',
    ),
  interval: field.duration
    .refine((ms) => ms >= 10, 'must be at least 10ms')
    .optional()
    .describe('Pause between two attempts: "250ms" (default), "1s".'),
  status: z
    .union([statusCode(), z.array(statusCode()).min(1)], {
      error: ({ input }) => `expected a status such as 200, or a list of them, got ${show(input)}`,
    })
    .optional()
    .describe('For http: the accepted status, or a list of them. Default: any from 200 to 399.'),
  body: z
    .string()
    .min(1)
    .optional()
    .describe('For http: text that the body must contain. Default: any body.'),
};

const KINDS = ['http', 'tcp', 'log', 'exec', 'delay'] as const;

/** Rules that need more than one field of a probe. */
function checkProbe(
  probe: { readonly [Key in keyof typeof probeFields]?: unknown },
  context: z.core.$RefinementCtx,
): void {
  const kinds = KINDS.filter((kind) => probe[kind] !== undefined);
  const fail = (message: string, path: string[] = []) =>
    context.addIssue({ code: 'custom', message, path });
  if (kinds.length === 0) fail('says not how to find out: give one of http, tcp, log, exec, delay');
  if (kinds.length > 1) fail(`asks for ${kinds.join(' and ')}: give only one of them`);
  for (const key of ['status', 'body'])
    if (probe[key as 'status' | 'body'] !== undefined && kinds[0] !== 'http')
      fail('goes with http only', [key]);
  const { delay, timeout } = probe;
  if (typeof delay === 'number' && typeof timeout === 'number' && delay >= timeout)
    fail('is not shorter than timeout: the service could never become ready', ['delay']);
}

/** What the checks above say, for editors. */
const probeMeta = { oneOf: KINDS.map((kind) => ({ required: [kind] })) };

const ready = z.strictObject(probeFields).superRefine(checkProbe).meta(probeMeta);

const live = z
  .strictObject({
    ...probeFields,
    failures: z
      .int()
      .min(1)
      .optional()
      .describe('How many attempts must fail in a row before the service counts as unhealthy.'),
  })
  .superRefine(checkProbe)
  .meta(probeMeta);

const restartPolicy = z.enum(['no', 'on-failure', 'always']);

const restart = z.union(
  [
    restartPolicy,
    z.strictObject({
      policy: restartPolicy.describe('When to start the service again after it has ended.'),
      maxRestarts: z
        .int()
        .min(0)
        .optional()
        .describe('Give up after so many restarts in `window`.'),
      window: field.duration.optional().describe('The time that maxRestarts counts in: "10m".'),
      backoff: field.duration.optional().describe('Pause before the first restart: "500ms".'),
      maxBackoff: field.duration
        .optional()
        .describe('The pause doubles each time up to this: "30s".'),
      resetAfter: field.duration
        .optional()
        .describe('A service that ran so long starts again with the first pause: "1m".'),
      successExitCodes: z
        .array(z.int().min(0).max(255))
        .optional()
        .describe('Exit codes that are no failure. Default: [0].'),
    }),
  ],
  {
    error: ({ input }) =>
      `expected "no", "on-failure", "always" or an object with a policy, got ${show(input)}`,
  },
);

const limits = z.strictObject({
  processes: z.int().min(1).optional().describe('Most processes that may be alive at once.'),
  memory: field.size
    .optional()
    .describe('Most memory of all its processes: "512MB", "2GB", or bytes.'),
  cpu: z
    .number()
    .positive()
    .optional()
    .describe('Most processor time, in cores: 1.5 is one and a half.'),
  openFiles: z.int().min(1).optional().describe('Most open files of one process.'),
  runtime: field.duration.optional().describe('Longest life of one run: "30m", "2h".'),
  idle: field.duration.optional().describe('Longest time without output: "10m".'),
  action: z
    .enum(['warn', 'stop', 'restart'])
    .optional()
    .describe('What happens when a limit is passed.'),
});

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

const service = z.strictObject({
  command: field.command.describe(
    'What to run. Text goes through /bin/sh -c; a list is the program and its arguments.',
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
    .array(field.port)
    .optional()
    .describe('Ports that it listens on: must be free before start, and are free after stop.'),
  dependsOn: z
    .union([z.array(z.string()), z.record(z.string(), condition)], {
      error: ({ input }) =>
        `expected a list of services, or an object such as {"db": "ready"}, got ${show(input)}`,
    })
    .optional()
    .describe('Services to wait for: a list (until ready), or each with "started" or "ready".'),
  ready: ready
    .optional()
    .describe('How to find out that it is up. Default: up once it was started.'),
  live: live
    .optional()
    .describe('How to find out, later, that it is still well. Not supported yet.'),
  restart: restart
    .optional()
    .describe('Whether to start it again when it ends. Only "no" (the default) is supported yet.'),
  stop: stop.optional().describe('How to end it.'),
  limits: limits.optional().describe('What it may use. Not supported yet.'),
  autostart: z
    .boolean()
    .optional()
    .describe('Does `devctl start` without names start it? Default: true.'),
  stdin: z
    .enum(['fifo', 'null'])
    .optional()
    .describe('"fifo" (default): stays open, `devctl send` types into it. "null": empty.'),
  oneShot: z
    .boolean()
    .optional()
    .describe('true: a task that ends by itself. Not supported yet. Default: false.'),
});

/**
 * `.devctl.json`: the one source of what may be in a manifest. The JSON Schema for editors is
 * generated from it, and its descriptions are the reference.
 *
 * It knows shapes only: what names and paths mean is checked in meaning.ts, what this version
 * cannot do yet in unsupported.ts.
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
        input === undefined
          ? 'is missing: name what to run, such as {"web": {"command": "npm run dev"}}'
          : `expected an object of services, got ${show(input)}`,
    })
    .refine((services) => Object.keys(services).length > 0, {
      error: 'is empty: name what to run, such as {"web": {"command": "npm run dev"}}',
    })
    .describe('The commands to run, by name.'),
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
  stopGrace: field.duration
    .optional()
    .describe('How long a service may take to end before SIGKILL: "3s" (default), "500ms".'),
  logs: z
    .strictObject({
      dir: field.path.optional().describe('Folder of the log files. Default: `logs` in pidsDir.'),
      maxSize: field.size.optional().describe('Size at which a log is rotated. Not supported yet.'),
      keep: z.int().min(0).optional().describe('Rotated logs to keep. Not supported yet.'),
    })
    .optional()
    .describe('Where the output of services goes.'),
  limits: limits.optional().describe('What every service may use. Not supported yet.'),
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
  containers: z
    .strictObject({
      file: field.path.optional().describe('The compose file.'),
      services: z.array(z.string().min(1)).optional().describe('Compose services. Default: all.'),
      command: field.command.optional().describe('The compose program. Default: docker compose.'),
    })
    .optional()
    .describe('Containers that the services need. Not supported yet.'),
  pidsDir: field.path
    .optional()
    .describe("Folder of devctl's records, relative to the manifest. Default: .pids"),
  containment: z
    .enum(['auto', 'cgroup', 'none'])
    .optional()
    .describe('How services are held together. "cgroup" is not supported yet. Default: "auto".'),
});

/** A manifest of the right shape: durations in ms, sizes in bytes, defaults not filled in. */
export type Manifest = z.output<typeof manifestSchema>;
export type ManifestService = Manifest['services'][string];

function statusCode() {
  return z.int().min(100).max(599);
}

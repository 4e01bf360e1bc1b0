import * as z from 'zod';
import * as field from './fields.ts';
import { show } from './problem.ts';

/** Keys of both kinds of probes. */
const checks = {
  http: field.httpUrl
    .optional()
    .describe(
      'Ready, or well, when a GET of this http:// or https:// URL is answered as `status` and `body` ask for. "http://unix:/path/of.sock:/health" asks a Unix socket.',
    ),
  tcp: field.tcpTarget
    .optional()
    .describe(
      'Ready, or well, when a connection is accepted: a port on this machine, "HOST:PORT", or "unix:/path/of.sock".',
    ),
  log: field.pattern
    .optional()
    .describe(
      'Ready when a line of the output matches this regular expression (JavaScript, no slashes); well when a new one does each time.',
    ),
  exec: field.command
    .optional()
    .describe('Ready, or well, when this command ends with exit code 0.'),
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
  method: z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']).optional().describe('For http. Default: GET.'),
  headers: z
    .record(z.string().min(1), z.string())
    .optional()
    .describe('For http: headers of the request: {"Host": "app.test"}.'),
  owner: z
    .enum(['service', 'any'])
    .optional()
    .describe(
      'For http and tcp: "service" (default): only an answer of a process of this project counts. "any": that of a gateway, a tunnel or a port-forward does, too.',
    ),
};

const interval = field.duration.refine((ms) => ms >= 10, 'must be at least 10ms').optional();

const readyFields = {
  ...checks,
  ports: z
    .array(field.port)
    .min(1)
    .optional()
    .describe('Ready when processes of this service listen on all of these ports.'),
  file: field.path
    .optional()
    .describe('Ready when this file, relative to cwd, was made or changed since the start.'),
  delay: field.duration
    .optional()
    .describe('Ready when this time has passed: "500ms", "3s", or a number of milliseconds.'),
  timeout: field.duration
    .optional()
    .describe(
      'How long the service may take to become ready, from its start: "30s" (default), "2m".',
    ),
  interval: interval.describe('Pause between two attempts: "250ms" (default), "1s".'),
  recheck: field.duration
    .refine((ms) => ms >= 1_000, 'must be at least 1s')
    .optional()
    .describe(
      'For http, tcp and exec: asks again so often once it is ready; three failures in a row make it unhealthy, and restart nothing. Default: only its listening sockets are watched.',
    ),
  attemptTimeout: field.duration
    .refine((ms) => ms >= 10, 'must be at least 10ms')
    .optional()
    .describe(
      'How long one attempt may take. Default: "30s" until it has answered once, then "5s" (exec "30s").',
    ),
};

const LIVE_KINDS = ['http', 'tcp', 'log', 'exec'] as const;
const READY_KINDS = ['ports', ...LIVE_KINDS, 'file', 'delay'] as const;

/** The kinds of probes that each of these keys goes with. */
const GOES_WITH: { readonly [Key in keyof typeof readyFields]?: readonly string[] } = {
  status: ['http'],
  body: ['http'],
  method: ['http'],
  headers: ['http'],
  owner: ['http', 'tcp'],
  recheck: ['http', 'tcp', 'exec'],
};

/** Checks the rules about more than one key of a probe. */
function checkProbe(
  known: readonly (keyof typeof readyFields)[],
  probe: { readonly [Key in keyof typeof readyFields]?: unknown },
  context: z.core.$RefinementCtx,
): void {
  const kinds = known.filter((kind) => probe[kind] !== undefined);
  const fail = (message: string, path: string[] = []) =>
    context.addIssue({ code: 'custom', message, path });
  if (kinds.length === 0) fail(`says not how to find out: give one of ${known.join(', ')}`);
  if (kinds.length > 1) fail(`asks for ${kinds.join(' and ')}: give only one of them`);
  for (const [key, goesWith] of Object.entries(GOES_WITH)) {
    if (probe[key as keyof typeof readyFields] === undefined) continue;
    if (!goesWith.includes(kinds[0] ?? '')) fail(`goes with ${goesWith.join(' and ')} only`, [key]);
  }
  const { delay, timeout } = probe;
  if (typeof delay === 'number' && typeof timeout === 'number' && delay >= timeout)
    fail('is not shorter than timeout: the service could never become ready', ['delay']);
}

/** Says in the JSON Schema what `checkProbe` checks, for editors. */
const probeMeta = (kinds: readonly string[]) => ({
  oneOf: kinds.map((kind) => ({ type: 'object', properties: { [kind]: {} }, required: [kind] })),
});

/** The schema of `ready`: the probe that finds out whether a service is up. */
export const ready = z.union(
  [
    z.literal('spawned'),
    z
      .strictObject(readyFields)
      .superRefine((probe, context) => checkProbe(READY_KINDS, probe, context))
      .meta(probeMeta(READY_KINDS)),
  ],
  {
    error: ({ input }) =>
      `expected "spawned", or an object such as {"http": "http://localhost:3000/health"}, got ${show(input)}`,
  },
);

/**
 * The schema of `live`: the probe that finds out whether a service that is up still works. It has no
 * `delay`, because passing time says nothing about that.
 */
export const live = z
  .strictObject({
    ...checks,
    timeout: field.duration
      .refine((ms) => ms >= 10, 'must be at least 10ms')
      .optional()
      .describe('How long one attempt may take. Default: "5s", for exec "30s".'),
    interval: interval.describe('Pause between two attempts: "10s" (default), "1m".'),
    failures: z
      .int()
      .min(1)
      .optional()
      .describe(
        'How many attempts must fail in a row before the service counts as unhealthy. Default: 3.',
      ),
  })
  .superRefine((probe, context) => checkProbe(LIVE_KINDS, probe, context))
  .meta(probeMeta(LIVE_KINDS));

function statusCode() {
  return z.int().min(100).max(599);
}

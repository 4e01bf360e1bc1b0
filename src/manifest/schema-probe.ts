import * as z from 'zod/mini';
import * as field from './fields.ts';
import { show } from './problem.ts';
import type { TcpTarget } from './resolved.ts';

const httpUrl = z
  .string({ error: explainHttpUrl })
  .check(z.refine((value) => parseHttpTarget(value) !== null, { error: explainHttpUrl }));

function explainHttpUrl({ input }: field.RejectedInput): string {
  const port = typeof input === 'number' ? input : 3_000;
  return `expected a URL such as "http://localhost:${port}/health", got ${show(input)}`;
}

/** A TCP port or address: `3000`, `"localhost:3000"` or `"[::1]:3000"`; or a Unix socket: `"unix:/path"`. */
const tcpTarget = z.union(
  [
    field.port,
    z
      .string()
      .check(z.refine((value) => parseTcpTarget(value) !== null, { error: explainTcpTarget })),
  ],
  { error: explainTcpTarget },
);

function explainTcpTarget({ input }: field.RejectedInput): string {
  return `expected a port such as 3000, "HOST:PORT" or "unix:/path", got ${show(input)}`;
}

/** Keys of both kinds of probes. */
const checks = {
  http: field.optional(
    'Ready, or well, when a GET of this http:// or https:// URL is answered as `status` and `body` ask for. "http://unix:/path/of.sock:/health" asks a Unix socket.',
    httpUrl,
  ),
  tcp: field.optional(
    'Ready, or well, when a connection is accepted: a port on this machine, "HOST:PORT", or "unix:/path/of.sock".',
    tcpTarget,
  ),
  log: field.optional(
    'Ready when a line of the output matches this regular expression (JavaScript, no slashes); well when a new one does each time.',
    field.pattern,
  ),
  exec: field.optional('Ready, or well, when this command ends with exit code 0.', field.command),
  status: field.optional(
    'For http: the accepted status, or a list of them. Default: any from 200 to 399.',
    z.union([statusCode(), z.array(statusCode()).check(z.minLength(1))], {
      error: ({ input }) => `expected a status such as 200, or a list of them, got ${show(input)}`,
    }),
  ),
  body: field.optional(
    'For http: text that the body must contain. Default: any body.',
    z.string().check(z.minLength(1)),
  ),
  method: field.optional(
    'For http: the method of the request. Default: "GET".',
    z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']),
  ),
  headers: field.optional(
    'For http: headers of the request: {"Host": "app.test"}.',
    z.record(z.string().check(z.minLength(1)), z.string()),
  ),
  owner: field.optional(
    'For http and tcp: "service": only an answer of a process of this project counts; "any": that of a gateway, a tunnel or a port-forward does, too. Default: "service".',
    z.enum(['service', 'any']),
  ),
};

const interval = field.duration.check(z.refine((ms) => ms >= 10, 'must be at least 10ms'));

const readyFields = {
  ...checks,
  ports: field.optional(
    'Ready when processes of this service listen on all of these ports.',
    z.array(field.port).check(z.minLength(1)),
  ),
  file: field.optional(
    'Ready when this file, relative to cwd, was made or changed since the start.',
    field.path,
  ),
  delay: field.optional('Ready when this time has passed.', field.duration),
  timeout: field.optional(
    'How long the service may take to become ready, from its start. Default: "30s".',
    field.duration,
  ),
  interval: field.optional('Pause between two attempts. Default: "250ms".', interval),
  recheck: field.optional(
    'For http, tcp and exec: asks again so often once it is ready; three failures in a row make it unhealthy, and restart nothing. Default: only its listening sockets are watched.',
    field.duration.check(z.refine((ms) => ms >= 1_000, 'must be at least 1s')),
  ),
  attemptTimeout: field.optional(
    'How long one attempt may take. Default: "30s" until it has answered once, then "5s" (exec "30s").',
    field.duration.check(z.refine((ms) => ms >= 10, 'must be at least 10ms')),
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
      .check(z.superRefine((probe, context) => checkProbe(READY_KINDS, probe, context)))
      .with(z.meta(probeMeta(READY_KINDS))),
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
    timeout: field.optional(
      'How long one attempt may take. Default: "5s", for exec "30s".',
      field.duration.check(z.refine((ms) => ms >= 10, 'must be at least 10ms')),
    ),
    interval: field.optional('Pause between two attempts. Default: "10s".', interval),
    failures: field.optional(
      'How many attempts must fail in a row before the service counts as unhealthy. Default: 3.',
      z.int().check(z.minimum(1)),
    ),
  })
  .check(z.superRefine((probe, context) => checkProbe(LIVE_KINDS, probe, context)))
  .with(z.meta(probeMeta(LIVE_KINDS)));

function statusCode() {
  return z.int().check(z.minimum(100), z.maximum(599));
}

/**
 * Parses a TCP port or address; null for anything else. A port alone means localhost, whether the service
 * listens on IPv4, IPv6 or both.
 */
export function parseTcpTarget(target: string | number): TcpTarget | null {
  if (typeof target === 'number') return { kind: 'address', host: 'localhost', port: target };
  const path = /^unix:(\/[^\0]+)$/.exec(target)?.[1];
  if (path !== undefined) return { kind: 'socket', path };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(target);
  const number = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  const isPort = number >= 1 && number <= 65_535;
  return host !== undefined && isPort ? { kind: 'address', host, port: number } : null;
}

/** An http URL, and the Unix socket that it is asked through; null: a connection to its host. */
export interface HttpTarget {
  readonly url: string;
  readonly socketPath: string | null;
}

/** Parses "http://unix:/path/of.sock:/health", the form of other HTTP clients, and any http URL. Null for anything else. */
export function parseHttpTarget(target: string): HttpTarget | null {
  const socket = /^http:\/\/unix:(\/[^:\0]+)(?::(\/.*)?)?$/.exec(target);
  if (socket) return { url: `http://localhost${socket[2] ?? '/'}`, socketPath: socket[1] ?? '' };
  if (!/^https?:\/\/./i.test(target) || !URL.canParse(target)) return null;
  return { url: target, socketPath: null };
}

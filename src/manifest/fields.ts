import * as z from 'zod/mini';
import { readPattern } from '../patterns/pattern.ts';
import { parsePort } from '../processes/ports.ts';
import { show } from './problem.ts';
import { DURATION, LONGEST_DURATION_MS, parseDuration, parseSize, SIZE } from './units.ts';

/** The argument of a message function of zod. `input` is the value as it stands in the manifest. */
export interface RejectedInput {
  readonly input?: unknown;
}

/**
 * Makes a key of the manifest that may be missing.
 *
 * @param description for the JSON Schema; scripts/build.mjs leaves it out
 */
export function optional<Schema extends z.core.SomeType>(
  description: string,
  schema: Schema,
): z.ZodMiniOptional<Schema> {
  return z.optional(schema).with(z.describe(description));
}

const SERVICE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/;

/** The name of a service or a group. It has no slash, because it becomes part of file names. */
export const serviceName = z.string().check(z.regex(SERVICE_NAME, { error: explainName }));

export function explainName({ input }: RejectedInput): string {
  return `${show(input)} cannot be a name: use 1 to 63 letters, digits, ".", "_" or "-", the first a letter or digit`;
}

/** Text without NUL, because NUL ends a string for the operating system. */
const text = z
  .string()
  .check(z.refine((value) => !value.includes('\0'), 'must not hold a NUL character'));

export const path = text.check(z.refine((value) => value !== '', 'must not be empty'));

export const duration = amount(DURATION, parseDuration, explainDuration);

function explainDuration({ input }: RejectedInput): string {
  if ((typeof input === 'number' && input < 0) || (typeof input === 'string' && /^-\d/.test(input)))
    return `must not be negative, got ${show(input)}`;
  if (typeof input === 'number' || (typeof input === 'string' && DURATION.test(input)))
    return `must be at most ${LONGEST_DURATION_MS / 3_600_000}h, got ${show(input)}`;
  return `expected a time such as "500ms", "3s", "2m" or "1h", or a number of milliseconds, got ${show(input)}`;
}

export const size = amount(SIZE, parseSize, explainSize);

function explainSize({ input }: RejectedInput): string {
  return `expected a size such as "512MB" or "2GB", or a number of bytes, got ${show(input)}`;
}

/**
 * A number that has units: plain, or text of this form.
 *
 * @param parse null for a value that cannot be
 */
function amount(
  form: RegExp,
  parse: (value: number | string) => number | null,
  error: (rejected: RejectedInput) => string,
) {
  return z.pipe(
    z.union(
      [
        z.number({ error }).check(z.nonnegative({ error })),
        z.string({ error }).check(z.regex(form, { error })),
      ],
      { error },
    ),
    z.transform((input, context) => {
      const parsed = parse(input);
      if (parsed !== null) return parsed;
      context.issues.push({ code: 'custom', message: error({ input }), input });
      return z.NEVER;
    }),
  );
}

const EMPTY_COMMAND = 'is empty: give a command such as "npm run dev" or ["node", "server.js"]';

export const command = z.union(
  [
    text.check(z.regex(/\S/, EMPTY_COMMAND)),
    z.array(text).check(
      z.minLength(1, EMPTY_COMMAND),
      z.refine((words) => words[0] === undefined || /\S/.test(words[0]), EMPTY_COMMAND),
      z.refine((words) => !isOneWord(words), { error: explainOneWord }),
    ),
  ],
  {
    error: ({ input }) =>
      input === undefined
        ? 'is missing: give a command such as "npm run dev" or ["node", "server.js"]'
        : `expected a command such as "npm run dev" or ["node", "server.js"], got ${show(input)}`,
  },
);

/** Tells whether a list holds a whole command line as its only word. A path may have blanks, so a slash is no sign. */
function isOneWord(words: readonly string[]): boolean {
  const [only = ''] = words;
  return words.length === 1 && /^[^\s/]+\s+\S/.test(only);
}

function explainOneWord({ input }: RejectedInput): string {
  const [line] = input as readonly string[];
  const words = line?.trim().split(/\s+/) ?? [];
  return `a list has each argument as a text of its own: ${JSON.stringify(words).replaceAll(',', ', ')}, or ${JSON.stringify(line)} without the list`;
}

/** The names of the cookie variables that devctl sets for every service, to recognise its processes. */
const COOKIE_NAME = /^(TURBO_)?DEVCTL_(PROJECT|SERVICE|RUN)$/;

const variableName = z.string().check(
  z.regex(/^[^=\0]+$/, {
    error: ({ input }) =>
      `${show(withoutValue(String(input)))} cannot be the name of a variable: it is empty or holds "="`,
  }),
  z.refine((name) => !COOKIE_NAME.test(name), 'is set by devctl itself, and cannot be set here'),
);

export const variableValue = z.union([text, z.number(), z.boolean()], {
  error: ({ input }) => `expected text, a number, true or false, got ${show(input)}`,
});

// The message does not show the wrong value, because it may be "TOKEN=…".
export const environment = z.record(variableName, variableValue, {
  error: ({ code }) =>
    code === 'invalid_type' ? 'expected an object of variables: {"PORT": "3000"}' : undefined,
});

/** Hides the value of an assignment, so that a message may show it: `TOKEN=secret` becomes `TOKEN=…`. */
export function withoutValue(assignment: string): string {
  return assignment.replace(/=.+/s, '=…');
}

export const envFile = z.union([path, z.array(path).check(z.minLength(1))], {
  error: ({ input }) => `expected a file such as ".env", or a list of files, got ${show(input)}`,
});

export const port = z
  .int({ error: explainPort })
  .check(z.minimum(1, { error: explainPort }), z.maximum(65_535, { error: explainPort }));

function explainPort({ input }: RejectedInput): string {
  const isUdp = parsePort(input) !== null;
  const why = isUdp ? ': nobody can tell when a UDP port is ready' : '';
  return `expected a port from 1 to 65535, got ${show(input)}${why}${suggestPort(input)}`;
}

/** A port of TCP, or one of UDP as text: `"8125/udp"`. */
export const declaredPort = z.union(
  [
    port,
    z
      .string()
      .check(z.refine((value) => parsePort(value) !== null, { error: explainDeclaredPort }))
      .with(z.meta({ pattern: '^[1-9][0-9]{0,4}/udp$' })),
  ],
  { error: explainDeclaredPort },
);

function explainDeclaredPort({ input }: RejectedInput): string {
  const suggestion = suggestPort(input);
  const orUdp = typeof input === 'number' || suggestion !== '' ? '' : ', or "8125/udp"';
  return `expected a port from 1 to 65535${orUdp}, got ${show(input)}${suggestion}`;
}

/** Reads what other tools write: "5173:5173", "0.0.0.0:5173:80/tcp", "53:53/UDP". */
function suggestPort(input: unknown): string {
  const found =
    typeof input === 'string'
      ? /^(?:[\d.]+:)*(\d{1,5})(?:\/(tcp|udp))?$/i.exec(input.trim())
      : null;
  const isUdp = found?.[2]?.toLowerCase() === 'udp';
  const meant = parsePort(isUdp ? `${found?.[1]}/udp` : Number(found?.[1]));
  return meant === null || meant === input ? '' : `: write ${JSON.stringify(meant)}`;
}

/** Signals that every supported platform has, and that end a process or can be caught to end it. */
export const signalName = z.enum([
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGABRT',
  'SIGWINCH',
]);

/** A regular expression of JavaScript, without slashes and flags, that takes a bounded time. */
export const pattern = z.string().check(
  z.minLength(1, 'must not be empty: it would match everything'),
  z.superRefine((source, context) => {
    const reading = readPattern(source);
    if (reading.kind === 'pattern') return;
    context.addIssue({ code: 'custom', message: `${show(source)} ${reading.why}` });
  }),
);

export const sweepPattern = pattern.check(
  z.refine((source) => {
    const reading = readPattern(source);
    return source === '' || reading.kind !== 'pattern' || reading.pattern.test('') === false;
  }, 'matches every command line: name what to look for'),
);

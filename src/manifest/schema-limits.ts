import * as z from 'zod/mini';
import * as field from './fields.ts';
import { show } from './problem.ts';
import { LIMIT_KINDS } from './resolved.ts';

const CPU_SHARE = /^\d+(?:\.\d+)?%$/;

/** A share of the processor, as percent of one core: 1.5 and "150%" both mean one and a half cores. */
const cores = z.pipe(
  z.union(
    [
      z.number({ error: explainCores }).check(z.positive({ error: explainCores })),
      z.string({ error: explainCores }).check(z.regex(CPU_SHARE, { error: explainCores })),
    ],
    { error: explainCores },
  ),
  z.transform((value, context) => {
    const percent = typeof value === 'number' ? value * 100 : Number.parseFloat(value);
    if (percent > 0) return percent;
    const message = `must be more than 0, got ${show(value)}`;
    context.issues.push({ code: 'custom', message, input: value });
    return z.NEVER;
  }),
);

function explainCores({ input }: { readonly input?: unknown }): string {
  return `expected a number of cores such as 1.5, or a share such as "150%", got ${show(input)}`;
}

const positiveCount = z.int().check(z.minimum(1));
const positiveSize = field.size.check(z.refine((size) => size > 0, 'must be more than 0'));
const longEnoughTime = field.duration.check(z.refine((ms) => ms >= 100, 'must be at least 100ms'));

const cpuWindow = field.optional(
  'The time over which cpu counts, as a mean. Default: "30s".',
  field.duration.check(z.refine((ms) => ms >= 1_000, 'must be at least 1s')),
);

/** The schema of `limits` of a service. */
export const serviceLimits = z
  .strictObject({
    processes: field.optional('Most processes that may be alive at once.', positiveCount),
    memory: field.optional(
      'Most memory of all its processes. Shared memory counts once, where the system tells.',
      positiveSize,
    ),
    cpu: field.optional('Most processor time over `cpuWindow`, in cores: 1.5, or "150%".', cores),
    cpuWindow,
    runtime: field.optional('Longest life of one run.', longEnoughTime),
    idle: field.optional('Longest time without output and (nearly) without cpu.', longEnoughTime),
    openFiles: field.optional(
      'Most open files of each of its processes (RLIMIT_NOFILE), from its next start on.',
      positiveCount,
    ),
    core: field.optional(
      'Largest core file (RLIMIT_CORE); from its next start on.',
      z.union([z.literal('unlimited'), field.size]),
    ),
    action: field.optional(
      'The action when a limit on processes, memory, cpu, runtime or idle is exceeded: a warning, its end, or a restart as `restart` counts them. Default: "warn".',
      z.enum(['warn', 'stop', 'restart']),
    ),
  })
  .check(
    z.superRefine((limits, context) => {
      const goesWith = (key: keyof typeof limits, keys: readonly (keyof typeof limits)[]): void => {
        if (limits[key] === undefined || keys.some((one) => limits[one] !== undefined)) return;
        const message = `says nothing without a limit: give ${inWords(keys)}`;
        context.addIssue({ code: 'custom', message, path: [key] });
      };
      goesWith('action', LIMIT_KINDS);
      goesWith('cpuWindow', ['cpu']);
    }),
  );

function limitOrOff<Schema extends z.ZodMiniType>(schema: Schema) {
  return z.union([z.literal('off'), schema], {
    error: ({ input }) => `expected a limit, or "off", got ${show(input)}`,
  });
}

/** The schema of `limits` of the project, which count everything that runs in it together. */
export const projectLimits = z.union(
  [
    z.literal('off'),
    z
      .strictObject({
        processes: field.optional(
          'Most processes of all services together; "off": no limit. Default: a warning at 100.',
          limitOrOff(positiveCount),
        ),
        memory: field.optional(
          'Most memory of all services together; "off": no limit. Default: a warning at "8GB".',
          limitOrOff(positiveSize),
        ),
        cpu: field.optional(
          'Most processor time of all services together, in cores, as for a service.',
          cores,
        ),
        cpuWindow,
        action: field.optional(
          'The action when a limit that is given here is exceeded: a warning, or the end of everything. Default: "warn".',
          z.enum(['warn', 'stop'], {
            error: ({ input }) =>
              input === 'restart'
                ? 'a project cannot be restarted: give "warn" or "stop" here, and "restart" with the limits of a service'
                : `expected "warn" or "stop", got ${show(input)}`,
          }),
        ),
      })
      .check(
        z.superRefine(({ processes, memory, cpu, cpuWindow: window, action }, context) => {
          const given = [processes, memory, cpu].filter(
            (one) => one !== undefined && one !== 'off',
          );
          if (action !== undefined && given.length === 0) {
            const message = 'says nothing without a limit: give processes, memory or cpu';
            context.addIssue({ code: 'custom', message, path: ['action'] });
          }
          if (window !== undefined && cpu === undefined) {
            const message = 'says nothing without a limit: give cpu';
            context.addIssue({ code: 'custom', message, path: ['cpuWindow'] });
          }
        }),
      ),
  ],
  { error: ({ input }) => `expected an object of limits, or "off", got ${show(input)}` },
);

function inWords(keys: readonly string[]): string {
  const last = keys.at(-1) ?? '';
  return keys.length > 1 ? `${keys.slice(0, -1).join(', ')} or ${last}` : last;
}

export type ServiceLimits = z.output<typeof serviceLimits>;
export type ProjectLimits = z.output<typeof projectLimits>;

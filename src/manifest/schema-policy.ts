import * as z from 'zod/mini';
import * as field from './fields.ts';
import { show } from './problem.ts';

const restartPolicy = z.enum(['no', 'on-failure', 'always']);

/** The schema of `restart`: rules for the restarts of a service that has ended. */
export const restartSchema = z.union(
  [
    restartPolicy,
    z
      .strictObject({
        policy: restartPolicy.with(
          z.describe(
            '"on-failure": when it failed, or is not well; "always": whenever it ends by itself; "no".',
          ),
        ),
        maxRestarts: field.optional(
          'Give up after so many restarts within `window`. Default: 10.',
          z.int().check(z.minimum(0)),
        ),
        window: field.optional(
          'The time that maxRestarts counts in. Default: "10m".',
          field.duration,
        ),
        backoff: field.optional(
          'Pause before the first restart, up to a quarter shorter. Default: "500ms".',
          field.duration,
        ),
        maxBackoff: field.optional(
          'The pause doubles each time up to this. Default: "30s".',
          field.duration,
        ),
        resetAfter: field.optional(
          'A run that was up for so long starts again with the first pause. Default: "1m".',
          field.duration,
        ),
        successExitCodes: field.optional(
          'Exit codes that are no failure. Default: [0].',
          z.array(z.int().check(z.minimum(0), z.maximum(255))),
        ),
      })
      .check(
        z.superRefine(({ backoff, maxBackoff }, context) => {
          if (backoff === undefined || maxBackoff === undefined || backoff <= maxBackoff) return;
          const message = 'is shorter than backoff, the first pause';
          context.addIssue({ code: 'custom', message, path: ['maxBackoff'] });
        }),
      ),
  ],
  {
    error: ({ input }) =>
      input === 'unless-stopped'
        ? '"unless-stopped" is "always" here: devctl starts nothing again that was stopped'
        : `expected "no", "on-failure", "always" or an object with a policy, got ${show(input)}`,
  },
);

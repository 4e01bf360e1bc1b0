import * as z from 'zod';
import * as field from './fields.ts';
import { show } from './problem.ts';

const restartPolicy = z.enum(['no', 'on-failure', 'always']);

/** The schema of `restart`: rules for the restarts of a service that has ended. */
export const restartSchema = z.union(
  [
    restartPolicy,
    z
      .strictObject({
        policy: restartPolicy.describe(
          '"on-failure": when it failed, or is not well; "always": whenever it ends by itself; "no".',
        ),
        maxRestarts: z
          .int()
          .min(0)
          .optional()
          .describe('Give up after so many restarts within `window`. Default: 10.'),
        window: field.duration
          .optional()
          .describe('The time that maxRestarts counts in. Default: "10m".'),
        backoff: field.duration
          .optional()
          .describe('Pause before the first restart, up to a quarter shorter. Default: "500ms".'),
        maxBackoff: field.duration
          .optional()
          .describe('The pause doubles each time up to this. Default: "30s".'),
        resetAfter: field.duration
          .optional()
          .describe(
            'A run that was up for so long starts again with the first pause. Default: "1m".',
          ),
        successExitCodes: z
          .array(z.int().min(0).max(255))
          .optional()
          .describe('Exit codes that are no failure. Default: [0].'),
      })
      .superRefine(({ backoff, maxBackoff }, context) => {
        if (backoff === undefined || maxBackoff === undefined || backoff <= maxBackoff) return;
        const message = 'is shorter than backoff, the first pause';
        context.addIssue({ code: 'custom', message, path: ['maxBackoff'] });
      }),
  ],
  {
    error: ({ input }) =>
      input === 'unless-stopped'
        ? '"unless-stopped" is "always" here: devctl starts nothing again that was stopped'
        : `expected "no", "on-failure", "always" or an object with a policy, got ${show(input)}`,
  },
);

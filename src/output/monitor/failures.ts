import type { Observation } from '../../operations/status/observe.ts';
import type { HookEvent } from '../../services/hooks/events.ts';

/**
 * Lists the failures and the exceeded limits that an observation shows and the one before did not.
 *
 * @param before null: this is the first observation, which tells nothing new
 * @param atMs the time of the observation, since the epoch, in ms
 */
export function freshFailures(
  before: Observation | null,
  after: Observation,
  atMs: number,
): readonly HookEvent[] {
  if (before === null) return [];
  const failed = new Set(failedIn(before).map(({ name }) => name));
  const exceeded = new Set(before.exceeded.map(({ of, text }) => limitKey(of, text)));
  return [
    ...failedIn(after)
      .filter(({ name }) => !failed.has(name))
      .map(
        ({ name, reason, exit }) =>
          ({ name: 'failed', service: name, reason, exit, atMs }) as const,
      ),
    ...after.exceeded
      .filter(({ of, text }) => !exceeded.has(limitKey(of, text)))
      .map(
        ({ of, text }) => ({ name: 'limit', service: of, reason: text, exit: null, atMs }) as const,
      ),
  ];
}

function failedIn({ status }: Observation) {
  return status.services.filter(
    ({ state, blockedBy }) => state === 'failed' && blockedBy.length === 0,
  );
}

/** Names a limit by its text without the numbers, because these change with each look. */
function limitKey(of: string | null, text: string): string {
  return `${of} ${text.replace(/[\d.]+/g, '')}`;
}

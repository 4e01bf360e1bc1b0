import type { DependencyCondition } from '../manifest/resolved.ts';
import type { EngineContainer } from './inspect.ts';

/** How far a compose service is. 'failed' never becomes ready by itself. */
export type ContainerVerdict =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting'; readonly what: string }
  | { readonly kind: 'failed'; readonly why: string };

/**
 * Judges the containers of one compose service.
 *
 * @param condition what a service waits for; null: nobody waits, and it must be up or have ended with success
 */
export function judgeContainers(
  containers: readonly EngineContainer[],
  condition: DependencyCondition | null,
): ContainerVerdict {
  if (containers.length === 0) return { kind: 'failed', why: 'compose has not made it' };
  const verdicts = containers.map((one) => judgeOne(one, condition));
  return (
    verdicts.find(({ kind }) => kind === 'failed') ??
    verdicts.find(({ kind }) => kind === 'waiting') ?? { kind: 'ready' }
  );
}

function judgeOne(
  { state, health, exitCode }: EngineContainer,
  condition: DependencyCondition | null,
): ContainerVerdict {
  const hasEnded = state === 'exited' || state === 'dead';
  if (condition === 'exited')
    return hasEnded ? { kind: 'ready' } : { kind: 'waiting', what: `${state}, is to end` };
  if (hasEnded) {
    // A task, such as a migration.
    if (exitCode === 0) return { kind: 'ready' };
    return { kind: 'failed', why: `it exited with code ${exitCode ?? '?'}` };
  }
  if (condition === 'completed')
    return { kind: 'waiting', what: `${state}, is to end with success` };
  if (state !== 'running') return { kind: 'waiting', what: state };
  if (condition === 'started' || health === null || health === 'healthy') return { kind: 'ready' };
  // As compose judges it: its health check had all its retries.
  if (health === 'unhealthy') return { kind: 'failed', why: 'it is unhealthy' };
  return { kind: 'waiting', what: 'not healthy yet' };
}

/** The container of another owner that is in the way, in words. */
export function strangerInWords(container: EngineContainer, nowMs: number): string {
  const { name, id, createdAtMs, image } = container;
  const age = createdAtMs === null ? '' : `, ${ageInWords(nowMs - createdAtMs)} old`;
  return `${name} (${id.slice(0, 12)}${image === '' ? '' : `, ${image}`}${age})`;
}

function ageInWords(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

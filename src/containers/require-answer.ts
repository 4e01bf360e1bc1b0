import { DevctlError } from '../errors.ts';
import type { Engine, EngineAnswer } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import { COMPOSE_PROJECT_LABEL } from './labels.ts';

/**
 * Takes the answer that a start cannot do without.
 *
 * @throws DevctlError 'start-failed'
 */
export function requireAnswer<Value>(answer: EngineAnswer<Value>): Value {
  if (answer.kind === 'answer') return answer.value;
  const { why, hint } = answer.failure;
  throw new DevctlError('start-failed', `the containers cannot be started: ${why}`, { hint });
}

/**
 * Lists the containers of a compose project, whoever made them.
 *
 * @throws DevctlError 'start-failed'
 */
export async function containersOfProject(
  engine: Engine,
  name: string,
): Promise<readonly EngineContainer[]> {
  return requireAnswer(await engine.findBy(`label=${COMPOSE_PROJECT_LABEL}=${name}`));
}

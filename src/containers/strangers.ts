import { DevctlError } from '../errors.ts';
import type { ContainerSettings } from '../manifest/resolved.ts';
import type { EngineContainer } from './inspect.ts';
import type { ContainersPlan } from './plan.ts';
import { judgeContainers, strangerInWords } from './readiness.ts';

/**
 * Chooses what the services use of a compose project that somebody else has started, where the manifest allows that.
 *
 * @throws DevctlError 'name-taken' where it does not; 'start-failed' where a compose service is not up there
 */
export function chooseStrangers(
  name: string,
  strangers: readonly EngineContainer[],
  plan: ContainersPlan,
  { adopt, definedAt }: Pick<ContainerSettings, 'adopt' | 'definedAt'>,
): readonly EngineContainer[] {
  if (adopt !== 'use') throw taken(name, strangers, definedAt);
  return [...plan.conditions].flatMap(([service, condition]) => {
    const own = strangers.filter((one) => one.service === service);
    const verdict = judgeContainers(own, condition);
    if (verdict.kind === 'ready') return own;
    const why = verdict.kind === 'failed' ? verdict.why : verdict.what;
    const how = own.length === 0 ? 'is not in it' : `is not up there: ${why}`;
    throw new DevctlError(
      'start-failed',
      `${service}: the compose project ${name} was started by somebody else, and ${service} ${how}`,
      { hint: `docker compose -p ${name} up -d ${service}; devctl leaves that project alone` },
    );
  });
}

function taken(
  name: string,
  strangers: readonly EngineContainer[],
  definedAt: string,
): DevctlError {
  const nowMs = Date.now();
  const named = strangers.slice(0, 5).map((one) => strangerInWords(one, nowMs));
  const count = strangers.length === 1 ? 'a container' : `${strangers.length} containers`;
  return new DevctlError(
    'name-taken',
    `the compose project ${name} has ${count} that devctl has not started: ${named.join(', ')}`,
    {
      hint: `use what runs: "adopt": "use" in "containers" (${definedAt}); or take it down first: docker compose -p ${name} down; nothing was started`,
    },
  );
}

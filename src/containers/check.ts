import { DevctlError } from '../errors.ts';
import type { ContainerSettings } from '../manifest/resolved.ts';
import { DEVCTL } from '../own-command.ts';
import { readComposeProject } from './compose.ts';
import { planContainers, unknownInWords } from './plan.ts';

/**
 * Checks the compose files of a manifest, without asking an engine: they are there, can be read, and have the compose
 * services that are needed.
 *
 * @returns what is wrong, in words; null: nothing
 */
export function checkCompose(
  settings: ContainerSettings,
  root: string,
  services: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  try {
    const { model } = readComposeProject(settings, root, env);
    const plan = planContainers(model, settings, services, 'all');
    return 'unknown' in plan ? unknownInWords(plan.unknown, plan.neededBy, model) : null;
  } catch (error) {
    if (error instanceof DevctlError) return error.message;
    throw error;
  }
}

/**
 * Requires compose files that can be used, before anything is made or locked.
 *
 * @throws DevctlError 'manifest-invalid'
 */
export function requireCompose(
  settings: ContainerSettings,
  root: string,
  services: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): void {
  const why = checkCompose(settings, root, services, env);
  if (why === null) return;
  throw new DevctlError('manifest-invalid', `${settings.definedAt}  containers: ${why}`, {
    hint: `${DEVCTL} check looks again, and starts nothing`,
  });
}

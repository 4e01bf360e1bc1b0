import type { ComposeModel } from './compose-file.ts';
import type { Labels } from './labels.ts';

/**
 * Words the compose file that devctl lays over the user's: it only adds labels. JSON is YAML.
 *
 * @param model what the user's files say together
 */
export function overrideText(model: ComposeModel, labels: Labels): string {
  const labelled = (names: Iterable<string>) =>
    Object.fromEntries([...names].map((name) => [name, { labels }]));
  const { version, services, networks, volumes } = model;
  return `${JSON.stringify(
    {
      ...(version === null ? {} : { version }),
      services: labelled(services.keys()),
      ...(networks.length > 0 ? { networks: labelled(networks) } : {}),
      ...(volumes.length > 0 ? { volumes: labelled(volumes) } : {}),
    },
    null,
    2,
  )}\n`;
}

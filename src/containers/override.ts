import { fieldsOf, textOfScalar } from '../plain-values.ts';
import type { ComposeModel } from './compose-file.ts';
import type { ComposeThing, Fields } from './compose-things.ts';
import type { Labels } from './labels.ts';

/**
 * Words the compose file that devctl lays over the user's: it only adds labels. JSON is YAML. The definitions of networks
 * and volumes are repeated, because compose 1.29 takes those of the last file alone: a volume would lose its name, and the
 * database would be an empty one.
 *
 * @param model what the user's files say together
 */
export function overrideText(model: ComposeModel, labels: Labels): string {
  const ours = Object.fromEntries(
    // Compose replaces variables in labels.
    Object.entries(labels).map(([name, text]) => [name, text.replaceAll('$', '$$$$')]),
  );
  const { version, services, networks, volumes } = model;
  return `${JSON.stringify(
    {
      ...(version === null ? {} : { version }),
      services: Object.fromEntries([...services.keys()].map((name) => [name, { labels: ours }])),
      ...(networks.size > 0 ? { networks: labelled(networks, ours) } : {}),
      ...(volumes.size > 0 ? { volumes: labelled(volumes, ours) } : {}),
    },
    null,
    2,
  )}\n`;
}

function labelled(things: ReadonlyMap<string, ComposeThing>, ours: Labels): Fields {
  return Object.fromEntries(
    [...things].map(([name, { isExternal, definition }]) => {
      const labels = { ...labelsIn(definition.labels), ...ours };
      return [name, isExternal ? definition : { ...definition, labels }];
    }),
  );
}

/** Labels are a map, or a list of "name=value". */
function labelsIn(value: unknown): Fields {
  if (!Array.isArray(value)) return fieldsOf(value);
  return Object.fromEntries(
    value
      .map((item) => (textOfScalar(item) ?? '').split(/=(.*)/s))
      .map(([name, text = '']) => [name, text]),
  );
}

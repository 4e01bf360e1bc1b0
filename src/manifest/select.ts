import { DevctlError } from '../errors.ts';
import { stronglyConnectedComponents } from './dependency-order.ts';
import { nearest } from './nearest.ts';
import type { ResolvedManifest } from './resolved.ts';

/** The names that a command line can use. A ManifestOutline of kind 'found' or 'broken' fits this shape. */
export interface Choices {
  readonly services: readonly {
    readonly name: string;
    readonly autostart: boolean;
    readonly dependsOn: readonly string[];
  }[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** Takes the names from a validated manifest. */
export function choicesOf({ services, groups }: ResolvedManifest): Choices {
  const list = Object.values(services).map(({ name, autostart, dependsOn }) => ({
    name,
    autostart,
    dependsOn: Object.keys(dependsOn),
  }));
  return { services: list, groups };
}

/**
 * Finds the services that names of services and groups stand for: each service once, in the order of the
 * manifest. Without names it returns all services.
 *
 * @throws DevctlError `service-unknown`
 */
export function selectServices(choices: Choices, names: readonly string[]): readonly string[] {
  const known = choices.services.map(({ name }) => name);
  if (names.length === 0) return known;
  const services = new Set(known);
  const selected = new Set(
    names.flatMap((name) => {
      if (services.has(name)) return [name];
      const members = Object.hasOwn(choices.groups, name) ? choices.groups[name] : undefined;
      if (members === undefined) throw unknownName(name, choices, names);
      return members;
    }),
  );
  return known.filter((name) => selected.has(name));
}

/**
 * Finds the services to start: the named services and everything they depend on, in the order of the
 * manifest. Without names, the services with `autostart` count as named.
 *
 * @throws DevctlError `service-unknown`
 */
export function selectForStart(choices: Choices, names: readonly string[]): readonly string[] {
  const wanted =
    names.length > 0
      ? selectServices(choices, names)
      : choices.services.flatMap(({ name, autostart }) => (autostart ? [name] : []));
  const graph = new Map(choices.services.map(({ name, dependsOn }) => [name, dependsOn]));
  const needed = new Set(stronglyConnectedComponents(wanted, graph).flat());
  return choices.services.flatMap(({ name }) => (needed.has(name) ? [name] : []));
}

function unknownName(
  name: string,
  { services, groups }: Choices,
  names: readonly string[],
): DevctlError {
  const serviceNames = services.map((service) => service.name);
  const groupNames = Object.keys(groups);
  const near = nearest(name, [...serviceNames, ...groupNames]);
  const meant = near === null ? '' : ` Did you mean "${near}"?`;
  const lists = [
    serviceNames.length > 0
      ? `services: ${enumerate(serviceNames)}`
      : 'the manifest names no services',
    ...(groupNames.length > 0 ? [`groups: ${enumerate(groupNames)}`] : []),
  ];
  return new DevctlError(
    'service-unknown',
    `no service or group is called ${JSON.stringify(name)}.${meant}`,
    { hint: otherwise(names, [...serviceNames, ...groupNames]) ?? lists.join('; ') },
  );
}

/** Says how names are given that are written as other programs take them; null where they are not. */
function otherwise(names: readonly string[], known: readonly string[]): string | null {
  const words = names.flatMap((name) => name.split(',')).filter((word) => word !== '');
  const isList = words.length > 0 && words.every((word) => known.includes(word));
  if (isList && names.some((name) => name.includes(',')))
    return `names are separated by blanks: ${words.join(' ')}`;
  return names.length === 1 && names[0] === 'all' ? 'without a name, it is all of them' : null;
}

function enumerate(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** Tells whether a project has containers and no services: a start without names brings up the containers then. */
export function isContainersAlone({ services, containers }: ResolvedManifest): boolean {
  return containers !== null && Object.keys(services).length === 0;
}

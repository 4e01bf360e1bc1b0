import { nearest } from '../manifest/nearest.ts';
import type { ContainerSettings, DependencyCondition } from '../manifest/resolved.ts';
import { type ComposeModel, defaultServices, withNeeded } from './compose-file.ts';
import type { EngineContainer } from './inspect.ts';
import { COMPOSE_ONE_OFF_LABEL, type ContainerMarks, isOurs } from './labels.ts';

/** The compose services that a start brings up. */
export interface ContainersPlan {
  /** The names for `compose up`, which adds what they depend on. */
  readonly services: readonly string[];
  /** The condition that each must meet before the services start; null: up. */
  readonly conditions: ReadonlyMap<string, DependencyCondition | null>;
}

/**
 * Decides which compose services a start brings up: those that the started services name, and in a start of everything
 * all that the manifest lists.
 *
 * @param names the services to start
 * @param chosen 'all', 'needed' by those services, or the names of compose services
 * @returns the name that the compose files do not have, and what needs it
 */
export function planContainers(
  model: ComposeModel,
  { services, profiles, needs }: Pick<ContainerSettings, 'services' | 'profiles' | 'needs'>,
  names: readonly string[],
  chosen: 'all' | 'needed' | readonly string[],
): ContainersPlan | { readonly unknown: string; readonly neededBy: string } {
  const listed = services ?? defaultServices(model, profiles);
  const conditions = new Map<string, DependencyCondition | null>();
  const wanted = chosen === 'all' ? listed : chosen === 'needed' ? [] : chosen;
  for (const name of wanted) conditions.set(name, null);
  for (const service of names) {
    for (const [name, condition] of Object.entries(needs[service] ?? {})) {
      if (!model.services.has(name)) return { unknown: name, neededBy: service };
      conditions.set(name, stricter(conditions.get(name) ?? null, condition));
    }
  }
  const unknown = [...conditions.keys()].find((name) => !model.services.has(name));
  if (unknown !== undefined) return { unknown, neededBy: 'containers.services' };
  return { services: [...conditions.keys()], conditions };
}

/** Two services may wait for different things: an end comes after everything else. */
const ORDER: readonly (DependencyCondition | null)[] = [
  null,
  'started',
  'ready',
  'exited',
  'completed',
];

function stricter(
  a: DependencyCondition | null,
  b: DependencyCondition | null,
): DependencyCondition | null {
  return ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b;
}

/** Words the name that no compose file has. */
export function unknownInWords(name: string, neededBy: string, model: ComposeModel): string {
  const known = [...model.services.keys()];
  const meant = nearest(name, known);
  const suggestion =
    meant === null ? `it has ${known.slice(0, 10).join(', ')}` : `did you mean "${meant}"?`;
  return `${neededBy} needs ${JSON.stringify(name)}, which is neither a service nor in the compose file (${suggestion})`;
}

/** Sorts the containers of a compose project by their owner. That of a `compose run` by hand is in nobody's way. */
export function sortByOwner(
  containers: readonly EngineContainer[],
  marks: ContainerMarks,
): Record<'ours' | 'strangers', readonly EngineContainer[]> {
  return {
    ours: containers.filter(({ labels }) => isOurs(labels, marks)),
    strangers: containers.filter(
      ({ labels }) => !isOurs(labels, marks) && labels[COMPOSE_ONE_OFF_LABEL] !== 'True',
    ),
  };
}

/** An obstacle for a compose service: a fixed container name, or a port of the engine's machine. */
export interface Collision {
  readonly service: string;
  /** "the name shop-db", "port 5432". */
  readonly what: string;
  readonly port: string | null;
  readonly holder: EngineContainer | null;
}

/**
 * Finds the fixed names and ports of these compose services that containers of others have.
 *
 * @param others containers that are not ours: those that run, and those with a fixed name of ours
 */
export function findCollisions(
  model: ComposeModel,
  services: readonly string[],
  others: readonly EngineContainer[],
): readonly Collision[] {
  return withNeeded(model, services).flatMap((name): readonly Collision[] => {
    const service = model.services.get(name);
    if (!service) return [];
    const { containerName, hostPorts } = service;
    const named = others.find((one) => one.name === containerName);
    const byName = named
      ? [{ service: name, what: `the name ${containerName}`, port: null, holder: named }]
      : [];
    return [
      ...byName,
      ...hostPorts.flatMap((port) => {
        const holder = others.find((one) => one.state === 'running' && one.ports.includes(port));
        return holder ? [{ service: name, what: `port ${port}`, port, holder }] : [];
      }),
    ];
  });
}

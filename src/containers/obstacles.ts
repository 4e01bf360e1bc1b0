import { DevctlError } from '../errors.ts';
import { describeHolder } from '../processes/describe.ts';
import { findPortHolders } from '../processes/ports.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { type ComposeModel, withNeeded } from './compose-file.ts';
import type { Engine } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import { type Collision, findCollisions } from './plan.ts';
import { toPort } from './ports.ts';
import { strangerInWords } from './readiness.ts';
import { requireAnswer } from './require-answer.ts';

/** The containers that are about to be made. */
export interface Wanted {
  readonly engine: Engine;
  readonly model: ComposeModel;
  /** The compose services to bring up; what they depend on comes up too. */
  readonly services: readonly string[];
  /** The containers of ours that are there already. */
  readonly ours: readonly EngineContainer[];
  readonly snapshot: Snapshot;
  /** Place in the manifest, for messages. */
  readonly definedAt: string;
}

/**
 * Requires that nobody else has the fixed names and ports of containers, before anything is made.
 *
 * @throws DevctlError 'name-taken', 'port-taken', 'start-failed'
 */
export async function requireFreeNamesAndPorts(wanted: Wanted): Promise<void> {
  const { engine, model, services, ours, definedAt } = wanted;
  const all = withNeeded(model, services).flatMap((name) => model.services.get(name) ?? []);
  const ports = all.flatMap(({ hostPorts }) => hostPorts);
  const own = new Set(ours.map(({ id }) => id));
  const others: EngineContainer[] = [];
  const add = async (filter: string): Promise<void> => {
    const found = requireAnswer(await engine.findBy(filter));
    others.push(...found.filter(({ id }) => !own.has(id)));
  };
  if (ports.length > 0) await add('status=running');
  for (const { containerName } of all) {
    if (containerName === null) continue;
    await add(`name=^/?${containerName.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
  }
  const collisions = findCollisions(model, services, others);
  if (collisions.length > 0) throw collided(collisions, definedAt);
  if (!engine.isRemote) await requireFreePorts(ports, wanted);
}

async function requireFreePorts(
  ports: readonly string[],
  { ours, snapshot }: Wanted,
): Promise<void> {
  const own = new Set(ours.flatMap((one) => (one.state === 'running' ? one.ports : [])));
  const wanted = ports.filter((port) => !own.has(port)).flatMap((port) => toPort(port) ?? []);
  const [holder] = await findPortHolders(wanted, snapshot);
  if (!holder) return;
  const named = describeHolder(holder, snapshot) ?? 'a process that cannot be seen';
  throw new DevctlError(
    'port-taken',
    `a container publishes port ${holder.port}, which is held by ${named}`,
    {
      hint: `${holder.process ? `kill ${holder.process.identity.pid}` : 'stop that process'}; or publish another port in the compose file; nothing was started`,
    },
  );
}

function collided(collisions: readonly Collision[], definedAt: string): DevctlError {
  const nowMs = Date.now();
  const lines = collisions.map(({ service, what, holder }) => {
    const who = holder ? `the container ${strangerInWords(holder, nowMs)}` : 'another container';
    return `${service}: ${what} is held by ${who}`;
  });
  const [first] = collisions;
  const code = first?.port === null ? 'name-taken' : 'port-taken';
  return new DevctlError(code, lines.join('\n'), {
    hint: `stop that container, or give yours no fixed name and port (${definedAt}); nothing was started`,
  });
}

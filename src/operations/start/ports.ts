import { DevctlError } from '../../errors.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Claim } from '../../ownership/claim.ts';
import { describeCommand, describeHolder } from '../../processes/describe.ts';
import {
  allPorts,
  findPortHolders,
  findUnixListeners,
  type Port,
  type PortHolder,
} from '../../processes/ports.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import { isOwnUser, userName } from '../../processes/users.ts';
import { probedPorts, probedSockets } from '../../services/probes/probed-ports.ts';
import { lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import type { StopContext } from '../stop/stop-runs.ts';

/** The number of passes that end leftovers: after each, another process of ours may take a port that it waited for. */
const LEFTOVER_PASSES = 3;

/**
 * Makes sure that the ports of these services are free, and that nobody else answers their probes. Ends processes that hold one and are left over from earlier
 * runs, such as a renamed service or an orphan of no known service.
 *
 * @param look made after the last signal
 * @throws DevctlError 'port-taken', which names each holder, before anything is ended; 'survivors'
 */
export async function requireFreePorts(
  context: StopContext,
  look: PortLook,
  services: readonly ResolvedService[],
  warn: (line: string) => void,
): Promise<void> {
  const { host, state } = context;
  const wanted: WantedPorts = new Map(
    services.flatMap((service) =>
      [...probedPorts(service), ...allPorts(service)].map((port) => [port, service] as const),
    ),
  );
  const declared = new Set(services.flatMap(allPorts));
  refuseHeldSockets(look, services);
  if (wanted.size === 0) return;
  let latest = look;
  for (let pass = 1; ; pass += 1) {
    const holders = await findPortHolders([...wanted.keys()], latest.snapshot);
    if (holders.length === 0) return;
    const running = runningServices(state, latest.snapshot);
    const units = new Set<string>();
    const taken: string[] = [];
    const places = new Set<string>();
    const ends = new Set<string>();
    for (const holder of holders) {
      const claim = claimOf(holder, latest.claims);
      const unit = claim && leftoverUnit(claim, latest.claims, running);
      // Another service of ours that runs may answer a probe: a gateway, or a proxy.
      if (claim && unit === null && !declared.has(holder.port)) continue;
      if (unit !== null && pass <= LEFTOVER_PASSES) {
        const pid = holder.process?.identity.pid;
        warn(`port ${holder.port} is held by a left-over of ours (pid ${pid})`);
        units.add(unit);
      } else {
        const service = wanted.get(holder.port);
        const description = describe(holder, claim, latest.snapshot);
        const isDeclared = declared.has(holder.port);
        if (service) places.add((isDeclared && service.portsAt) || service.definedAt);
        taken.push(`${service?.name}: port ${holder.port} is held by ${description}`);
        ends.add(howToEnd(holder, claim));
      }
    }
    if (taken.length > 0) throw portsTaken({ taken, ends, places }, wanted, declared);
    if (units.size === 0) return;
    await endLeftovers(context, [...units], warn);
    latest = await lookAtProject(host, state.folder, state);
  }
}

/**
 * Refuses a service whose probe asks a Unix socket that a process listens on already which is not ours. One that nobody
 * sees, and one that was bound by a relative path, is not found.
 *
 * @throws DevctlError 'port-taken'
 */
function refuseHeldSockets(
  { snapshot, claims }: PortLook,
  services: readonly ResolvedService[],
): void {
  const wanted = services.flatMap((service) =>
    probedSockets(service).map((path) => ({ service, path })),
  );
  if (wanted.length === 0) return;
  const ours = new Set(claims.map(({ process }) => process.identity.pid));
  for (const { service, path } of wanted) {
    const holders = findUnixListeners(path, snapshot);
    const [stranger] = holders;
    // The list also has sockets that were bound there before, and that no caller reaches any more.
    if (!stranger || holders.some(({ identity }) => ours.has(identity.pid))) continue;
    const { pid } = stranger.identity;
    const what = `${describeCommand(snapshot, stranger)} (pid ${pid})`;
    throw new DevctlError('port-taken', `${service.name}: ${path} is held by ${what}`, {
      hint: `kill ${pid}; or let the probe accept it ("owner": "any") (${service.definedAt}); nothing was started`,
    });
  }
}

type PortLook = Pick<ProjectLook, 'snapshot' | 'claims'>;

/** The service that needs each port. */
type WantedPorts = ReadonlyMap<Port, ResolvedService>;

function runningServices({ records }: ProjectState, snapshot: Snapshot): ReadonlySet<string> {
  const running = records.filter(({ leader }) => leader && livesIn(snapshot, leader));
  return new Set(running.map(({ service }) => service));
}

function claimOf(holder: PortHolder, claims: readonly Claim[]): Claim | null {
  const pid = holder.process?.identity.pid;
  return claims.find(({ process }) => process.identity.pid === pid) ?? null;
}

/** The command that ends the holder of a port; a sentence where none is known. */
function howToEnd({ process: one, uid }: PortHolder, claim: Claim | null): string {
  if (claim?.service) return `${DEVCTL} stop ${claim.service}`;
  if (!one) return 'stop that process';
  return `${uid === null || isOwnUser(uid) ? '' : 'sudo '}kill ${one.identity.pid}`;
}

function portsTaken(
  {
    taken,
    ends,
    places,
  }: {
    readonly taken: readonly string[];
    readonly ends: ReadonlySet<string>;
    readonly places: ReadonlySet<string>;
  },
  wanted: WantedPorts,
  declared: ReadonlySet<Port>,
): DevctlError {
  const isOnlyProbed = [...wanted.keys()].every((port) => !declared.has(port));
  const otherwise = isOnlyProbed
    ? 'let the probe accept it ("owner": "any")'
    : 'choose another port';
  return new DevctlError('port-taken', [...new Set(taken)].join('\n'), {
    hint: `${[...ends].join('; ')}; or ${otherwise} (${[...places].join(', ')}); nothing was started`,
  });
}

/**
 * Finds the unit of the stop that ends a process of ours which holds a port.
 *
 * A process of no known service is ended only where it cannot belong to a running service, because the unit of such
 * processes takes every process that belongs to no named unit.
 *
 * @returns null: the process may belong to a service that runs
 */
export function leftoverUnit(
  { service }: Pick<Claim, 'service'>,
  claims: readonly Pick<Claim, 'service'>[],
  running: ReadonlySet<string>,
): string | null {
  if (service !== null) return running.has(service) ? null : service;
  const isAlone = running.size === 0 && claims.every((claim) => claim.service === null);
  return isAlone ? UNATTRIBUTED : null;
}

function describe(holder: PortHolder, claim: Claim | null, snapshot: Snapshot): string {
  const process = describeHolder(holder, snapshot) ?? 'a process that cannot be seen';
  const cwd = holder.process && snapshot.details.cwd(holder.process);
  const place = cwd ? ` in ${cwd}` : '';
  const user = holder.uid === null ? '' : `, of ${userName(holder.uid)}`;
  const nameless = 'a process of this project that no service is known for';
  const ours = claim ? `${claim.service ? `our own service ${claim.service}` : nameless}: ` : '';
  return `${ours}${process}${place}${user}`;
}

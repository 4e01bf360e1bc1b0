import { DevctlError } from '../../errors.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import type { Claim } from '../../ownership/claim.ts';
import { describeHolder } from '../../processes/describe.ts';
import { findPortHolders, type PortHolder } from '../../processes/ports.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import { userName } from '../../processes/users.ts';
import { lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { UNATTRIBUTED } from '../../tracking/project-state.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import type { StopContext } from '../stop/stop-runs.ts';

/** What is ended may be followed by another of ours that waited for the port, this often at most. */
const MAX_PASSES = 3;

/**
 * Sees to it that the ports of these services are free. What holds one and is left over from earlier
 * runs (a service that was renamed, an orphan nobody can name) is ended.
 *
 * @param look made after the last signal
 * @throws DevctlError 'port-taken' naming each holder, before anything is ended; 'survivors'
 */
export async function requireFreePorts(
  context: StopContext,
  look: Pick<ProjectLook, 'snapshot' | 'claims'>,
  services: readonly ResolvedService[],
  warn: (line: string) => void,
): Promise<void> {
  const { host, state } = context;
  const wanted = new Map(services.flatMap((one) => one.ports.map((port) => [port, one] as const)));
  if (wanted.size === 0) return;
  for (let { snapshot, claims } = look, pass = 1; ; pass += 1) {
    const holders = await findPortHolders([...wanted.keys()], snapshot);
    if (holders.length === 0) return;

    const running = new Set(
      state.records.filter(({ leader }) => leader && livesIn(snapshot, leader)).map(serviceOf),
    );
    const units = new Set<string>();
    const taken: string[] = [];
    for (const holder of holders) {
      const pid = holder.process?.identity.pid;
      const claim = claims.find(({ process }) => process.identity.pid === pid) ?? null;
      const unit = claim && leftoverUnit(claim, claims, running);
      if (unit !== null && pass <= MAX_PASSES) {
        warn(`port ${holder.port} is held by a left-over of ours (pid ${pid})`);
        units.add(unit);
        continue;
      }
      const name = wanted.get(holder.port)?.name;
      taken.push(`${name}: port ${holder.port} is held by ${describe(holder, claim, snapshot)}`);
    }
    if (taken.length > 0) {
      const [first] = wanted.values();
      throw new DevctlError('port-taken', [...new Set(taken)].join('\n'), {
        hint: `stop that process, or choose another port (${first?.definedAt}); nothing was started`,
      });
    }
    await endLeftovers(context, [...units], warn);
    ({ snapshot, claims } = await lookAtProject(host, state.folder, state));
  }
}

/**
 * The unit with which a holder of ours may be ended; null: it may belong to what runs.
 *
 * What no service is known for is ended only where it cannot be a running service's: in a stop of the
 * unnamed, everything counts that is not of a named unit.
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

function serviceOf({ service }: { readonly service: string }): string {
  return service;
}

function describe(holder: PortHolder, claim: Claim | null, snapshot: Snapshot): string {
  const who = describeHolder(holder, snapshot) ?? 'a process that cannot be seen';
  const where = holder.process && snapshot.details.cwd(holder.process);
  const place = where ? ` in ${where}` : '';
  const user = holder.uid === null ? '' : `, of ${userName(holder.uid)}`;
  const nameless = 'a process of this project that no service is known for';
  const ours = claim ? `${claim.service ? `our own service ${claim.service}` : nameless}: ` : '';
  return `${ours}${who}${place}${user}`;
}

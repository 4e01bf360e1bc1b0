import { linuxBootId } from '../processes/boot-id.ts';
import { monotonicMs } from '../processes/clock.ts';
import { asObject, isListOf, isText } from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { Engine, type EngineAnswer } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import { COMPOSE_PROJECT_LABEL, type ContainerMarks, isOurs } from './labels.ts';
import { marksOf } from './marks.ts';
import { judgeContainers } from './readiness.ts';
import {
  type ContainersRecord,
  readContainersRecord,
  readKnownName,
  readSeen,
  writeSeen,
} from './record.ts';
import type { ContainerStatus, ContainersStatus } from './report.ts';

/** Longest time that a look waits for an engine, in ms. */
const LOOK_MS = 1_000;

/**
 * Describes the containers of a project. Where the engine gives no answer in a second, it is the last one that it gave.
 *
 * @param without the compose services without which services run, where the engine had none of them
 * @returns null where there are none, and never were any that anybody remembers
 */
export async function lookAtContainers(
  folder: ProjectFolder,
  env: Readonly<Record<string, string | undefined>>,
  without: readonly string[],
): Promise<ContainersStatus | null> {
  const read = readContainersRecord(folder);
  const record = read.kind === 'record' ? read.record : null;
  const engine = new Engine({
    env,
    place: record?.engine ?? null,
    // A look must not be ended by a stop beside it.
    cookie: null,
    untilMs: monotonicMs() + LOOK_MS,
    nowMs: monotonicMs,
  });
  const marks = marksOf(folder);
  const found = await findAll(engine, folder, marks, record);
  if (found.kind === 'answer') {
    if (found.value.length === 0 && record === null)
      return doneWithout('the engine has no container of this project', without);
    const list = found.value.map((one) => toStatus(one, marks, record));
    if (record) writeSeen(folder, { atMs: Date.now(), list });
    const missing = missingServices(record, found.value);
    return {
      engine: engine.endpoint,
      remote: engine.isRemote,
      ageMs: 0,
      why: missing.length > 0 ? `not there any more: ${missing.join(', ')}` : null,
      list,
      healthy: missing.length === 0 && isHealthy(found.value),
    };
  }
  const seen = readSeen(folder, isStatus);
  if (record === null && seen === null) return doneWithout(found.failure.why, without);
  return {
    engine: record?.engine.endpoint ?? null,
    remote: engine.isRemote,
    ageMs: seen ? Math.max(0, Date.now() - seen.atMs) : 0,
    why: found.failure.why,
    list: seen?.list ?? [],
    healthy: false,
  };
}

/** The status of a project whose services run without containers; null where they need none. */
function doneWithout(reason: string, without: readonly string[]): ContainersStatus | null {
  if (without.length === 0) return null;
  const why = `${reason}; services run without ${without.join(', ')}, because "required" is false`;
  return { engine: null, remote: false, ageMs: 0, why, list: [], healthy: true };
}

/** Ours, and those of the compose project that somebody else has started. */
async function findAll(
  engine: Engine,
  folder: ProjectFolder,
  marks: ContainerMarks,
  record: ContainersRecord | null,
): Promise<EngineAnswer<readonly EngineContainer[]>> {
  const known = readKnownName(folder);
  const name = record?.composeProject ?? (known === 'copied' ? undefined : known?.name);
  // The endpoint of an engine of no record is only for show, and asking for it takes a process more.
  const ours = await engine.findOurs(marks);
  if (ours.kind === 'failure' || name === undefined || ours.value.length > 0) return ours;
  return engine.findBy(`label=${COMPOSE_PROJECT_LABEL}=${name}`);
}

function missingServices(
  record: ContainersRecord | null,
  found: readonly EngineContainer[],
): readonly string[] {
  const there = new Set(found.map(({ id }) => id));
  const services = new Set(found.map(({ service }) => service));
  return (record?.containers ?? [])
    .filter(({ id, service }) => !there.has(id) && !services.has(service))
    .map(({ service }) => service);
}

function isHealthy(containers: readonly EngineContainer[]): boolean {
  const services = new Set(containers.map(({ service }) => service));
  return [...services].every(
    (service) =>
      judgeContainers(
        containers.filter((one) => one.service === service),
        null,
      ).kind === 'ready',
  );
}

/** Keeps what a start or a stop has just seen, for a `status` to which the engine gives no answer. */
export function rememberContainers(
  folder: ProjectFolder,
  containers: readonly EngineContainer[],
  marks: ContainerMarks,
  record: ContainersRecord | null,
): void {
  writeSeen(folder, {
    atMs: Date.now(),
    list: containers.map((one) => toStatus(one, marks, record)),
  });
}

function toStatus(
  container: EngineContainer,
  marks: ContainerMarks,
  record: ContainersRecord | null,
): ContainerStatus {
  const { id, name, service, state, health, exitCode, startedAtMs, ports, pid, labels } = container;
  const beganMs = state === 'running' ? startedAtMs : null;
  const isLaterBoot =
    record !== null && process.platform === 'linux' && record.bootId !== linuxBootId();
  const ours = isOurs(labels, marks);
  return {
    service: service ?? name,
    name,
    id,
    state,
    health,
    exitCode: state === 'running' ? null : exitCode,
    uptimeMs: beganMs === null ? null : Math.max(0, Date.now() - beganMs),
    ports,
    pid,
    ours,
    restartedByEngine: ours && state === 'running' && isLaterBoot,
  };
}

function isStatus(value: unknown): value is ContainerStatus {
  const { service, name, id, state, ports } = asObject(value) ?? {};
  return [service, name, id, state].every(isText) && isListOf(ports, isText);
}

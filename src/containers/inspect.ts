import { asObject, isCount, isText } from '../project/field-checks.ts';
import { COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL, type Labels } from './labels.ts';

/** A container, as the engine describes it. */
export interface EngineContainer {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
  /** The compose service and the compose project; null where compose has not made it. */
  readonly service: string | null;
  readonly project: string | null;
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly state: string;
  /** starting, healthy or unhealthy; null where it has no health check. */
  readonly health: string | null;
  readonly exitCode: number | null;
  /** The time that its engine gives it to end, in seconds; null: 10. */
  readonly stopTimeoutS: number | null;
  /** The pid of its first process on the engine's machine; null while it does not run. */
  readonly pid: number | null;
  /** Since the epoch; null: not known, or not yet. */
  readonly createdAtMs: number | null;
  readonly startedAtMs: number | null;
  /** Ports of the engine's machine that it publishes: `5432`, `53/udp`. */
  readonly ports: readonly string[];
  /** Names of volumes that nobody has named: they are of this container alone. */
  readonly anonymousVolumes: readonly string[];
  /** The image that it was made from, for people. */
  readonly image: string;
}

/** Reads the answer of `docker inspect`. Everything else than a container is left out. */
export function parseContainers(json: string): readonly EngineContainer[] {
  return parseList(json).flatMap((fields) => toContainer(fields) ?? []);
}

/** A network or a volume. */
export interface EngineThing {
  /** The id of a network, the name of a volume. */
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
  /** Of a network: the number of containers on it. */
  readonly containers: number;
}

/** Reads the answer of `docker network inspect` and `docker volume inspect`. */
export function parseThings(json: string): readonly EngineThing[] {
  return parseList(json).flatMap((fields) => {
    const name = fields.Name;
    if (!isText(name)) return [];
    const id = isText(fields.Id) ? fields.Id : name;
    const containers = Object.keys(asObject(fields.Containers) ?? {}).length;
    return [{ id, name, labels: toLabels(fields.Labels), containers }];
  });
}

function parseList(json: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value.map((one) => asObject(one) ?? {}) : [];
  } catch {
    return [];
  }
}

function toContainer(fields: Readonly<Record<string, unknown>>): EngineContainer | null {
  const { Id: id, Name: name, Created: created } = fields;
  const state = asObject(fields.State);
  if (!isText(id) || !/^[0-9a-f]{64}$/.test(id) || !isText(name) || !state) return null;
  const config = asObject(fields.Config) ?? {};
  const labels = toLabels(config.Labels);
  const health = asObject(state.Health)?.Status;
  return {
    id,
    name: name.replace(/^\//, ''),
    labels,
    service: labels[COMPOSE_SERVICE_LABEL] ?? null,
    project: labels[COMPOSE_PROJECT_LABEL] ?? null,
    state: isText(state.Status) ? state.Status : 'unknown',
    health: isText(health) && health !== 'none' && health !== '' ? health : null,
    exitCode: isCount(state.ExitCode) ? state.ExitCode : null,
    stopTimeoutS: isCount(config.StopTimeout) ? config.StopTimeout : null,
    pid: isCount(state.Pid) && state.Pid > 0 ? state.Pid : null,
    createdAtMs: timeOf(created),
    startedAtMs: timeOf(state.StartedAt),
    ports: publishedPorts(
      asObject(asObject(fields.HostConfig)?.PortBindings),
      asObject(asObject(fields.NetworkSettings)?.Ports),
    ),
    anonymousVolumes: anonymousVolumes(fields.Mounts),
    image: isText(config.Image) ? config.Image : '',
  };
}

/** The engine writes the year 1 for what never happened. */
function timeOf(value: unknown): number | null {
  const ms = isText(value) ? Date.parse(value) : Number.NaN;
  return ms > 0 ? ms : null;
}

/** The ports that are wished, and those that the engine has chosen. Null entries are of ports that are not published. */
function publishedPorts(
  ...maps: readonly (Readonly<Record<string, unknown>> | null)[]
): readonly string[] {
  const ports = maps.flatMap((map) =>
    Object.entries(map ?? {}).flatMap(([inside, bindings]) => {
      const suffix = inside.endsWith('/udp') ? '/udp' : '';
      if (!Array.isArray(bindings)) return [];
      return bindings.flatMap((binding) => {
        const port = asObject(binding)?.HostPort;
        return isText(port) && /^[1-9]\d*$/.test(port) ? [`${port}${suffix}`] : [];
      });
    }),
  );
  return [...new Set(ports)];
}

function anonymousVolumes(mounts: unknown): readonly string[] {
  if (!Array.isArray(mounts)) return [];
  return mounts.flatMap((mount) => {
    const { Type: type, Name: name } = asObject(mount) ?? {};
    return type === 'volume' && isText(name) && /^[0-9a-f]{64}$/.test(name) ? [name] : [];
  });
}

function toLabels(value: unknown): Labels {
  return Object.fromEntries(
    Object.entries(asObject(value) ?? {}).filter((entry): entry is [string, string] =>
      isText(entry[1]),
    ),
  );
}

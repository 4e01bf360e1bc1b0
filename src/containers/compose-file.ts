import { parseDuration } from '../manifest/units.ts';
import { fieldsOf, tagOf, textOfScalar } from '../plain-values.ts';
import {
  type ComposeThing,
  type Fields,
  type Interpolate,
  joinThings,
  OVERRIDE,
  RESET,
  withoutReset,
} from './compose-things.ts';

/** A compose service, as far as devctl must know it before and after compose does. */
export interface ComposeService {
  readonly name: string;
  /** The fixed name of its container; null: compose makes one. */
  readonly containerName: string | null;
  /** The ports of this machine that it publishes on, as far as they are fixed: `5432`, `53/udp`. */
  readonly hostPorts: readonly string[];
  readonly dependsOn: readonly string[];
  /** `stop_grace_period` in ms; null: that of the engine. */
  readonly graceMs: number | null;
  /** True where it is on the network that compose makes for the project. */
  readonly usesDefaultNetwork: boolean;
  /** Profiles that it belongs to; without one of them it is not started. */
  readonly profiles: readonly string[];
}

/** The names under which compose looks for its file, and for the one that goes over it. */
export const COMPOSE_NAMES: readonly string[] = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yml',
  'docker-compose.yaml',
];
export const COMPOSE_OVERRIDES: readonly string[] = COMPOSE_NAMES.map((name) =>
  name.replace(/\.(ya?ml)$/, '.override.$1'),
);

/** The content of several compose files together. */
export interface ComposeModel {
  /** `version:`, which the override file repeats: compose 1.29 refuses two files whose versions differ. */
  readonly version: string | null;
  /** `name:` of the project. */
  readonly name: string | null;
  readonly services: ReadonlyMap<string, ComposeService>;
  /** Networks and volumes that compose makes or uses for the project, by their names in the files. */
  readonly networks: ReadonlyMap<string, ComposeThing>;
  readonly volumes: ReadonlyMap<string, ComposeThing>;
}

/**
 * Joins what compose files say; later files win.
 *
 * @returns the reason where devctl cannot tell which services there are
 */
export function joinComposeFiles(
  files: readonly unknown[],
  interpolate: Interpolate,
): ComposeModel | { readonly why: string } {
  const maps = files.map(fieldsOf);
  const services = new Map<string, ComposeService>();
  for (const file of maps) {
    // The services of another file would carry no label of ours, so nobody could tell that they are ours.
    if (Object.hasOwn(file, 'include'))
      return { why: '"include" is not supported: name these files in "containers": {"file": […]}' };
    const named = fieldsOf(file.services);
    for (const [name, given] of Object.entries(named)) {
      const tag = tagOf(named, name);
      if (tag === RESET || tag === OVERRIDE) services.delete(name);
      if (tag === RESET) continue;
      const service = withoutReset(fieldsOf(given), fieldsOf(given));
      const after = toService(name, service, interpolate);
      services.set(name, joinService(withoutReplaced(services.get(name), given), after, service));
    }
  }
  if (services.size === 0) return { why: 'it names no "services"' };
  const networks = joinThings(maps, 'networks', interpolate);
  const isOnDefault = [...services.values()].some(({ usesDefaultNetwork }) => usesDefaultNetwork);
  const isMade = isOnDefault && !networks.has('default');
  const last = (key: string): string | null => {
    const found = maps.map((file) => textAt(file, key)).findLast((text) => text !== null);
    return found === undefined || found === null ? null : interpolate(found);
  };
  return {
    version: last('version'),
    name: last('name'),
    services,
    networks: isMade ? new Map([['default', PLAIN], ...networks]) : networks,
    volumes: joinThings(maps, 'volumes', interpolate),
  };
}

/** The network that compose makes without being told. */
const PLAIN: ComposeThing = { isExternal: false, definition: {} };

/** The keys of a compose service, by our names for them. */
const KEYS = {
  containerName: ['container_name'],
  hostPorts: ['ports'],
  dependsOn: ['depends_on'],
  graceMs: ['stop_grace_period'],
  usesDefaultNetwork: ['networks', 'network_mode'],
  profiles: ['profiles'],
} as const satisfies Partial<Record<keyof ComposeService, readonly string[]>>;

/** Takes from a service of earlier files what a later file resets or replaces. */
function withoutReplaced(
  before: ComposeService | undefined,
  given: unknown,
): ComposeService | undefined {
  const service = fieldsOf(given);
  if (!before) return before;
  const empty = toService(before.name, {}, String);
  const replaced = Object.entries(KEYS).flatMap(([field, keys]) =>
    keys.some((key) => [RESET, OVERRIDE].includes(tagOf(service, key) ?? ''))
      ? [[field, empty[field as keyof typeof KEYS]]]
      : [],
  );
  return { ...before, ...Object.fromEntries(replaced) };
}

function toService(name: string, service: Fields, interpolate: Interpolate): ComposeService {
  const containerName = textAt(service, 'container_name');
  const grace = textAt(service, 'stop_grace_period');
  return {
    name,
    containerName: containerName === null ? null : interpolate(containerName),
    hostPorts: itemsAt(service, 'ports').flatMap((port) => hostPortsOf(port, interpolate)),
    dependsOn: keysAt(service, 'depends_on'),
    graceMs: grace === null ? null : goDurationMs(interpolate(grace)),
    usesDefaultNetwork: !hasNetworks(service),
    profiles: keysAt(service, 'profiles'),
  };
}

function joinService(
  before: ComposeService | undefined,
  after: ComposeService,
  given: Fields,
): ComposeService {
  if (!before) return after;
  return {
    name: after.name,
    containerName: after.containerName ?? before.containerName,
    hostPorts: [...new Set([...before.hostPorts, ...after.hostPorts])],
    dependsOn: [...new Set([...before.dependsOn, ...after.dependsOn])],
    graceMs: after.graceMs ?? before.graceMs,
    usesDefaultNetwork: hasNetworks(given) ? after.usesDefaultNetwork : before.usesDefaultNetwork,
    profiles: after.profiles.length > 0 ? after.profiles : before.profiles,
  };
}

function hasNetworks(service: Fields): boolean {
  return Object.hasOwn(service, 'networks') || Object.hasOwn(service, 'network_mode');
}

/**
 * The fixed ports of this machine in an entry of `ports`: "8080:80", "127.0.0.1:5432:5432/tcp", "8000-8002:8000-8002",
 * or `{published: 8080, protocol: udp}`. None for "80": the engine chooses one.
 */
function hostPortsOf(entry: unknown, interpolate: Interpolate): readonly string[] {
  const { published, protocol } = fieldsOf(entry);
  const given = textOfScalar(published);
  if (given !== null) return rangeOf(interpolate(given), textOfScalar(protocol) ?? 'tcp');
  const [addresses = '', suffix = 'tcp'] = interpolate(textOfScalar(entry) ?? '').split('/');
  const host = /^(?:.*:)?(\d+(?:-\d+)?):\d+(?:-\d+)?$/.exec(addresses)?.[1];
  return host === undefined ? [] : rangeOf(host, suffix);
}

/** Most ports of a range that are looked at one by one. */
const MOST_PORTS = 100;

function rangeOf(text: string, protocol: string): readonly string[] {
  const [from = Number.NaN, to = from] = text.split('-').map(Number);
  const count = Math.min(MOST_PORTS, to - from + 1);
  if (!Number.isInteger(from) || from < 1 || from > 65_535 || !(count > 0)) return [];
  const suffix = protocol === 'udp' ? '/udp' : '';
  return Array.from({ length: count }, (_, index) => `${from + index}${suffix}`);
}

function textAt(fields: Fields, key: string): string | null {
  return textOfScalar(fields[key]);
}

function itemsAt(fields: Fields, key: string): readonly unknown[] {
  const value = fields[key];
  return Array.isArray(value) ? value : [];
}

/** A list of names, or the keys of a map. */
function keysAt(fields: Fields, key: string): readonly string[] {
  const names = Object.keys(fieldsOf(fields[key]));
  return [...names, ...itemsAt(fields, key).flatMap((item) => textOfScalar(item) ?? [])];
}

/** Go's durations: "1m30s", "500ms". */
function goDurationMs(text: string): number | null {
  const parts = text.match(/[\d.]+(?:ms|us|ns|h|m|s)/g) ?? [];
  if (parts.length === 0 || parts.join('') !== text) return null;
  return parts.reduce((sum, part) => sum + (parseDuration(part) ?? 0), 0);
}

/** Makes the function that replaces variables in the values of a compose file. */
export function interpolateWith(
  variables: Readonly<Record<string, string | undefined>>,
): Interpolate {
  return (text) =>
    text.replace(
      VARIABLE,
      (all, plain?: string, braced?: string, operator?: string, other = '') => {
        if (all === '$$') return '$';
        const value = variables[plain ?? braced ?? ''];
        const isMissing = operator?.startsWith(':') ? !value : value === undefined;
        if (operator?.endsWith('-')) return isMissing ? other : (value ?? '');
        if (operator?.endsWith('+')) return isMissing ? '' : other;
        return value ?? '';
      },
    );
}

const VARIABLE = /\$\$|\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)(?:(:?[-+?])([^}]*))?\}/g;

/** Orders what a start needs: these compose services with all that they depend on. */
export function withNeeded(model: ComposeModel, names: readonly string[]): readonly string[] {
  const all = new Set(names);
  for (const name of all)
    for (const need of model.services.get(name)?.dependsOn ?? []) all.add(need);
  return [...all];
}

/** The compose services that `up` without names starts. */
export function defaultServices(
  model: ComposeModel,
  profiles: readonly string[],
): readonly string[] {
  return [...model.services.values()]
    .filter(
      (one) => one.profiles.length === 0 || one.profiles.some((name) => profiles.includes(name)),
    )
    .map(({ name }) => name);
}

import { basename, isAbsolute, join, relative, resolve } from 'node:path';
import { readPattern } from '../patterns/pattern.ts';
import { byProtocol, type DeclaredPorts, type Port, parsePort } from '../processes/ports.ts';
import { findManifest, type ManifestPlace, type ManifestQuery, type NoManifest } from './locate.ts';
import { formatProblem, show } from './problem.ts';
import { readTree } from './read.ts';
import type { ProtectionSettings, SweepSettings } from './resolved.ts';
import { entriesOf, itemsOf, scalarOf, type Tree, valueAt } from './tree.ts';

/** The part of a service that `stop` and `status` need when the service has no record. */
export interface OutlinedService extends Required<DeclaredPorts> {
  readonly name: string;
  readonly autostart: boolean;
  /** The names of its ports, where it names them. */
  readonly portNames: ReadonlyMap<Port, string>;
  readonly dependsOn: readonly string[];
  /** The URLs of its http probes, as they are written. */
  readonly http: readonly string[];
}

/** The part of a manifest that `stop` and `status` need. Paths are absolute. */
export interface ManifestContents extends ManifestPlace {
  readonly name: string;
  readonly pidsDir: string;
  readonly logsDir: string;
  readonly services: readonly OutlinedService[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly sweep: SweepSettings;
  readonly protection: ProtectionSettings;
  /** True where the manifest has containers. */
  readonly hasContainers: boolean;
  /** True where services start although the containers cannot be: `"required": false`. */
  readonly startsWithoutContainers: boolean;
  /** True where failures are shown on the desktop: `"notify": "desktop"`. */
  readonly notifiesDesktop: boolean;
}

export type ManifestOutline =
  | ({ readonly kind: 'found' } & ManifestContents)
  /**
   * A part of the manifest could not be read. `why` names the first such part; the other values are as far
   * as they could be read. `sweep` then never reaches beyond the project. It is off when `protect` or the
   * syntax of a file is broken, because the unread part may name processes that the user wants to spare.
   */
  | ({ readonly kind: 'broken'; readonly why: string } & ManifestContents)
  | NoManifest;

/**
 * Reads the manifest without validating it, for commands that must work with any manifest. It needs neither
 * zod nor env files, and takes about a millisecond.
 *
 * 'found' does not mean valid: `loadManifest` validates.
 *
 * @throws DevctlError as `findManifest`
 */
export function readManifestOutline(query: ManifestQuery): ManifestOutline {
  const place = findManifest(query);
  if (place.kind === 'absent') return place;
  const { tree, problems } = readTree(place);
  const misshapen: string[] = [];
  const contents = outline(place, tree ?? undefined, misshapen, problems.length === 0);
  const [why] = [
    ...problems.map((found) => formatProblem(found, place.root)),
    ...misshapen.map((complaint) => `${basename(place.file)}  ${complaint}`),
  ];
  return why === undefined ? { kind: 'found', ...contents } : { kind: 'broken', why, ...contents };
}

/**
 * Takes the values of the right type, and adds a complaint for every other value.
 *
 * @param readable true when every file was well-formed, so that the tree is complete
 */
function outline(
  { file, root, local, trusted }: ManifestPlace,
  tree: Tree | undefined,
  complaints: string[],
  readable: boolean,
): ManifestContents {
  const strings = (...path: string[]) => listOf(tree, path, isText, 'text', complaints);
  const pidsDir = resolve(root, recordsFolder(root, textOf(tree, ['pidsDir'], complaints)));
  const services = [...objectOf(tree, ['services'], complaints)].map((name) => ({
    name,
    autostart: scalarOf(valueAt(tree, 'services', name, 'autostart')) !== false,
    ...portsOf(tree, ['services', name, 'ports'], complaints),
    dependsOn: dependsOn(tree, name),
    http: ['ready', 'live']
      .map((probe) => scalarOf(valueAt(tree, 'services', name, probe, 'http')))
      .filter(isText),
  }));
  const groups: Record<string, readonly string[]> = Object.create(null);
  for (const name of objectOf(tree, ['groups'], complaints)) groups[name] = strings('groups', name);
  return {
    file,
    root,
    local,
    trusted,
    name: textOf(tree, ['name'], complaints) ?? (basename(root) || root),
    pidsDir,
    logsDir: resolve(root, textOf(tree, ['logs', 'dir'], complaints) ?? join(pidsDir, 'logs')),
    services: services.filter(({ name }) => /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/.test(name)),
    groups,
    sweep: outlineSweep(tree, complaints, readable),
    protection: outlineProtection(tree, complaints),
    hasContainers: valueAt(tree, 'containers') !== undefined,
    notifiesDesktop: scalarOf(valueAt(tree, 'notify')) === 'desktop',
    startsWithoutContainers: scalarOf(valueAt(tree, 'containers', 'required')) === false,
  };
}

function outlineSweep(
  tree: Tree | undefined,
  complaints: string[],
  readable: boolean,
): SweepSettings {
  const patterns = patternsOf(tree, ['sweep', 'patterns'], complaints);
  const before = complaints.length;
  const protect = patternsOf(tree, ['sweep', 'protect'], complaints);
  const protectsAll = complaints.length === before;
  const scope = scalarOf(valueAt(tree, 'sweep', 'scope')) ?? 'project';
  if (scope !== 'project' && scope !== 'user' && scope !== 'off')
    complaints.push('sweep.scope: expected "project", "user" or "off"');
  if (scope === 'off' || !protectsAll || !readable) return { patterns, scope: 'off', protect };
  return {
    patterns,
    scope: scope === 'user' && complaints.length === 0 ? 'user' : 'project',
    protect,
  };
}

function outlineProtection(tree: Tree | undefined, complaints: string[]): ProtectionSettings {
  const byEnvironment = valueAt(tree, 'protectByEnvironment');
  if (byEnvironment !== undefined && typeof scalarOf(byEnvironment) !== 'boolean')
    complaints.push('protectByEnvironment: expected true or false');
  return {
    patterns: patternsOf(tree, ['protect'], complaints),
    byEnvironment: scalarOf(byEnvironment) === true,
  };
}

/** Leaves out the patterns that are refused, and names them. */
function patternsOf(
  tree: Tree | undefined,
  path: readonly string[],
  complaints: string[],
): readonly string[] {
  const matchesAll = path.join('.') !== 'sweep.protect';
  return listOf(tree, path, isText, 'patterns', complaints).filter((source) => {
    const reading = readPattern(source);
    const why =
      reading.kind !== 'pattern'
        ? reading.why
        : matchesAll && reading.pattern.test('') !== false
          ? 'matches every command line'
          : null;
    if (why !== null) complaints.push(`${path.join('.')}: ${show(source)} ${why}`);
    return why === null;
  });
}

/** Reads a list of ports, or an object of names for ports. Any other port is missing, and a complaint. */
function portsOf(
  tree: Tree | undefined,
  path: readonly string[],
  complaints: string[],
): Pick<OutlinedService, 'ports' | 'udpPorts' | 'portNames'> {
  const found = valueAt(tree, ...path);
  const values: readonly (readonly [unknown, string | null])[] =
    found?.kind === 'object'
      ? [...entriesOf(found)].map(([name, { value }]) => [scalarOf(value), name])
      : itemsOf(found).map((item) => [scalarOf(item), null]);
  const ports = values.flatMap(([value, name]) => {
    const port = parsePort(value);
    return port === null ? [] : [[port, name] as const];
  });
  const isOfPorts = found?.kind === 'object' || found?.kind === 'list';
  if (found !== undefined && (!isOfPorts || ports.length < values.length))
    complaints.push(`${path.join('.')}: expected ports`);
  const named = ports.flatMap(([port, name]) => (name === null ? [] : [[port, name] as const]));
  return { ...byProtocol(ports.map(([port]) => port)), portNames: new Map(named) };
}

function dependsOn(tree: Tree | undefined, service: string): readonly string[] {
  const value = valueAt(tree, 'services', service, 'dependsOn');
  return [...itemsOf(value).map(scalarOf).filter(isText), ...entriesOf(value).keys()];
}

function textOf(
  tree: Tree | undefined,
  path: readonly string[],
  complaints: string[],
): string | undefined {
  const found = valueAt(tree, ...path);
  const text = scalarOf(found);
  if (isText(text)) return text;
  if (found !== undefined) complaints.push(`${path.join('.')}: expected text`);
  return undefined;
}

function objectOf(
  tree: Tree | undefined,
  path: readonly string[],
  complaints: string[],
): Iterable<string> {
  const found = valueAt(tree, ...path);
  if (found !== undefined && found.kind !== 'object')
    complaints.push(`${path.join('.')}: expected an object`);
  return entriesOf(found).keys();
}

function listOf<Item>(
  tree: Tree | undefined,
  path: readonly string[],
  isItem: (value: unknown) => value is Item,
  items: string,
  complaints: string[],
): readonly Item[] {
  const found = valueAt(tree, ...path);
  const values: readonly unknown[] = itemsOf(found).map(scalarOf);
  if (found !== undefined && (found.kind !== 'list' || !values.every(isItem)))
    complaints.push(`${path.join('.')}: expected a list of ${items}`);
  return values.filter(isItem);
}

/**
 * Picks the records folder. Like the validation, it refuses the folder of the project and the folders above
 * it.
 */
function recordsFolder(root: string, dir: string | undefined): string {
  const inside = dir === undefined ? '' : relative(resolve(root, dir), root);
  return dir !== undefined && (inside.startsWith('..') || isAbsolute(inside)) ? dir : '.pids';
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

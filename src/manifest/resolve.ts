import { basename, join, relative, resolve } from 'node:path';
import { byProtocol, parsePort } from '../processes/ports.ts';
import { resolveContainers, splitDependencies } from './containers/settings.ts';
import { definitionOf } from './definition.ts';
import { expandEnvFile, type Variables } from './env-expand.ts';
import type { ParsedEnvFile } from './env-grammar.ts';
import { resolveProjectLimits, resolveResources, resolveServiceLimits } from './limits.ts';
import type { ManifestPlace } from './locate.ts';
import { type Problem, problem } from './problem.ts';
import type {
  EnvFinding,
  LivenessProbe,
  Notify,
  ReadinessProbe,
  ResolvedManifest,
  ResolvedService,
  RestartPolicy,
} from './resolved.ts';
import type { Manifest, ManifestService } from './schema.ts';
import { parseHttpTarget, parseTcpTarget } from './schema-probe.ts';
import { entriesOf, keyPositionOf, scalarOf, type Tree, valueAt } from './tree.ts';

const DEFAULT_GRACE_MS = 3_000;
const DEFAULT_SETTLE_MS = 1_000;
const DEFAULT_KEPT_LOGS = 5;
const DEFAULT_READY_TIMEOUT_MS = 30_000;
const DEFAULT_READY_INTERVAL_MS = 250;
const DEFAULT_LIVE_INTERVAL_MS = 10_000;
const DEFAULT_FAILURES = 3;
const DEFAULT_RESTART: RestartPolicy = {
  policy: 'no',
  maxRestarts: 10,
  windowMs: 600_000,
  backoffMs: 500,
  maxBackoffMs: 30_000,
  resetAfterMs: 60_000,
  successExitCodes: [0],
};

/** The input of `resolveManifest`. */
export interface ManifestParts {
  readonly place: ManifestPlace;
  /** Valid by the schema, and without a part that this version does not support. */
  readonly manifest: Manifest;
  /** The tree from which `manifest` was made. */
  readonly tree: Tree;
  /** The env files by absolute path. */
  readonly envFiles: ReadonlyMap<string, ParsedEnvFile>;
  /** The environment of the caller, for `$NAME` in env files. */
  readonly callerEnv: Variables;
}

/** Fills in every default and makes every path absolute. The objects of the result have no prototype. */
export function resolveManifest(parts: ManifestParts): ResolvedManifest {
  const { place, manifest } = parts;
  const { root, file } = place;
  const pidsDir = resolve(root, manifest.pidsDir ?? '.pids');
  const ofProject = environmentOf(parts, manifest.envFile, ['env'], {});
  const environments = mapValues(manifest.services, ({ envFile }, name) =>
    environmentOf(parts, envFile, ['services', name, 'env'], ofProject.env),
  );
  const services = mapValues(manifest.services, (service, name) =>
    resolveService(parts, name, service, environments[name]?.env ?? {}),
  );
  const { patterns = [], scope = 'project', protect = [] } = manifest.sweep ?? {};
  return deepFreeze({
    file,
    root,
    name: manifest.name ?? (basename(root) || root),
    env: ofProject.env,
    envFindings: [
      ...findingsOf(null, ofProject),
      ...Object.entries(environments).flatMap(([name, one]) => findingsOf(name, one)),
    ],
    services,
    definitions: mapValues(manifest.services, (_service, name) =>
      definitionOf(parts.tree, name, root, parts.envFiles),
    ),
    groups: mapValues(manifest.groups ?? {}, (members) => [...members]),
    sweep: { patterns, scope, protect },
    protection: {
      patterns: manifest.protect ?? [],
      byEnvironment: manifest.protectByEnvironment ?? false,
    },
    pidsDir,
    logsDir:
      manifest.logs?.dir === undefined ? join(pidsDir, 'logs') : resolve(root, manifest.logs.dir),
    logRotation:
      manifest.logs?.maxSize === undefined
        ? null
        : { maxSize: manifest.logs.maxSize, keep: manifest.logs.keep ?? DEFAULT_KEPT_LOGS },
    containment: manifest.containment ?? 'auto',
    containers: resolveContainers(
      place,
      parts.tree,
      manifest.containers,
      mapValues(
        manifest.services,
        ({ dependsOn }) => dependenciesOf(dependsOn ?? [], manifest).containers,
      ),
    ),
    notify: resolveNotify(manifest.notify),
    limits: resolveProjectLimits(manifest.limits),
  });
}

/** The manifest of a project that has none: no services, and no sweep, because nobody has said what belongs to the project. */
export function bareManifest(root: string, pidsDir: string): ResolvedManifest {
  const manifest: Manifest = { services: {}, sweep: { scope: 'off' }, pidsDir };
  return resolveManifest({ ...withoutTree(root), manifest });
}

/** A service that the command line defines, with the defaults of the manifest. */
export function resolveAdHoc(
  { root, env }: Pick<ResolvedManifest, 'root' | 'env'>,
  name: string,
  command: ResolvedService['command'],
  cwd: string,
): ResolvedService {
  const parts = { ...withoutTree(root), manifest: { services: {} } };
  const given = typeof command === 'string' ? command : [...command];
  const service = resolveService(parts, name, { command: given, cwd }, env);
  return { ...service, definedAt: 'on the command line', adHoc: true };
}

function withoutTree(root: string): Omit<ManifestParts, 'manifest'> {
  const file = resolve(root, '.devctl.json');
  const tree: Tree = { kind: 'object', at: { file, line: 1, column: 1 }, entries: new Map() };
  const place = { kind: 'found', file, root, local: null, trusted: true } as const;
  return { place, tree, envFiles: new Map(), callerEnv: {} };
}

function resolveService(
  parts: ManifestParts,
  name: string,
  service: ManifestService,
  env: Readonly<Record<string, string>>,
): ResolvedService {
  const { place, manifest, tree } = parts;
  const placeOf = (path: readonly string[]): string => {
    const { file, line } = keyPositionOf(tree, path);
    return `${relative(place.root, file)}:${line}`;
  };
  const { ports, udpPorts } = byProtocol(
    Object.values(service.ports ?? []).flatMap((port) => parsePort(port) ?? []),
  );
  const cwd = resolve(place.root, service.cwd ?? '.');
  const { stopped, ...on } = service.on ?? {};
  return {
    name,
    command: service.command,
    cwd,
    env,
    ports,
    udpPorts,
    dependsOn: dependenciesOf(service.dependsOn ?? [], manifest).services,
    ready: resolveReady(service, ports, cwd),
    settleMs: service.settle ?? manifest.settle ?? DEFAULT_SETTLE_MS,
    live: service.live === undefined ? null : resolveLive(service.live),
    restart: resolveRestart(service.restart),
    stop: {
      signal: service.stop?.signal ?? 'SIGTERM',
      graceMs: service.stop?.grace ?? manifest.stopGrace ?? DEFAULT_GRACE_MS,
      command: service.stop?.command ?? null,
      ...(stopped === undefined ? {} : { stopped }),
    },
    on: definedOnly(on),
    limits: resolveServiceLimits(service.limits),
    resources: resolveResources(service.limits),
    autostart: service.autostart ?? true,
    stdin: service.stdin ?? 'fifo',
    tty: service.tty ?? false,
    color: service.color ?? manifest.color ?? 'auto',
    oneShot: service.oneShot ?? false,
    definedAt: placeOf(['services', name]),
    ...(service.ports === undefined ? {} : { portsAt: placeOf(['services', name, 'ports']) }),
  };
}

/** Leaves out the keys that are undefined. */
function definedOnly<Value>(
  values: Readonly<Record<string, Value | undefined>>,
): Readonly<Record<string, Value>> {
  const given = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  );
  return Object.fromEntries(given);
}

function resolveNotify(notify: Manifest['notify']): Notify | null {
  if (notify === undefined) return null;
  return notify === 'desktop' ? notify : { command: notify };
}

function resolveRestart(restart: ManifestService['restart']): RestartPolicy {
  if (restart === undefined) return DEFAULT_RESTART;
  if (typeof restart === 'string') return { ...DEFAULT_RESTART, policy: restart };
  const backoffMs = restart.backoff ?? DEFAULT_RESTART.backoffMs;
  return {
    policy: restart.policy,
    maxRestarts: restart.maxRestarts ?? DEFAULT_RESTART.maxRestarts,
    windowMs: restart.window ?? DEFAULT_RESTART.windowMs,
    backoffMs,
    maxBackoffMs: restart.maxBackoff ?? Math.max(backoffMs, DEFAULT_RESTART.maxBackoffMs),
    resetAfterMs: restart.resetAfter ?? DEFAULT_RESTART.resetAfterMs,
    successExitCodes: restart.successExitCodes ?? DEFAULT_RESTART.successExitCodes,
  };
}

/**
 * Resolves the conditions of dependencies, on services and on compose services. For a task, "ready" means "completed",
 * because a task is never ready for longer than it runs.
 */
function dependenciesOf(
  dependsOn: NonNullable<ManifestService['dependsOn']>,
  { services }: Manifest,
): ReturnType<typeof splitDependencies> {
  if (Object.keys(dependsOn).length === 0) return splitDependencies({}, new Set());
  const conditions = Array.isArray(dependsOn)
    ? Object.fromEntries(dependsOn.map((name) => [name, 'ready' as const]))
    : dependsOn;
  const resolved = mapValues(conditions, (condition, name) =>
    condition === 'ready' && services[name]?.oneShot === true ? ('completed' as const) : condition,
  );
  return splitDependencies(resolved, new Set(Object.keys(services)));
}

/** The probe of a service; without one, its TCP ports are asked. */
function resolveReady(
  { ready, oneShot }: ManifestService,
  declared: readonly number[],
  cwd: string,
): ReadinessProbe | null {
  const isAsked = declared.length > 0 && oneShot !== true;
  const probe = ready ?? (isAsked ? { ports: [...declared] } : 'spawned');
  if (probe === 'spawned') return null;
  const { delay, timeout, interval, ports, file, attemptTimeout = null, recheck = null } = probe;
  const timeoutMs =
    timeout ?? Math.max(DEFAULT_READY_TIMEOUT_MS, (delay ?? 0) + DEFAULT_READY_INTERVAL_MS);
  const intervalMs = interval ?? DEFAULT_READY_INTERVAL_MS;
  const rest = { timeoutMs, intervalMs, attemptTimeoutMs: attemptTimeout, recheckMs: recheck };
  if (delay !== undefined) return { check: { kind: 'delay', delayMs: delay }, ...rest };
  if (ports !== undefined) return { check: { kind: 'ports', ports }, ...rest };
  if (file !== undefined) return { check: { kind: 'file', path: resolve(cwd, file) }, ...rest };
  return { check: resolveCheck(probe), ...rest };
}

function resolveLive(probe: NonNullable<ManifestService['live']>): LivenessProbe {
  const check = resolveCheck(probe);
  const { timeout, interval, failures } = probe;
  return {
    check,
    timeoutMs: timeout ?? (check.kind === 'exec' ? 30_000 : 5_000),
    intervalMs: interval ?? DEFAULT_LIVE_INTERVAL_MS,
    failures: failures ?? DEFAULT_FAILURES,
  };
}

function resolveCheck(probe: NonNullable<ManifestService['live']>): LivenessProbe['check'] {
  const { http, tcp, log, exec, owner = 'service', body = null, method = 'GET' } = probe;
  const url = http === undefined ? null : parseHttpTarget(http);
  const target = tcp === undefined ? null : parseTcpTarget(tcp);
  if (url !== null) {
    const status = typeof probe.status === 'number' ? [probe.status] : (probe.status ?? []);
    return { kind: 'http', ...url, status, body, method, headers: probe.headers ?? {}, owner };
  }
  if (target !== null) return { kind: 'tcp', target, owner };
  if (log !== undefined) return { kind: 'log', pattern: log };
  if (exec !== undefined) return { kind: 'exec', command: exec };
  throw new Error('a probe without a kind has passed the schema');
}

/** The variables of the project or of a service, and what is wrong with its env files. */
interface Environment {
  readonly env: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly notes: readonly Problem[];
}

/**
 * Merges variables: those of `before`, then the env files in their order, then `env`. Later variables win.
 */
function environmentOf(
  { place, tree, envFiles, callerEnv, manifest }: ManifestParts,
  files: string | readonly string[] | undefined,
  envPath: readonly string[],
  before: Readonly<Record<string, string>>,
): Environment {
  const env: Record<string, string> = Object.assign(Object.create(null), before);
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const notes: Problem[] = [];
  const fileOf = new Map<string, string>();
  const isShared = (file: string): boolean =>
    Object.values(manifest.services).filter(({ envFile }) => [envFile].flat().includes(file))
      .length > 1;
  for (const name of typeof files === 'string' ? [files] : (files ?? [])) {
    const file = envFiles.get(resolve(place.root, name));
    if (!file) continue;
    const expanded = expandEnvFile(file, [env, callerEnv]);
    Object.assign(env, expanded.variables);
    for (const variable of Object.keys(expanded.variables)) fileOf.set(variable, name);
    problems.push(...file.problems, ...expanded.problems);
    warnings.push(...expanded.warnings);
  }
  // Taken from the tree, because zod drops a variable called __proto__.
  for (const [name, { value }] of entriesOf(valueAt(tree, ...envPath))) {
    const text = String(scalarOf(value));
    const file = fileOf.get(name);
    // Services that read one file each need a port of their own.
    const isOwnPort = name === 'PORT' && file !== undefined && isShared(file);
    if (file !== undefined && env[name] !== text && !isOwnPort) {
      const message = `hides ${name} of ${file}, which has another value: a change of it there has no effect`;
      notes.push(problem(value.at, [...envPath, name], message));
    }
    env[name] = text;
  }
  return { env, problems, warnings, notes };
}

function findingsOf(
  service: string | null,
  { problems, warnings, notes }: Environment,
): EnvFinding[] {
  return [
    ...problems.map((found) => ({ service, severity: 'problem' as const, found })),
    ...warnings.map((found) => ({ service, severity: 'warning' as const, found })),
    ...notes.map((found) => ({ service, severity: 'note' as const, found })),
  ];
}

function mapValues<In, Out>(
  record: Readonly<Record<string, In>>,
  change: (value: In, key: string) => Out,
): Readonly<Record<string, Out>> {
  const changed: Record<string, Out> = Object.create(null);
  for (const [key, value] of Object.entries(record)) changed[key] = change(value, key);
  return changed;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

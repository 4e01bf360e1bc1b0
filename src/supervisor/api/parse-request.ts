import { isAbsolute } from 'node:path';
import type {
  HoldRequest,
  LeaseRequest,
  LimitsRequest,
  StandDownRequest,
  StartRequest,
  StopCommandRequest,
  SupervisedStopRequest,
} from '../../client/protocol.ts';
import { isLease } from '../../leases/file.ts';
import { isLimitKind, type Limit } from '../../manifest/resolved.ts';
import { asObject, isCount, isListOf, isServiceName, isText } from '../../project/field-checks.ts';
import { isLogRotation, isStopSettings } from '../../project/record-checks.ts';
import { BadRequest } from './server.ts';

/**
 * What callers of the API must send, checked before anything is done: a request that is half right must
 * not leave services half changed. Only our own user can call, so this is against mistakes, not attacks.
 */

/** @throws BadRequest */
export function toStartRequest(body: unknown): StartRequest {
  const fields = asObject(body);
  const { services, running = [], env, logsDir, logRotation, containment } = fields ?? {};
  const { lease = null, limits } = fields ?? {};
  const isWhole =
    isListOf(services, isService) &&
    isListOf(running, isService) &&
    isEnvironment(env) &&
    isAbsolutePath(logsDir) &&
    (logRotation === null || isLogRotation(logRotation)) &&
    (containment === 'auto' || containment === 'cgroup' || containment === 'none') &&
    (lease === null || isLeaseRequest(lease)) &&
    isProjectLimits(limits);
  if (!isWhole) throw new BadRequest('not a request to start services');
  return { ...fields, services, running, env, logsDir, logRotation, containment, lease, limits };
}

/** @throws BadRequest */
export function toStandDownRequest(body: unknown): StandDownRequest {
  const names = asObject(body)?.names;
  if (!isNames(names)) throw new BadRequest('not a request to stand down');
  return { names };
}

/** @throws BadRequest */
export function toStopRequest(body: unknown): SupervisedStopRequest {
  const { names, sweep, declared, force, graceMs } = asObject(body) ?? {};
  const isWhole =
    isNames(names) &&
    isSweep(sweep) &&
    isListOf(declared, isDeclared) &&
    typeof force === 'boolean' &&
    (graceMs === null || (typeof graceMs === 'number' && graceMs >= 0));
  if (!isWhole) throw new BadRequest('not a request to stop services');
  return { names, sweep, declared, force, graceMs };
}

/** @throws BadRequest */
export function toHoldRequest(body: unknown): HoldRequest {
  return { ...toStopRequest(body), ...toReleaseRequest(body) };
}

/** @throws BadRequest */
export function toReleaseRequest(body: unknown): Pick<HoldRequest, 'id'> {
  const id = asObject(body)?.id;
  if (!isText(id) || id === '') throw new BadRequest('not a hold');
  return { id };
}

/** @throws BadRequest */
export function toStopCommandRequest(body: unknown): StopCommandRequest {
  const { service, env } = asObject(body) ?? {};
  if (!isServiceName(service) || !isEnvironment(env)) {
    throw new BadRequest('not a request to run a stop command');
  }
  return { service, env };
}

function isLeaseRequest(value: unknown): value is LeaseRequest {
  const { lease, manifest } = asObject(value) ?? {};
  return isLease(lease) && isAbsolutePath(manifest);
}

function isService(value: unknown): value is StartRequest['services'][number] {
  const fields = asObject(value);
  if (!fields) return false;
  const {
    name,
    command,
    cwd,
    env,
    ports,
    dependsOn,
    ready,
    live,
    restart,
    stop,
    autostart,
    stdin,
  } = fields;
  return (
    isServiceName(name) &&
    (isText(command) || (isListOf(command, isText) && command.length > 0)) &&
    isAbsolutePath(cwd) &&
    isEnvironment(env) &&
    isListOf(ports, isCount) &&
    isEnvironment(dependsOn) &&
    (ready === null || asObject(asObject(ready)?.check) !== null) &&
    (live === null || asObject(asObject(live)?.check) !== null) &&
    isRestartPolicy(restart) &&
    isStopSettings(stop) &&
    isListOf(fields.limits, isLimit) &&
    isResourceLimits(fields.resources) &&
    typeof autostart === 'boolean' &&
    (stdin === 'fifo' || stdin === 'null') &&
    typeof fields.oneShot === 'boolean' &&
    isText(fields.definedAt)
  );
}

function isRestartPolicy(value: unknown): boolean {
  const { policy, successExitCodes, ...counts } = asObject(value) ?? {};
  const { maxRestarts, windowMs, backoffMs, maxBackoffMs, resetAfterMs } = counts;
  return (
    (policy === 'no' || policy === 'on-failure' || policy === 'always') &&
    [maxRestarts, windowMs, backoffMs, maxBackoffMs, resetAfterMs].every(isCount) &&
    isListOf(successExitCodes, isCount)
  );
}

function isProjectLimits(value: unknown): value is LimitsRequest {
  const { limits, manifest } = asObject(value) ?? {};
  return isListOf(limits, isLimit) && (manifest === null || isAbsolutePath(manifest));
}

function isLimit(value: unknown): value is Limit {
  const { kind, allowed, windowMs, action } = asObject(value) ?? {};
  return (
    isLimitKind(kind) &&
    typeof allowed === 'number' &&
    allowed > 0 &&
    isCount(windowMs) &&
    (action === 'warn' || action === 'stop' || action === 'restart')
  );
}

function isResourceLimits(value: unknown): boolean {
  const { openFiles, core } = asObject(value) ?? {};
  return (
    (openFiles === null || isCount(openFiles)) &&
    (core === null || core === 'unlimited' || isCount(core))
  );
}

function isSweep(value: unknown): value is SupervisedStopRequest['sweep'] {
  const { patterns, scope, protect } = asObject(value) ?? {};
  const isScope = scope === 'project' || scope === 'user' || scope === 'off';
  return isScope && isListOf(patterns, isPattern) && isListOf(protect, isPattern);
}

function isDeclared(value: unknown): value is SupervisedStopRequest['declared'][number] {
  const { name, ports, log } = asObject(value) ?? {};
  return isServiceName(name) && isListOf(ports, isCount) && isAbsolutePath(log);
}

function isPattern(value: unknown): value is string {
  try {
    return isText(value) && new RegExp(value) instanceof RegExp;
  } catch {
    return false;
  }
}

function isNames(value: unknown): value is readonly string[] | null {
  return value === null || isListOf(value, isText);
}

function isEnvironment(value: unknown): value is Readonly<Record<string, string>> {
  const fields = asObject(value);
  return fields !== null && Object.values(fields).every(isText);
}

function isAbsolutePath(value: unknown): value is string {
  return isText(value) && isAbsolute(value);
}

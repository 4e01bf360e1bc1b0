import { constants } from 'node:os';
import { isAbsolute } from 'node:path';
import type { ProtectionSettings, StopSettings } from '../manifest/resolved.ts';
import {
  asObject,
  isCount,
  isIdentity,
  isLabel,
  isListOf,
  isRunId,
  isServiceName,
  isText,
} from './field-checks.ts';
import type { JsonFields } from './json-record.ts';
import type { Exit, LogRotation, ServiceRecord, ServiceState } from './service-record.ts';

type Check = (value: unknown) => boolean;

/** One check for each field, so that a new field of the record does not compile without one. */
const FIELDS: { readonly [Field in keyof ServiceRecord]-?: Check } = {
  schema: (value) => value === 1,
  service: isServiceName,
  project: isAbsolutePath,
  projectId: (value) => value === undefined || isRunId(value),
  runId: isRunId,
  state: (value) => isText(value) && Object.hasOwn(STATES, value),
  reason: orNull(isText),
  bootId: isLabel,
  pidNamespace: isLabel,
  intentTicks: isCount,
  leader: orNull(isIdentity),
  supervisor: isIdentity,
  guard: orNull(isIdentity),
  subreaper: isBoolean,
  cgroup: orNull(isRecordedGroup),
  command: isCommand,
  cwd: isText,
  ports: (value) => isListOf(value, isPort),
  udpPorts: (value) => value === undefined || isListOf(value, isPort),
  readyPorts: (value) => value === undefined || isListOf(value, isPort),
  dependsOn: (value) => isListOf(value, isServiceName),
  stop: isStopSettings,
  protection: (value) => value === undefined || isProtection(value),
  definition: (value) => value === undefined || isRecordedDefinition(value),
  log: isAbsolutePath,
  logFrom: (value) => value === undefined || isCount(value),
  logRotation: (value) => value === undefined || value === null || isLogRotation(value),
  stdin: orNull(isAbsolutePath),
  terminal: (value) => value === undefined || isTerminal(value),
  startedAt: isText,
  readyAt: orNull(isText),
  exitedAt: orNull(isText),
  exit: orNull(isExit),
  restarts: isCount,
  daemon: (value) => value === undefined || isBoolean(value),
  blockedBy: (value) => value === undefined || isListOf(value, isText),
  oneShot: (value) => value === undefined || isBoolean(value),
  adHoc: (value) => value === undefined || isBoolean(value),
  once: (value) => value === undefined || isBoolean(value),
  oneOff: isOneOff,
};

const STATES: { readonly [State in ServiceState]: true } = {
  starting: true,
  running: true,
  ready: true,
  unhealthy: true,
  backoff: true,
  exited: true,
  failed: true,
  stopping: true,
};

/**
 * Checks every field of a service record. Unknown fields are dropped.
 *
 * @returns the record, or in words why the fields are not one
 */
export function toServiceRecord(fields: JsonFields): ServiceRecord | string {
  const bad = Object.entries(FIELDS).find(([field, check]) => !check(fields[field]));
  if (bad) return `field "${bad[0]}" is missing or malformed`;
  const known = Object.keys(FIELDS).flatMap((field) =>
    fields[field] === undefined ? [] : [[field, fields[field]]],
  );
  return Object.fromEntries(known) as ServiceRecord;
}

/** True for the patterns as they were given. A later devctl may know patterns that this one refuses. */
function isProtection(value: unknown): value is ProtectionSettings {
  const fields = asObject(value);
  return fields !== null && isListOf(fields.patterns, isText) && isBoolean(fields.byEnvironment);
}

/** True for valid stop settings of a service. */
function isStopSettings(value: unknown): value is StopSettings {
  const fields = asObject(value);
  return (
    fields !== null &&
    isText(fields.signal) &&
    Object.hasOwn(constants.signals, fields.signal) &&
    Number.isFinite(fields.graceMs) &&
    (fields.graceMs as number) >= 0 &&
    (fields.command === null || isCommand(fields.command)) &&
    (fields.stopped === undefined || isCommand(fields.stopped))
  );
}

function isExit(value: unknown): value is Exit {
  const fields = asObject(value);
  if (!fields) return false;
  return (
    (fields.code === null || Number.isSafeInteger(fields.code)) &&
    (fields.signal === null || isText(fields.signal))
  );
}

/** True for valid settings of a log rotation. */
function isLogRotation(value: unknown): value is LogRotation {
  const { maxSize, keep } = asObject(value) ?? {};
  return isCount(maxSize) && maxSize > 0 && isCount(keep);
}

function isRecordedGroup(value: unknown): boolean {
  const fields = asObject(value);
  if (!fields || !isAbsolutePath(fields.path) || !isBoolean(fields.held)) return false;
  return fields.view === undefined || isText(fields.view);
}

/** True for a terminal of Linux, because others are never made. */
function isTerminal(value: unknown): boolean {
  const fields = asObject(value);
  return (
    fields !== null &&
    isIdentity(fields.session) &&
    isIdentity(fields.holder) &&
    isText(fields.path) &&
    /^\/dev\/pts\/\d{1,9}$/.test(fields.path)
  );
}

/** True for a definition in any format, because a later devctl may write another one. */
function isRecordedDefinition(value: unknown): boolean {
  return isCount(asObject(value)?.format);
}

function isOneOff(value: unknown): boolean {
  return value === undefined || isBoolean(asObject(value)?.terminal);
}

function isCommand(value: unknown): boolean {
  return isText(value) || isListOf(value, isText);
}

function isPort(value: unknown): value is number {
  return isCount(value) && value > 0 && value <= 65_535;
}

function isAbsolutePath(value: unknown): boolean {
  return isText(value) && isAbsolute(value);
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

import type {
  HoldRequest,
  StandDownRequest,
  StartRequest,
  StopCommandRequest,
  SupervisedStopRequest,
} from '../../client/protocol.ts';
import { asObject, isListOf, isServiceName, isText } from '../../project/field-checks.ts';
import { BadRequest } from './server.ts';

/**
 * Checks the outline of requests: is this what the route takes? Only our own client calls, for the same user and in the
 * same version, and it has checked the manifest. So this is against mistakes, not against attacks.
 */

/** @throws BadRequest */
export function toStartRequest(body: unknown): StartRequest {
  return withOutline<StartRequest>(body, 'a request to start services', {
    services: isServices,
    running: (value) => value === undefined || isServices(value),
    env: isObject,
    onTerminal: (value) => value === undefined || typeof value === 'boolean',
    logsDir: isText,
    logRotation: (value) => value === null || isObject(value),
    containment: isText,
    protection: isObject,
    limits: isObject,
    notify: (value) => value === undefined || isObject(value),
  });
}

/** @throws BadRequest */
export function toStandDownRequest(body: unknown): StandDownRequest {
  return withOutline<StandDownRequest>(body, 'a request to stand down', { names: isNames });
}

/** @throws BadRequest */
export function toStopRequest(body: unknown): SupervisedStopRequest {
  return withOutline<SupervisedStopRequest>(body, 'a request to stop services', STOP);
}

/** @throws BadRequest */
export function toHoldRequest(body: unknown): HoldRequest {
  return withOutline<HoldRequest>(body, 'a hold', { ...STOP, id: isText });
}

/** @throws BadRequest */
export function toReleaseRequest(body: unknown): Pick<HoldRequest, 'id'> {
  return withOutline<Pick<HoldRequest, 'id'>>(body, 'the release of a hold', { id: isText });
}

/** @throws BadRequest */
export function toStopCommandRequest(body: unknown): StopCommandRequest {
  return withOutline<StopCommandRequest>(body, 'a request to run a stop command', {
    service: isServiceName,
    env: isObject,
    isHook: (value) => value === undefined || typeof value === 'boolean',
  });
}

type Outline<Request> = { readonly [Field in keyof Request]?: (value: unknown) => boolean };

const STOP: Outline<SupervisedStopRequest> = {
  names: isNames,
  sweep: isObject,
  unprotected: (value) => typeof value === 'boolean',
  declared: Array.isArray,
  force: (value) => typeof value === 'boolean',
  graceMs: (value) => value === null || typeof value === 'number',
};

function withOutline<Request>(body: unknown, what: string, outline: Outline<Request>): Request {
  const fields = asObject(body);
  const checks = Object.entries<((value: unknown) => boolean) | undefined>(outline);
  if (!fields || !checks.every(([name, check]) => check?.(fields[name]))) {
    throw new BadRequest(`not ${what}`);
  }
  return fields as Request;
}

function isObject(value: unknown): boolean {
  return asObject(value) !== null;
}

/** A name becomes the name of a file, so it is looked at. */
function isServices(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => isServiceName(asObject(one)?.name));
}

function isNames(value: unknown): boolean {
  return value === null || isListOf(value, isText);
}

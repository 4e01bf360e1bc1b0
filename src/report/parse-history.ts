import type { Breach } from '../limits/breach.ts';
import { isBreach } from '../limits/check-breach.ts';
import type { StateKind } from '../services/lifecycle/states.ts';
import type { ReportedProcess, StopReport } from '../stopping/report.ts';
import type { StateChange } from './spans.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Parses the report of a stop in `.pids/last-stop.json`. The result can always be printed, whatever the
 * file holds: a list of the wrong type becomes empty, a text of the wrong type becomes "?".
 *
 * @returns null when the value is no report of a stop
 */
export function toStopReport(value: unknown): StopReport | null {
  const fields = objectOf(value);
  if (fields?.kind !== 'stop' || typeof fields.at !== 'string') return null;
  const proof = objectOf(fields.proof) ?? {};
  const supervisor = objectOf(fields.supervisor);
  return {
    version: 1,
    kind: 'stop',
    project: text(fields.project),
    at: fields.at,
    tookMs: number(fields.tookMs),
    forced: fields.forced === true,
    why: textOrNull(fields.why),
    scope: Array.isArray(fields.scope) ? fields.scope.map(text) : null,
    services: objects(fields.services).map((one) => ({
      name: text(one.name),
      outcome:
        one.outcome === 'survived' || one.outcome === 'was-not-running' ? one.outcome : 'stopped',
      leaderPid: numberOrNull(one.leaderPid),
      processes: number(one.processes),
      tookMs: number(one.tookMs),
    })),
    processes: objects(fields.processes).map(toProcess),
    survivors: objects(fields.survivors).map((one) => ({ ...toProcess(one), why: text(one.why) })),
    spared: objects(fields.spared).map((one) => ({
      pid: number(one.pid),
      command: text(one.command),
      evidence: evidenceOf(one.evidence),
      ours: one.ours === true,
      veto: text(one.veto) as StopReport['spared'][number]['veto'],
      why: text(one.why),
    })),
    stale: objects(fields.stale).map((one) => ({
      service: text(one.service),
      detail: text(one.detail),
    })),
    ports: toPorts(fields.ports),
    problems: list(fields.problems).map(text),
    supervisor: supervisor && { pid: number(supervisor.pid), ended: supervisor.ended === true },
    guards: list(fields.guards).map(number),
    capabilities: {
      subreaper: toCapability(fields.capabilities, 'subreaper'),
      pidfd: toCapability(fields.capabilities, 'pidfd'),
      cgroup: toCapability(fields.capabilities, 'cgroup'),
    },
    proof: {
      // A proof is complete only when the file says so.
      strength: proof.strength === 'complete' ? 'complete' : 'best-effort',
      why: textOrNull(proof.why),
      scans: number(proof.scans),
    },
    containers: toContainersStop(fields.containers),
  };
}

function toPorts(value: unknown): StopReport['ports'] {
  return objects(value).map((one) => ({
    port: number(one.port),
    protocol: one.protocol === 'udp' ? 'udp' : 'tcp',
    service: text(one.service),
    free: one.free === true,
    holder: textOrNull(one.holder),
  }));
}

function toContainersStop(value: unknown): StopReport['containers'] {
  const fields = objectOf(value);
  if (!fields) return null;
  const things = (all: unknown) =>
    objects(all).map((one) => ({
      name: text(one.name),
      removed: one.removed === true,
      why: textOrNull(one.why),
    }));
  return {
    engine: textOrNull(fields.engine),
    containers: objects(fields.containers).map((one) => ({
      id: text(one.id),
      name: text(one.name),
      service: text(one.service),
      outcome: one.outcome === 'removed' || one.outcome === 'kept' ? one.outcome : 'left',
      why: textOrNull(one.why),
    })),
    networks: things(fields.networks),
    volumes: things(fields.volumes),
    ports: toPorts(fields.ports),
    unknown: textOrNull(fields.unknown),
    left: fields.left === true,
    tookMs: number(fields.tookMs),
  };
}

function toProcess(fields: Fields): ReportedProcess {
  return {
    pid: number(fields.pid),
    command: text(fields.command),
    service: textOrNull(fields.service),
    evidence: evidenceOf(fields.evidence),
    signals: list(fields.signals).map(text),
    endedBy: textOrNull(fields.endedBy),
    endedAfterMs: numberOrNull(fields.endedAfterMs),
    outside: fields.outside === true,
  };
}

function evidenceOf(value: unknown): ReportedProcess['evidence'] {
  return objects(value).map(({ kind, detail }) => ({
    kind: text(kind) as ReportedProcess['evidence'][number]['kind'],
    detail: text(detail),
  }));
}

function toCapability(
  capabilities: unknown,
  name: string,
): StopReport['capabilities']['subreaper'] {
  const one = objectOf(objectOf(capabilities)?.[name]) ?? {};
  return { held: one.held === true, why: textOrNull(one.why) };
}

/** Parses a change of the history; null when one of its states is unknown. */
export function toChange(fields: Fields): StateChange | null {
  const { atMs, service, from, to, reason, pid, blockedBy } = fields;
  if (!isState(from) || !isState(to)) return null;
  return {
    atMs: number(atMs),
    service: text(service),
    from,
    to,
    reason: textOrNull(reason),
    pid: numberOrNull(pid),
    ...(blockedBy === undefined ? {} : { blockedBy: list(blockedBy).map(text) }),
  };
}

function isState(value: unknown): value is StateKind {
  return typeof value === 'string' && Object.hasOwn(STATES, value);
}

const STATES: { readonly [State in StateKind]: true } = {
  idle: true,
  waiting: true,
  spawning: true,
  cancelling: true,
  starting: true,
  running: true,
  ready: true,
  unhealthy: true,
  exited: true,
  failed: true,
  clearing: true,
  backoff: true,
  stopping: true,
};

/** Parses a breach of the history; null for anything else. */
export function toBreach(value: unknown, atMs: number): Breach | null {
  const breach = { ...objectOf(value), atMs };
  if (!isBreach(breach)) return null;
  const { service, limit, action, value: used, allowed, measuredAs, branch } = breach;
  return { service, limit, action, value: used, allowed, measuredAs, branch, atMs };
}

function objectOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function objects(value: unknown): readonly Fields[] {
  return list(value).flatMap((one) => {
    const fields = objectOf(one);
    return fields ? [fields] : [];
  });
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '?';
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

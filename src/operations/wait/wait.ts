/*
 * The files of this folder: `devctl wait`.
 *
 *   wait     looks at services again and again, until the event has come for each
 *   verdict  judges one service at one moment
 */

import { join } from 'node:path';
import { DevctlError } from '../../errors.ts';
import { lookAtTicket } from '../../lock/ticket.ts';
import { QUOTED_LINES } from '../../logs/quote.ts';
import { lastLines } from '../../logs/reader.ts';
import { openLogSource } from '../../logs/source.ts';
import { examineManifest } from '../../manifest/load.ts';
import type { ManifestQuery } from '../../manifest/locate.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Host } from '../../processes/host.ts';
import { allPorts, findPortHolders, type Port } from '../../processes/ports.ts';
import { livesIn } from '../../processes/snapshot.ts';
import {
  declaredServices,
  type OpenProject,
  openProject,
  reopenProject,
  steadyQuery,
} from '../../project/open-project.ts';
import { selectNames } from '../../project/select-names.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import { settleTimeMs } from '../../services/lifecycle/settle.ts';
import { logProbe } from '../../services/probes/log.ts';
import type { Probe } from '../../services/probes/probe.ts';
import { livingLeader, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { listeningSockets } from '../status/listening.ts';
import type { ServiceStatus } from '../status/report.ts';
import { statusOf } from '../status/status.ts';
import { judgeWait, type WaitedEvent, type WaitVerdict } from './verdict.ts';

export interface WaitOptions {
  readonly query: ManifestQuery;
  /** Services and groups. Empty: all that start by themselves, and all that were started. */
  readonly names: readonly string[];
  readonly event: WaitedEvent;
  /** For 'log': a regular expression that `readPattern` accepts. */
  readonly pattern: string | null;
  /** 0: look once. */
  readonly timeoutMs: number;
  /** Told once for each service whose wait is over. */
  readonly onOver: (service: string, verdict: WaitVerdict) => void;
}

/** A service at the end of a wait. */
export interface WaitedResult {
  readonly name: string;
  /** 'open': the time was over before anything was certain. */
  readonly verdict: WaitVerdict['kind'];
  /** The verdict in words. */
  readonly what: string;
  readonly state: ServiceStatus['state'];
  readonly pid: number | null;
  readonly exit: ServiceStatus['exit'];
  /** The last lines of its log, unless the event has come. */
  readonly lastLines: readonly string[];
  readonly log: string;
}

export interface WaitResult {
  readonly services: readonly WaitedResult[];
  readonly timedOut: boolean;
  readonly tookMs: number;
}

/** The shortest and the longest pause between two looks, in ms, and how many times longer than a look it is. */
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const PAUSE_FACTOR = 9;

/**
 * How long a failure of before the wait must have stood to count, in ms: a start beside the wait may be about
 * to begin.
 */
const OLD_FAILURE_MS = 1_000;

type WaitHost = Pick<Host, 'snapshot' | 'self' | 'nowMs' | 'delay'>;

/**
 * Waits until an event has come for each service, whoever starts it. Returns early when one can no longer come.
 * Needs no supervisor and no lock, and changes nothing.
 *
 * @throws DevctlError 'service-unknown'; 'usage' for an event that a service can never have
 */
export async function waitForServices(host: WaitHost, options: WaitOptions): Promise<WaitResult> {
  return new Wait(host, options).run();
}

/** The settle time of a service that the manifest does not name any more, in ms. */
const UNKNOWN_SETTLE_MS = 1_000;

/** One call of `waitForServices`. */
class Wait {
  readonly #host: WaitHost;
  readonly #options: WaitOptions;
  readonly #beganAtMs: number;
  #project: OpenProject;
  readonly #manifest: ResolvedManifest | null;
  /** Null before the first look. */
  #names: readonly string[] | null = null;
  /** The runs of the first look, by service, and their states. */
  readonly #first = new Map<string, string>();
  readonly #seen = new Set<string>();
  readonly #probes = new Map<string, { readonly runId: string; readonly probe: Probe }>();
  readonly #told = new Set<string>();

  constructor(host: WaitHost, options: WaitOptions) {
    this.#host = host;
    this.#options = options;
    this.#beganAtMs = host.nowMs();
    this.#project = openProject(options.query);
    this.#manifest = manifestOf(this.#project);
  }

  async run(): Promise<WaitResult> {
    const { timeoutMs } = this.#options;
    for (;;) {
      const lookedAtMs = this.#host.nowMs();
      const services = await this.#look();
      const nowMs = this.#host.nowMs();
      const tookMs = nowMs - this.#beganAtMs;
      const isOver =
        services.every(({ verdict }) => verdict === 'met') ||
        services.some(({ verdict }) => verdict === 'failed');
      if (isOver || tookMs >= timeoutMs)
        return { services, timedOut: !isOver, tookMs: Math.round(tookMs) };
      const restMs = Math.min(LONGEST_PAUSE_MS, PAUSE_FACTOR * (nowMs - lookedAtMs));
      const pauseMs = Math.max(SHORTEST_PAUSE_MS, restMs);
      await this.#host.delay(Math.min(pauseMs, timeoutMs - tookMs));
      this.#project = reopenProject(steadyQuery(this.#project)) ?? this.#project;
    }
  }

  async #look(): Promise<readonly WaitedResult[]> {
    const look = await lookAtProject(this.#host, this.#project.folder);
    const { services } = statusOf(look, this.#project, null, await listeningSockets(look));
    this.#names ??= this.#select(services);
    return Promise.all(this.#names.map((name) => this.#judge(name, services, look)));
  }

  /** @throws DevctlError as `waitForServices` */
  #select(services: readonly ServiceStatus[]): readonly string[] {
    const { names } = this.#options;
    const wanted = services.filter((one) => one.wanted && !one.oneOff).map(({ name }) => name);
    const selected = selectNames(this.#project, names) ?? wanted;
    if (selected.length === 0) {
      throw new DevctlError('usage', 'there is no service to wait for', {
        hint: `name one: ${DEVCTL} wait NAME`,
      });
    }
    for (const name of selected) this.#requirePossible(name, services);
    return selected;
  }

  /** Refuses an event that a service can never have, because the wait would last for ever, or mean nothing. */
  #requirePossible(name: string, services: readonly ServiceStatus[]): void {
    const { event } = this.#options;
    const status = services.find((one) => one.name === name);
    const service = this.#manifest?.services[name];
    if (event === 'port' && (!status || allPorts(status).length === 0)) {
      throw impossible(`${name} declares no port`, 'give it "ports", or wait for "ready"');
    }
    if (event === 'healthy' && !service?.ready && !service?.live) {
      const what = `${name} has neither "ready" nor "live", so nobody knows whether it is healthy`;
      throw impossible(what, 'give it one of them, or wait for "ready"');
    }
    if (event === 'log' && status?.oneOff) {
      throw impossible(`${name} is a command of devctl run, whose output is kept in no log`);
    }
  }

  async #judge(
    name: string,
    services: readonly ServiceStatus[],
    look: ProjectLook,
  ): Promise<WaitedResult> {
    const { event, onOver } = this.#options;
    const record = look.state.records.find(({ service }) => service === name) ?? null;
    const status = services.find((one) => one.name === name);
    const {
      state = 'stopped',
      reason = null,
      pid = null,
      exit = null,
      done = false,
    } = status ?? {};
    if (!this.#first.has(name)) this.#first.set(name, runAndState(record));
    if (record) this.#seen.add(name);
    const probed = event === 'log' && record ? await this.#searchLog(record) : 'no';
    const isEnding = record !== null && endIsToCome(record, look);
    const settles = this.#manifest?.services[name];
    const judged = judgeWait(event, {
      ...{ exit, done },
      ...(isEnding ? { state: 'stopping' as const, reason: null } : { state, reason }),
      isTask: record?.oneShot ?? false,
      uptimeMs: status?.uptimeMs ?? null,
      settleMs: settles ? settleTimeMs(settles) : UNKNOWN_SETTLE_MS,
      wasSeen: this.#seen.has(name),
      closedPorts:
        event === 'port' && status ? await closedPorts(name, allPorts(status), look) : [],
      hasMatched: probed === 'matched',
    });
    const verdict = probed === 'unknown' ? BEGAN_UNKNOWN : this.#withoutOld(judged, record, look);
    if (verdict.kind !== 'open' && !this.#told.has(name)) {
      this.#told.add(name);
      onOver(name, verdict);
    }
    const log = record?.log ?? this.#declaredLog(name);
    const lines = verdict.kind === 'met' ? [] : this.#lastLines(name, log, record?.logFrom ?? null);
    return {
      name,
      verdict: verdict.kind,
      what: verdict.what,
      state,
      pid,
      exit,
      lastLines: lines,
      log,
    };
  }

  /** Lets a failure that was there before the wait count only when nobody is about to start the service. */
  #withoutOld(verdict: WaitVerdict, record: ServiceRecord | null, look: ProjectLook): WaitVerdict {
    if (!record || verdict.kind !== 'failed') return verdict;
    const isOld = this.#first.get(record.service) === runAndState(record);
    const graceMs = Math.min(OLD_FAILURE_MS, this.#options.timeoutMs);
    const isYoung = this.#host.nowMs() - this.#beganAtMs < graceMs;
    return isOld && (isYoung || isLocked(look)) ? { ...verdict, kind: 'open' } : verdict;
  }

  /** Searches what this life has written since the last look. */
  async #searchLog(record: ServiceRecord) {
    const { service, runId, log, logFrom, leader, exitedAt } = record;
    if (leader === null) return 'no';
    if (logFrom === undefined) return 'unknown';
    let known = this.#probes.get(service);
    if (known?.runId !== runId) {
      const source = openLogSource(this.#project.folder, service, log);
      const check = { kind: 'log', pattern: this.#options.pattern ?? '' } as const;
      known = { runId, probe: logProbe(check, { log: source, logFrom }) };
      this.#probes.set(service, known);
    }
    const hasMatched = async (): Promise<boolean> =>
      (await known.probe.attempt(new AbortController().signal)).kind === 'ok';
    // A last line without its end counts at the second attempt, and of a life that has ended nothing follows.
    const isMatched = (await hasMatched()) || (exitedAt !== null && (await hasMatched()));
    return isMatched ? 'matched' : 'no';
  }

  #declaredLog(name: string): string {
    return declaredServices(this.#project).find((one) => one.name === name)?.log ?? '';
  }

  #lastLines(name: string, log: string, from: number | null): readonly string[] {
    if (from === null) return [];
    try {
      return lastLines(openLogSource(this.#project.folder, name, log), QUOTED_LINES, from);
    } catch {
      return [];
    }
  }
}

const BEGAN_UNKNOWN: WaitVerdict = {
  kind: 'failed',
  what: 'has a record of an earlier devctl, which does not say where this life begins in the log: restart it',
};

function runAndState(record: ServiceRecord | null): string {
  return record ? `${record.runId} ${record.state}` : '';
}

function impossible(what: string, hint?: string): DevctlError {
  return new DevctlError('usage', what, hint === undefined ? {} : { hint });
}

function manifestOf({ outline }: OpenProject): ResolvedManifest | null {
  return outline.kind === 'absent' ? null : examineManifest({ file: outline.file }).manifest;
}

/** True while another devctl starts or stops something in the project. */
function isLocked({ state, snapshot }: ProjectLook): boolean {
  const seen = lookAtTicket(join(state.folder.pidsDir, 'lock'));
  return seen.kind === 'held' && livesIn(snapshot, seen.holder.identity);
}

/**
 * True when the leader of a run has ended, and its supervisor or a stop is about to say how: a moment later
 * the service may be started again.
 */
function endIsToCome(record: ServiceRecord, look: ProjectLook): boolean {
  const { state, leader, supervisor } = record;
  const hasToldEnd = state === 'exited' || state === 'failed' || state === 'backoff';
  if (leader === null || hasToldEnd || livingLeader(record, look.snapshot)) return false;
  return livesIn(look.snapshot, supervisor) || isLocked(look);
}

/** Lists the ports that no process of the service listens on. */
async function closedPorts(
  name: string,
  ports: readonly Port[],
  { claims, snapshot }: ProjectLook,
): Promise<readonly Port[]> {
  const own = claims.filter(({ service }) => service === name).map(({ process }) => process);
  const pids = new Set(own.map(({ identity }) => identity.pid));
  const holders = await findPortHolders(ports, snapshot, own);
  const open = holders.filter(({ process }) => process && pids.has(process.identity.pid));
  return ports.filter((port) => !open.some((holder) => holder.port === port));
}

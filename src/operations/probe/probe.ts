/*
 * The files of this folder: how `devctl init --probe` tries what it proposes.
 *
 *   probe  starts each service, looks at its ports and its output, and stops everything with proof
 *   learn  decides what of that goes into the manifest
 */
import { readFileSync } from 'node:fs';
import { DevctlError } from '../../errors.ts';
import { tailLog } from '../../logs/tail.ts';
import type { ResolvedManifest, ResolvedService } from '../../manifest/resolved.ts';
import { choicesOf, selectForStart } from '../../manifest/select.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { exitInWords } from '../../services/lifecycle/states.ts';
import { httpProbe } from '../../services/probes/http.ts';
import type { StopReport } from '../../stopping/report.ts';
import { lookAtProject } from '../../tracking/look.ts';
import { toLease } from '../start/lease.ts';
import { startProject } from '../start/start.ts';
import { listeningSockets } from '../status/listening.ts';
import { stopOptions } from '../stop/options.ts';
import { stopServices } from '../stop/stop.ts';
import { type SeenPort, type ShownByRun, saysReady } from './learn.ts';

/** The time that a service has to show its ports, and a task to end, in ms. */
const OBSERVED_MS = 60_000;

/** Ports that have not changed for so long are all there are, in ms. */
const STEADY_MS = 3_000;

/** A service without a port is looked at for so long, in ms: watchers open none. */
const PORTLESS_MS = 15_000;

/** The same where its output says that it is ready, in ms. */
const TOLD_MS = 5_000;

const LOOK_MS = 250;

/** The time to end after SIGTERM before it counts as deaf, in ms. */
const GRACE_MS = 10_000;

const ANSWER_MS = 5_000;

export interface ProbeOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Tells that a service is tried next. */
  readonly onService: (name: string) => void;
  /** Becomes true when the user wants it to end. Everything is stopped then as well. */
  readonly interrupted: () => boolean;
  readonly warn: (line: string) => void;
  /** The time that a service has to show its ports, and a task to end, in ms; 60 s by default. */
  readonly observedMs?: number;
}

export interface ProbeResult {
  /** By service, as far as they were tried. */
  readonly seen: ReadonlyMap<string, ShownByRun>;
  /** The last stop, of everything. */
  readonly stop: StopReport;
}

/**
 * Starts services one after the other, with what they need, looks at each, and stops everything. A supervisor contains
 * them as ever, and stops them when this process is killed.
 *
 * @param names the services to try, in the order of the manifest
 * @throws DevctlError 'usage' while the project runs; as `stopServices`
 */
export async function probeServices(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  names: readonly string[],
  options: ProbeOptions,
): Promise<ProbeResult> {
  const look = await lookAtProject(host, folder);
  if (look.claims.length > 0 || look.state.records.length > 0)
    throw new DevctlError('usage', 'the project runs, and a probe would disturb it', {
      hint: `stop it first: ${DEVCTL} stop`,
    });
  return new ProbeSession(host, folder, manifest, options).run(inOrder(manifest, names));
}

/**
 * Removes everything that a start would wait for, because that is to be learned, and dependencies, because only what the
 * user has chosen is run. A task is watched like a service, because a start would wait for its end for ever.
 */
function withoutWaiting(manifest: ResolvedManifest): ResolvedManifest {
  const services = Object.entries(manifest.services).map(
    ([name, service]) => [name, tried(service)] as const,
  );
  return { ...manifest, containers: null, services: Object.fromEntries(services) };
}

function tried(service: ResolvedService): ResolvedService {
  const stop = { ...service.stop, signal: 'SIGTERM', graceMs: GRACE_MS } as const;
  const bare = {
    ...service,
    ports: [],
    udpPorts: [],
    ready: null,
    live: null,
    dependsOn: {},
    stop,
  };
  return {
    ...bare,
    oneShot: false,
    settleMs: service.oneShot ? 0 : service.settleMs,
    restart: { ...service.restart, policy: 'no' },
    adHoc: true,
    once: true,
  };
}

class ProbeSession {
  readonly #host: Host;
  readonly #folder: ProjectFolder;
  readonly #manifest: ResolvedManifest;
  readonly #tasks: ReadonlySet<string>;
  /** Services of which a port is known already: a slow one must not count as one without a port. */
  readonly #listeners: ReadonlySet<string>;
  readonly #options: ProbeOptions;
  readonly #observedMs: number;
  readonly #seen = new Map<string, ShownByRun>();

  constructor(
    host: Host,
    folder: ProjectFolder,
    manifest: ResolvedManifest,
    options: ProbeOptions,
  ) {
    this.#host = host;
    this.#folder = folder;
    this.#manifest = withoutWaiting(manifest);
    const services = Object.entries(manifest.services);
    const named = (test: (service: ResolvedService) => boolean): ReadonlySet<string> =>
      new Set(services.flatMap(([name, service]) => (test(service) ? [name] : [])));
    this.#tasks = named(({ oneShot }) => oneShot);
    this.#listeners = named(({ ports }) => ports.length > 0);
    this.#options = options;
    this.#observedMs = options.observedMs ?? OBSERVED_MS;
  }

  async run(names: readonly string[]): Promise<ProbeResult> {
    let stop: StopReport;
    try {
      for (const name of names) {
        if (this.#options.interrupted()) break;
        this.#options.onService(name);
        this.#seen.set(name, await this.#try(name));
      }
      for (const name of [...this.#seen.keys()].reverse()) {
        if (this.#options.interrupted()) break;
        await this.#end(name);
      }
    } finally {
      // Also after an error: nothing of a probe goes on running.
      stop = await this.#stop(null);
    }
    return { seen: this.#seen, stop };
  }

  async #try(name: string): Promise<ShownByRun> {
    const isTask = this.#tasks.has(name);
    const failure = isTask ? await this.#runTask(name) : await this.#start(name);
    const base = { endedAfterMs: 0, needsInterrupt: false } as const;
    if (failure !== null || isTask)
      return { ...base, failure, ports: [], lines: await this.#lines(name) };
    const found = await this.#steadyPorts(name);
    if (found === null)
      return { ...base, failure: 'it ended by itself', ports: [], lines: await this.#lines(name) };
    const ports: SeenPort[] = [];
    for (const port of found) ports.push({ port, status: await statusOf(port) });
    return { ...base, failure: null, ports, lines: await this.#lines(name) };
  }

  /** Waits until a task has ended, and ends it when its time is up. Returns why it has not succeeded; null: it has. */
  async #runTask(name: string): Promise<string | null> {
    const untilMs = this.#host.nowMs() + this.#observedMs;
    const failure = await this.#start(name);
    for (;;) {
      const { records } = (await lookAtProject(this.#host, this.#folder)).state;
      const record = records.find(({ service }) => service === name);
      if (!record) return failure ?? 'it has no record';
      if (record.exit) return record.exit.code === 0 ? null : exitInWords(record.exit);
      if (this.#options.interrupted()) return 'interrupted';
      if (this.#host.nowMs() >= untilMs) break;
      await this.#host.delay(LOOK_MS);
    }
    await this.#stop([name]);
    return `it did not end within ${this.#observedMs / 1_000} s`;
  }

  /** @returns why it did not come up; null when it did */
  async #start(name: string, manifest = this.#manifest): Promise<string | null> {
    const { env, warn } = this.#options;
    const names = selectForStart(choicesOf(manifest), [name]);
    try {
      const { services } = await startProject(this.#host, this.#folder, manifest, {
        names,
        abortOnFailure: false,
        lease: await toLease(this.#host, { ttlMs: null, pids: [process.pid] }),
        env,
        onChange: () => {},
        warn,
      });
      const own = services.find((one) => one.name === name);
      const isUp =
        own !== undefined && (own.done || own.state === 'running' || own.state === 'ready');
      return isUp ? null : (own?.reason ?? 'it did not come up');
    } catch (error) {
      if (error instanceof DevctlError && error.code !== 'locked') return error.message;
      throw error;
    }
  }

  /** Waits until the ports of a service have stayed the same for a while. Null: it has ended. */
  async #steadyPorts(name: string): Promise<readonly number[] | null> {
    const beganAtMs = this.#host.nowMs();
    let last = '';
    let sinceMs = beganAtMs;
    let toldAtMs: number | null = null;
    const portlessMs = this.#listeners.has(name) ? this.#observedMs : PORTLESS_MS;
    let ports: readonly number[] = [];
    for (;;) {
      const look = await lookAtProject(this.#host, this.#folder);
      if (!look.claims.some(({ service }) => service === name)) return null;
      const own = (await listeningSockets(look))?.byService.get(name) ?? [];
      ports = [...new Set(own.map(({ port }) => port))].sort((one, other) => one - other);
      const nowMs = this.#host.nowMs();
      if (ports.join() !== last) sinceMs = nowMs;
      last = ports.join();
      // From the line on, because a port that opens with it was not in the look before.
      if (toldAtMs === null && saysReady(await this.#lines(name))) toldAtMs = nowMs;
      const isTold = toldAtMs !== null && nowMs - toldAtMs >= TOLD_MS;
      const isSteady =
        nowMs - sinceMs >= (ports.length > 0 ? STEADY_MS : isTold ? TOLD_MS : portlessMs);
      const isOver = isSteady || nowMs - beganAtMs >= this.#observedMs;
      if (isOver || this.#options.interrupted()) return ports;
      await this.#host.delay(LOOK_MS);
    }
  }

  async #lines(name: string): Promise<readonly string[]> {
    const { records } = (await lookAtProject(this.#host, this.#folder)).state;
    const log = records.find(({ service }) => service === name)?.log;
    return log === undefined ? [] : tailLog(log, 200).catch(() => []);
  }

  /** Ends one service with SIGTERM and notes how long that takes; where it is deaf to that, tries SIGINT once. */
  async #end(name: string): Promise<void> {
    const seen = this.#seen.get(name);
    if (!seen || seen.failure !== null || this.#tasks.has(name)) return;
    const endedAfterMs = endOf(await this.#stop([name]), name);
    let needsInterrupt = false;
    if (endedAfterMs === null && (await this.#start(name, this.#withInterrupt(name))) === null)
      needsInterrupt = endOf(await this.#stop([name]), name) !== null;
    this.#seen.set(name, { ...seen, endedAfterMs, needsInterrupt });
  }

  #withInterrupt(name: string): ResolvedManifest {
    const service = this.#manifest.services[name];
    if (!service) throw new Error(`${name} is not in the manifest`);
    const stop = { ...service.stop, signal: 'SIGINT' } as const;
    const services = { ...this.#manifest.services, [name]: { ...service, stop } };
    return { ...this.#manifest, services };
  }

  #stop(names: readonly string[] | null): Promise<StopReport> {
    return stopServices(this.#host, this.#folder, {
      ...stopOptions({ names }),
      sweep: { patterns: [], scope: 'off', protect: [] },
    });
  }
}

/** Dependencies first. */
function inOrder(manifest: ResolvedManifest, names: readonly string[]): readonly string[] {
  const ordered = new Set<string>();
  const add = (name: string): void => {
    if (ordered.has(name)) return;
    for (const needed of Object.keys(manifest.services[name]?.dependsOn ?? {}))
      if (names.includes(needed)) add(needed);
    ordered.add(name);
  };
  for (const name of names) add(name);
  return [...ordered];
}

/** How long a service took to end when it was asked to; null where a process of it had to be killed. */
function endOf({ processes, services }: StopReport, name: string): number | null {
  const own = processes.filter(({ service }) => service === name);
  if (own.some(({ endedBy }) => endedBy === 'SIGKILL')) return null;
  return services.find((one) => one.name === name)?.tookMs ?? 0;
}

/** Asks for `/`, and nothing else. */
async function statusOf(port: number): Promise<number | null> {
  const url = `http://localhost:${port}/`;
  const check = { kind: 'http', url, method: 'GET', status: [], body: null } as const;
  const probe = httpProbe({ ...check, headers: {}, socketPath: null, owner: 'service' });
  const answer = await probe.attempt(AbortSignal.timeout(ANSWER_MS));
  if (answer.kind === 'ok') return 200;
  const status = /answered (\d{3})/.exec('reason' in answer ? (answer.reason ?? '') : '')?.[1];
  return status === undefined ? null : Number(status);
}

/** The first port that the kernel gives to whoever asks for any (ip(7)); elsewhere than on Linux that of IANA. */
export function firstEphemeralPort(): number {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1');
    return Number(/^\d+/.exec(range)?.[0]) || 49_152;
  } catch {
    return 49_152;
  }
}

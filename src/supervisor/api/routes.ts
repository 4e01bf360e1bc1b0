/*
 * The files of this folder, which is the supervisor's API:
 *
 *   server            HTTP over a Unix socket: bodies, streams, errors
 *   routes            what each route does
 *   parse-request     checks the body of a request
 *   foreground-holds  stops services for a `devctl up` that was killed
 */
import type {
  ChildrenAnswer,
  Hello,
  SampleEvent,
  StartRequest,
  SupervisorEvent,
} from '../../client/protocol.ts';
import type { Sampler } from '../../history/sampler.ts';
import type { Sample } from '../../history/samples.ts';
import type { Witness } from '../../tracking/witness.ts';
import type { Hooks } from '../policies/hooks.ts';
import type { LeaseKeeper } from '../policies/lease-keeper.ts';
import type { LimitEnforcer } from '../policies/limit-enforcer.ts';
import type { ReadyWatch } from '../policies/ready-watch.ts';
import type { Stops } from '../policies/stops.ts';
import type { Children } from '../services/children.ts';
import type { ServiceTable } from '../services/entry.ts';
import { beginStart, type StartSession } from '../services/start-session.ts';
import type { ForegroundHolds } from './foreground-holds.ts';
import {
  toHoldRequest,
  toReleaseRequest,
  toStandDownRequest,
  toStartRequest,
  toStopCommandRequest,
  toStopRequest,
} from './parse-request.ts';
import { type Route, STREAMED, type Stream } from './server.ts';

/** The work that a supervisor can do for its callers. */
export interface SupervisorWork extends Pick<Children, 'hasChildren' | 'runContained'>, Stops {
  readonly hello: Hello;
  readonly services: ServiceTable;
  readonly witness: Pick<Witness, 'scan' | 'wake'>;
  readonly sampler: Pick<Sampler, 'subscribe'>;
  /** The samples of the last minutes, in the order of time. */
  recentSamples(): readonly Sample[];
  /** The starts that are under way. */
  readonly starts: Set<StartSession>;
  /** Called with every event. */
  readonly listeners: Set<(event: SupervisorEvent) => void>;
  readonly holds: ForegroundHolds;
  readonly leases: Pick<LeaseKeeper, 'take'>;
  readonly limits: Pick<LimitEnforcer, 'setProject'>;
  readonly hooks: Pick<Hooks, 'setProject'>;
  readonly readyWatch: Pick<ReadyWatch, 'lookNow'>;
  /** Resumes the restarts that an earlier supervisor did not live to finish. */
  resumeRestarts(request: StartRequest): void;
  /** Looks where the project is, for a caller that holds the project lock there. */
  checkPlace(): void;
  /** Counts a caller as connected until the whole answer is sent, which may be after the work. */
  whileConnected(stream: Stream, work: () => Promise<unknown>): Promise<unknown>;
}

/** The supervisor's API: each route reads its request, has the work done, and answers. */
export function supervisorRoutes(work: SupervisorWork): Readonly<Record<string, Route>> {
  return {
    'GET /hello': () => work.hello,
    'GET /children': async (): Promise<ChildrenAnswer> => ({ children: await work.hasChildren() }),
    'GET /events': streamed(work, sendEvents),
    'GET /samples': streamed(work, sendSamples),
    'POST /start': streamed(work, start),
    'POST /abort-starts': () => {
      for (const session of work.starts) session.abandon();
      return { aborted: work.starts.size };
    },
    'POST /stand-down': streamed(work, standDown),
    'POST /stop-command': streamed(work, runStopCommand),
    'POST /hold': streamed(work, hold),
    'POST /release': (body) => ({ released: work.holds.release(toReleaseRequest(body).id) }),
    'POST /stop': streamed(work, stop),
  };
}

/** Makes a route that answers with a stream. Its caller counts as connected until the answer is sent. */
function streamed(
  work: SupervisorWork,
  answer: (work: SupervisorWork, body: unknown, stream: Stream) => Promise<void>,
): Route {
  return (body, stream) =>
    work.whileConnected(stream, async () => {
      await answer(work, body, stream);
      return STREAMED;
    });
}

async function sendEvents(work: SupervisorWork, _body: unknown, stream: Stream): Promise<void> {
  const onEvent = (event: SupervisorEvent): void => stream.write(event);
  work.listeners.add(onEvent);
  stream.begin();
  await stream.closed;
  work.listeners.delete(onEvent);
}

async function sendSamples(work: SupervisorWork, _body: unknown, stream: Stream): Promise<void> {
  const write = (event: SampleEvent): void => stream.write(event);
  write({ type: 'history', samples: work.recentSamples() });
  const unsubscribe = work.sampler.subscribe((sample) => write({ type: 'sample', sample }));
  work.witness.wake();
  await stream.closed;
  unsubscribe();
}

async function start(work: SupervisorWork, body: unknown, stream: Stream): Promise<void> {
  const request = toStartRequest(body);
  work.checkPlace();
  // The lease is on disk before any service is spawned that ends with it.
  if (request.lease) await work.leases.take(request.lease.lease, request.lease.manifest);
  work.resumeRestarts(request);
  work.limits.setProject(request.limits);
  work.hooks.setProject(request.notify ?? null, request.env);
  await work.readyWatch.lookNow();
  const session = beginStart(work.services, request, (change) => stream.write(change));
  work.starts.add(session);
  void stream.closed.then(() => session.abandon());
  try {
    const outcome = await session.done;
    // Processes that have escaped so far are on disk before the caller learns that the services are up.
    await work.witness.scan();
    stream.write({ type: 'result', ...outcome });
  } finally {
    work.starts.delete(session);
  }
}

async function standDown(work: SupervisorWork, body: unknown, stream: Stream): Promise<void> {
  const { names } = toStandDownRequest(body);
  work.checkPlace();
  await work.whileStoodDown(names, async () => {
    stream.write({ type: 'stood-down' });
    await stream.closed;
  });
}

async function runStopCommand(work: SupervisorWork, body: unknown, stream: Stream): Promise<void> {
  const { service, env, isHook } = toStopCommandRequest(body);
  stream.write({ type: 'began' });
  const controller = new AbortController();
  void stream.closed.then(() => controller.abort());
  stream.write({
    type: 'ended',
    ...(await work.runContained(service, env, controller.signal, isHook)),
  });
}

async function hold(work: SupervisorWork, body: unknown, stream: Stream): Promise<void> {
  const onEvent = (event: SupervisorEvent): void => stream.write(event);
  work.listeners.add(onEvent);
  void stream.closed.then(() => work.listeners.delete(onEvent));
  await work.holds.hold(toHoldRequest(body), stream);
}

async function stop(work: SupervisorWork, body: unknown, stream: Stream): Promise<void> {
  const request = toStopRequest(body);
  const report = await work.stopInProcess(request);
  stream.write({ type: 'report', report });
  // A long report is sent in pieces, so the process must not end before the last one.
  void stream.closed.then(() => work.endAfter(request, report));
}

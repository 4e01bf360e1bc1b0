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
import type { LeaseKeeper } from '../policies/lease-keeper.ts';
import type { LimitEnforcer } from '../policies/limit-enforcer.ts';
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

/** What a supervisor can do for its callers. */
export interface SupervisorWork extends Pick<Children, 'hasChildren' | 'runContained'>, Stops {
  readonly hello: Hello;
  readonly services: ServiceTable;
  readonly witness: Pick<Witness, 'scan' | 'wake'>;
  readonly sampler: Pick<Sampler, 'watch'>;
  /** The samples of the last minutes, in the order of time. */
  recentSamples(): readonly Sample[];
  /** The starts that are under way. */
  readonly starts: Set<StartSession>;
  /** Called with every event. */
  readonly listeners: Set<(event: SupervisorEvent) => void>;
  readonly holds: ForegroundHolds;
  readonly leases: Pick<LeaseKeeper, 'take'>;
  readonly limits: Pick<LimitEnforcer, 'setProject'>;
  /** Resumes the restarts that an earlier supervisor did not live to finish. */
  resumeRestarts(request: StartRequest): void;
  /** Counts a caller as connected until the whole answer is sent, which may be after the work. */
  whileConnected(stream: Stream, work: () => Promise<unknown>): Promise<unknown>;
}

/** The supervisor's API: each route reads its request, has the work done, and answers. */
export function supervisorRoutes(work: SupervisorWork): Readonly<Record<string, Route>> {
  const { hello, starts, listeners, holds, hasChildren, whileConnected, whileStoodDown } = work;
  const { services: lives, witness, sampler, leases, runContained, stopInProcess, endAfter } = work;

  return {
    'GET /hello': () => hello,

    'GET /children': async (): Promise<ChildrenAnswer> => ({ children: await hasChildren() }),

    'GET /events': (_body, stream) =>
      whileConnected(stream, async () => {
        const listen = (event: SupervisorEvent): void => stream.write(event);
        listeners.add(listen);
        stream.begin();
        await stream.closed;
        listeners.delete(listen);
        return STREAMED;
      }),

    'GET /samples': (_body, stream) =>
      whileConnected(stream, async () => {
        const tell = (event: SampleEvent): void => stream.write(event);
        tell({ type: 'history', samples: work.recentSamples() });
        const unwatch = sampler.watch((sample) => tell({ type: 'sample', sample }));
        witness.wake();
        await stream.closed;
        unwatch();
        return STREAMED;
      }),

    'POST /start': (body, stream) =>
      whileConnected(stream, async () => {
        const request = toStartRequest(body);
        // The lease is on disk before any service is spawned that ends with it.
        if (request.lease) await leases.take(request.lease.lease, request.lease.manifest);
        work.resumeRestarts(request);
        work.limits.setProject(request.limits);
        const starting = beginStart(lives, request, (change) => stream.write(change));
        starts.add(starting);
        void stream.closed.then(() => starting.abandon());
        try {
          const outcome = await starting.done;
          // Processes that have escaped so far are on disk before the caller learns that the services
          // are up.
          await witness.scan();
          stream.write({ type: 'result', ...outcome });
        } finally {
          starts.delete(starting);
        }
        return STREAMED;
      }),

    'POST /abort-starts': () => {
      for (const starting of starts) starting.abandon();
      return { aborted: starts.size };
    },

    'POST /stand-down': (body, stream) =>
      whileConnected(stream, async () => {
        await whileStoodDown(toStandDownRequest(body).names, async () => {
          stream.write({ type: 'stood-down' });
          await stream.closed;
        });
        return STREAMED;
      }),

    'POST /stop-command': (body, stream) =>
      whileConnected(stream, async () => {
        const { service, env } = toStopCommandRequest(body);
        stream.write({ type: 'began' });
        const over = new AbortController();
        void stream.closed.then(() => over.abort());
        stream.write({ type: 'ended', ...(await runContained(service, env, over.signal)) });
        return STREAMED;
      }),

    'POST /hold': (body, stream) =>
      whileConnected(stream, async () => {
        const listen = (event: SupervisorEvent): void => stream.write(event);
        listeners.add(listen);
        void stream.closed.then(() => listeners.delete(listen));
        await holds.hold(toHoldRequest(body), stream);
        return STREAMED;
      }),

    'POST /release': (body) => ({ released: holds.release(toReleaseRequest(body).id) }),

    'POST /stop': (body, stream) =>
      whileConnected(stream, async () => {
        const request = toStopRequest(body);
        const report = await stopInProcess(request);
        stream.write({ type: 'report', report });
        // A long report is sent in pieces, so the process must not end before the last one.
        void stream.closed.then(() => endAfter(request, report));
        return STREAMED;
      }),
  };
}

import { setTimeout as pass } from 'node:timers/promises';
import type { StartRequest } from '../../client/protocol.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import { type Identity, sameMachine } from '../../processes/identity.ts';
import { livesIn } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord, readRecords } from '../../project/records.ts';
import { isDone, isRestarting, type ServiceRecord } from '../../project/service-record.ts';
import { exitInWords } from '../../services/lifecycle/states.ts';
import type { ServiceTable } from './entry.ts';

/** Takes over every recorded run whose leader lives, without touching it, and what is known to be done. */
export async function adoptServices(
  host: Host,
  lives: ServiceTable,
  records: readonly ServiceRecord[],
): Promise<void> {
  const snapshot = await host.snapshot();
  for (const record of records) {
    const { leader, service, state, readyAt, restarts, oneOff } = record;
    const isAlive = leader !== null && livesIn(snapshot, leader);
    // A one-off is for the command that holds it to watch.
    if (oneOff || (!isAlive && !isDone(record))) continue;
    const entry = lives.entry(service);
    entry.record = record;
    entry.run = entry.state.run + 1;
    entry.spawnedHere = false;
    if (!isAlive) {
      const exit = record.exit ?? { code: null, signal: null };
      const reason = record.reason ?? exitInWords(exit);
      await lives.dispatch(service, { kind: 'recalled', exit, reason, restarts });
      continue;
    }
    // The probe of what an earlier supervisor started is in the manifest, which comes with the next
    // start; until then its record counts.
    entry.probed ||= state === 'ready';
    const { probed } = entry;
    const wasReady = readyAt !== null;
    const found = { identity: leader, wasReady, probed, restarts };
    await lives.dispatch(service, { kind: 'adopted', ...found });
  }
}

/**
 * Goes on with the restarts that an earlier supervisor did not live to finish.
 *
 * @param request says how each is to be started: without that, nothing is
 */
export function resumeRestarts(
  lives: ServiceTable,
  folder: ProjectFolder,
  self: Identity,
  request: StartRequest,
): void {
  for (const service of request.running ?? []) {
    const { name } = service;
    const entry = lives.entry(name);
    const read = readRecord(folder, name);
    if (entry.state.kind !== 'idle' || entry.unwanted || read.kind !== 'record') continue;
    const { record } = read;
    // After a reboot nobody has asked for anything yet.
    if (record.oneOff || !isRestarting(record) || !sameMachine(record, self)) continue;
    entry.service = service;
    entry.request = request;
    // It is ours to care for now; but what left that supervisor's tree as it died was held by nobody.
    entry.record = { ...record, supervisor: self, subreaper: false };
    entry.run = entry.state.run + 1;
    const { exit, restarts } = record;
    const how = exit ? exitInWords(exit) : 'it was not well';
    const reason = `${how}, and its supervisor ended before it was started again`;
    void lives.dispatch(name, { kind: 'interrupted', exit, reason, restarts });
  }
}

/** How long a spawn that is on its way may take to be answered. */
const CANCEL_MS = 2_000;
const LOOK_MS = 5;

/** Leaves services to somebody else, who is going to end them. Null: all. */
export async function standDown(
  lives: ServiceTable,
  names: readonly string[] | null,
): Promise<void> {
  const targets = [...lives.entries.values()].filter(
    ({ name }) => names === null || names.includes(name),
  );
  await Promise.all(targets.map(({ name }) => lives.dispatch(name, { kind: 'standDown' })));
  // Whoever stops them should see what a spawn that was on its way has brought; but he looks for
  // himself, so an answer that never comes must not keep him waiting.
  const deadline = monotonicMs() + CANCEL_MS;
  while (
    targets.some(({ state: life }) => life.kind === 'cancelling') &&
    monotonicMs() < deadline
  ) {
    await pass(LOOK_MS);
  }
}

/** After a stop by somebody else: what is proved gone is idle, what still runs is adopted again. */
export async function resume(
  host: Host,
  lives: ServiceTable,
  folder: ProjectFolder,
): Promise<void> {
  const { records } = readRecords(folder);
  const recorded = new Set(records.map(({ service }) => service));
  for (const entry of [...lives.entries.values()]) {
    const { name, state: life } = entry;
    // One with a reason is on its way to its end by us, whatever others were stopped meanwhile.
    if (life.kind === 'stopping' && life.reason === null) {
      // What has outlived a stop is taken over, but not started again once it ends: nobody wants it.
      entry.service = null;
      entry.unwanted = true;
      await lives.dispatch(name, { kind: 'stopped', run: life.run });
      lives.entry(name).record = null;
    } else if (hasEnded(life.kind) && !recorded.has(name)) {
      // Its record is not to come back with the next one that is written, and what was done is to be done again.
      await lives.dispatch(name, { kind: 'stopped', run: life.run });
      lives.entry(name).record = null;
    }
  }
  await adoptServices(
    host,
    lives,
    records.filter(({ service }) => lives.entry(service).state.kind === 'idle'),
  );
}

function hasEnded(kind: string): boolean {
  return kind === 'exited' || kind === 'failed';
}

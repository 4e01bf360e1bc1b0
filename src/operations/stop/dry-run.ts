import { readContainersRecord } from '../../containers/record.ts';
import type { Claim } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { StopReport } from '../../stopping/report.ts';
import { supervisorCapabilities } from '../../tracking/capabilities.ts';
import { listStaleRecords } from '../../tracking/stale-records.ts';
import { describeSpared } from './build-report.ts';
import { emptyReport } from './empty-report.ts';
import type { FirstLook } from './first-look.ts';
import { mayHaveContainers, type StopHeader } from './options.ts';

/** Reports what a stop would do: every claim of its first look, with the evidence and the first signal. */
export function planDryRun(header: StopHeader, first: FirstLook): StopReport {
  const { options } = header;
  const { state } = first;
  const records = new Map(state.records.map((record) => [record.service, record]));
  const planned = [...first.claims, ...first.swept].map((claim: Claim) => ({
    pid: claim.process.identity.pid,
    command: describeCommand(first.snapshot, claim.process),
    service: claim.service,
    evidence: claim.evidence,
    signals: [records.get(claim.service ?? '')?.stop.signal ?? 'SIGTERM'],
    endedBy: null,
    endedAfterMs: null,
    outside: false,
  }));
  const supervisor = options.names === null ? first.supervisors[0] : undefined;
  return {
    ...emptyReport(header),
    kind: 'dry-run',
    services: [...new Set(first.claims.flatMap(({ service }) => service ?? []))].map((name) => ({
      name,
      outcome: 'stopped',
      leaderPid: records.get(name)?.leader?.pid ?? null,
      processes: first.claims.filter(({ service }) => service === name).length,
      tookMs: 0,
    })),
    processes: planned,
    spared: first.spared.map((process) => describeSpared(process, first.snapshot)),
    stale: listStaleRecords(first.state, first.stale),
    problems: [
      ...state.problems.map(({ path, reason }) => `${path}: ${reason}`),
      ...containersInWords(header),
    ],
    supervisor: supervisor ? { pid: supervisor.identity.pid, ended: false } : null,
    guards: options.names === null ? first.guards.map(({ identity }) => identity.pid) : [],
    capabilities: supervisorCapabilities(
      state,
      first.supervisors[0]?.identity ?? null,
      'no supervisor is running',
    ),
    proof: { strength: 'best-effort', why: 'a dry run proves nothing', scans: 1 },
  };
}

/** Says what a stop would do with containers, by the record alone: a dry run asks no engine. */
function containersInWords({ folder, options }: StopHeader): readonly string[] {
  if (!mayHaveContainers(folder, options)) return [];
  const read = readContainersRecord(folder);
  if (read.kind !== 'record') return ['containers with the label of this project would be removed'];
  const names = read.record.containers.map(({ service }) => service).join(', ');
  return [`containers that would be stopped and removed: ${names || 'those that are found'}`];
}

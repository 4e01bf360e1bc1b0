/*
 * The files of this folder: how `devctl doctor` examines a project and its machine.
 *
 *   doctor          runs all checks; checks the manifest, records, supervisor, orphans, logs, and ports
 *   machine         checks the means of containment, and the limits of the machine
 *   containers      checks the engine, compose and the compose files
 *   other-projects  finds what other projects have left: without a supervisor, or without a folder
 *   finding         the result of one check
 */

import { existsSync } from 'node:fs';
import { findSupervisor } from '../../client/connect.ts';
import { findOversizedLogs } from '../../logs/oversized.ts';
import { examineManifest } from '../../manifest/load.ts';
import { formatProblem } from '../../manifest/problem.ts';
import { DEVCTL } from '../../own-command.ts';
import { ownVersion } from '../../package-root.ts';
import { describeCommand, describeHolder } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { findCutWay } from '../../processes/native/cut-file.ts';
import { allPorts, findPortHolders } from '../../processes/ports.ts';
import { livesIn } from '../../processes/snapshot.ts';
import { declaredServices, type OpenProject } from '../../project/open-project.ts';
import { isDone, isOfRunCommand } from '../../project/service-record.ts';
import { whyNoDesktop } from '../../services/hooks/desktop.ts';
import { isOrphan, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { checkContainerMeans } from './containers.ts';
import { type DoctorFinding, finder } from './finding.ts';
import { checkLimits, checkMachine } from './machine.ts';
import { checkOtherProjects } from './other-projects.ts';

/**
 * Checks everything that can keep devctl from keeping its promises for this project. Changes nothing, except that it
 * makes a control group and removes it, to see whether that is possible.
 */
export async function diagnose(
  host: Host,
  project: OpenProject,
): Promise<readonly DoctorFinding[]> {
  const look = await lookAtProject(host, project.folder);
  const { snapshot } = look;
  return [
    ...(await checkMachine(project)),
    ...checkLimits(snapshot),
    ...onNotify(project),
    ...onManifest(project),
    ...onRecords(project, look),
    await onSupervisor(project, look),
    onOrphans(look),
    ...(await checkContainerMeans(project)),
    ...(await onLogs(project, look)),
    ...(await onPorts(project, look)),
    ...checkOtherProjects(project, snapshot, await host.self()),
  ];
}

/** Says whether anybody can be told of a failure, where the manifest wants that. */
function onNotify({ outline }: OpenProject): readonly DoctorFinding[] {
  if (outline.kind === 'absent' || !outline.notifiesDesktop) return [];
  const find = finder('manifest');
  const why = whyNoDesktop(process.env);
  if (why === null)
    return [
      find(
        'ok',
        'notify: failures of services that are started from here are shown on the desktop',
      ),
    ];
  return [
    find(
      'warning',
      `notify: started from here, nobody is told of a failure outside of up and monitor: ${why}`,
    ),
  ];
}

function onManifest({ outline, above }: OpenProject): readonly DoctorFinding[] {
  const find = finder('manifest');
  if (outline.kind === 'absent') {
    const fix = `${DEVCTL} doctor --config ${above ?? 'FILE'}`;
    return [find('problem', `no manifest: ${outline.root}`, fix)];
  }
  try {
    const { problems } = examineManifest({ file: outline.file });
    if (problems.length === 0) return [find('ok', `${outline.file}: no problems`)];
    const [first] = problems;
    const more = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
    const what = first ? formatProblem(first, outline.root) : '';
    return [find('problem', `${what}${more}`, `${DEVCTL} check`)];
  } catch (error) {
    return [
      find('problem', error instanceof Error ? error.message : String(error), `${DEVCTL} check`),
    ];
  }
}

/** Checks the records, and the runs that they describe. */
function onRecords(
  { folder }: OpenProject,
  { state, snapshot }: ProjectLook,
): readonly DoctorFinding[] {
  const records = finder('records');
  const processes = finder('processes');
  const damaged = state.problems.map(({ path, reason }) =>
    records('problem', `${path}: ${reason}`, `${DEVCTL} stop`),
  );
  const outdated = state.records.flatMap((record) => {
    const { service, leader, oneOff, supervisor } = record;
    // A task that has succeeded is as it should be.
    if (isDone(record)) return [];
    const subject = oneOff ? 'the one-off' : 'the service';
    if (leader === null || !livesIn(snapshot, leader)) {
      const what = `the record of ${subject} ${service} is of a run that has ended`;
      return records('warning', what, `${DEVCTL} stop ${service}`);
    }
    if (!isOfRunCommand(record) || livesIn(snapshot, supervisor)) return [];
    const what = `${subject} ${service} (pid ${leader.pid}) goes on, but its devctl run was killed`;
    return processes('problem', what, `${DEVCTL} stop ${service}`);
  });
  const found = [...damaged, ...outdated];
  return found.length > 0 ? found : [records('ok', `${folder.pidsDir}: no problems`)];
}

/** Checks whether there is a supervisor where one is needed, and whether it answers. */
async function onSupervisor(
  { folder }: OpenProject,
  { state, snapshot, latest }: ProjectLook,
): Promise<DoctorFinding> {
  const find = finder('supervisor');
  const running = state.records.some(
    ({ leader, oneOff }) => !oneOff && leader && livesIn(snapshot, leader),
  );
  const [first] = latest.supervisors;
  if (!first) {
    return running
      ? find('warning', 'services run without a supervisor', `${DEVCTL} adopt`)
      : find('ok', 'no supervisor, and no service that needs one');
  }
  const { pid } = first.identity;
  const socket = state.supervisor?.socket ?? null;
  const reached = await findSupervisor(folder, latest.supervisors, socket);
  if (first.state === 'T') return find('problem', `pid ${pid} is suspended`, `kill -CONT ${pid}`);
  if (!reached) return find('problem', `pid ${pid} does not answer`, `${DEVCTL} start`);
  const { version } = reached.hello;
  return version === ownVersion()
    ? find('ok', `pid ${pid} answers`)
    : find('warning', `pid ${pid} is devctl ${version}`, `${DEVCTL} start`);
}

const SHOWN_ORPHANS = 3;

function onOrphans({ state, snapshot, claims }: ProjectLook): DoctorFinding {
  const find = finder('processes');
  const orphans = claims.filter((claim) => isOrphan(claim, state, snapshot));
  if (orphans.length === 0) return find('ok', 'no orphans of this project');
  const shown = orphans
    .slice(0, SHOWN_ORPHANS)
    .map(({ process }) => `${describeCommand(snapshot, process)} (pid ${process.identity.pid})`);
  const others = orphans.length - shown.length;
  const more = others > 0 ? ` and ${others} more` : '';
  const what = `${orphans.length} left over of runs that have ended: ${shown.join(', ')}${more}`;
  return find('problem', what, `${DEVCTL} stop`);
}

/** Checks whether logs can be rotated in their folder, and whether they have grown too large. */
async function onLogs(
  { outline }: OpenProject,
  { state, latest }: ProjectLook,
): Promise<readonly DoctorFinding[]> {
  const find = finder('logs');
  if (outline.kind === 'absent') return [];
  const rotates = examineManifest({ file: outline.file }).manifest?.logRotation ?? null;
  const grown = findOversizedLogs(state.records);
  if (!rotates && grown.length === 0) return [];
  const { logsDir } = outline;
  const way = await findCutWay(existsSync(logsDir) ? logsDir : outline.root);
  if (way.how === null) {
    const what = `logs are not rotated, and grow: ${way.why}`;
    const where = 'keep them elsewhere with "logs.dir": ext4, XFS, btrfs and tmpfs can be rotated';
    return [find(grown.length > 0 ? 'problem' : 'warning', [what, ...grown, where].join('; '))];
  }
  if (grown.length > 0) {
    // Rotation is possible here. It was not done because there is no supervisor, because the supervisor failed, or
    // because the run is older than the setting "maxSize".
    const fix = latest.supervisors.length > 0 ? null : `${DEVCTL} adopt`;
    const why = fix
      ? 'no supervisor is there to do it'
      : 'its supervisor says why: .pids/supervisor.log';
    return [find('problem', `${grown.join('; ')}; ${why}`, fix)];
  }
  return [find('ok', `logs can be rotated in ${logsDir}`)];
}

async function onPorts(
  project: OpenProject,
  { snapshot, claims }: ProjectLook,
): Promise<readonly DoctorFinding[]> {
  const find = finder('ports');
  const declared = new Map(
    declaredServices(project).flatMap((one) => allPorts(one).map((port) => [port, one.name])),
  );
  if (declared.size === 0) return [find('ok', 'no service declares a port')];
  const ours = new Set(claims.map((claim) => claim.process.identity.pid));
  const holders = await findPortHolders([...declared.keys()], snapshot);
  const strangers = holders.filter(
    ({ process: holder }) => !holder || !ours.has(holder.identity.pid),
  );
  if (strangers.length === 0) {
    return [find('ok', `ports ${[...declared.keys()].join(', ')}: free, or our own`)];
  }
  return strangers.map((holder) => {
    const description = describeHolder(holder, snapshot);
    const pid = holder.process?.identity.pid;
    const mine = holder.uid === null || holder.uid === process.geteuid?.();
    const kill = pid === undefined ? null : `${mine ? '' : 'sudo '}kill ${pid}`;
    const what = `port ${holder.port} of ${declared.get(holder.port)} is held by ${description}`;
    return find('problem', what, kill);
  });
}

import { existsSync } from 'node:fs';
import { findSupervisor } from '../../client/connect.ts';
import { findOversizedLogs } from '../../logs/oversized.ts';
import { examineManifest } from '../../manifest/load.ts';
import type { ManifestQuery } from '../../manifest/locate.ts';
import { formatProblem } from '../../manifest/problem.ts';
import { ownVersion } from '../../package-root.ts';
import { describeCommand, describeHolder } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { findCutWay } from '../../processes/native/cut-file.ts';
import { findPortHolders } from '../../processes/ports.ts';
import { livesIn } from '../../processes/snapshot.ts';
import { declaredServices, type OpenProject } from '../../project/open-project.ts';
import { isOrphan, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { type DoctorFinding, finder } from './finding.ts';
import { checkLimits, checkMachine } from './machine.ts';
import { checkOtherProjects } from './other-projects.ts';

/**
 * Looks at everything that can keep devctl from keeping its promises here. Changes nothing, but for a control
 * group that it makes and removes again to see whether it can.
 */
export async function diagnose(
  host: Host,
  project: OpenProject,
  query: ManifestQuery,
): Promise<readonly DoctorFinding[]> {
  const look = await lookAtProject(host, project.folder);
  const { snapshot } = look;
  return [
    ...(await checkMachine(project)),
    ...checkLimits(snapshot),
    ...onManifest(project, query),
    ...(await onRecords(project, look)),
    ...(await onLogs(project, query, look)),
    ...(await onPorts(project, look)),
    ...checkOtherProjects(project, snapshot),
  ];
}

function onManifest({ outline }: OpenProject, query: ManifestQuery): readonly DoctorFinding[] {
  const find = finder('manifest');
  if (outline.kind === 'absent') {
    return [find('problem', `no manifest: ${outline.looked}`, 'devctl doctor --config FILE')];
  }
  try {
    const { problems } = examineManifest(query);
    if (problems.length === 0) return [find('ok', `${outline.file}: no problems`)];
    const [first] = problems;
    const more = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
    const what = first ? formatProblem(first, outline.root) : '';
    return [find('problem', `${what}${more}`, 'devctl check')];
  } catch (error) {
    return [
      find('problem', error instanceof Error ? error.message : String(error), 'devctl check'),
    ];
  }
}

async function onRecords(
  { folder }: OpenProject,
  { state, snapshot, claims, latest }: ProjectLook,
): Promise<readonly DoctorFinding[]> {
  const [records, supervisors, processes] = [
    finder('records'),
    finder('supervisor'),
    finder('processes'),
  ];
  const found: DoctorFinding[] = state.problems.map(({ path, reason }) =>
    records('problem', `${path}: ${reason}`, 'devctl stop'),
  );
  for (const { service, leader, oneOff, supervisor } of state.records) {
    const of = oneOff ? 'the one-off' : 'the service';
    const alive = leader !== null && livesIn(snapshot, leader);
    if (!alive) {
      const what = `the record of ${of} ${service} is of a run that has ended`;
      found.push(records('warning', what, `devctl stop ${service}`));
    } else if (oneOff && !livesIn(snapshot, supervisor)) {
      const what = `${of} ${service} (pid ${leader.pid}) goes on, but its devctl run was killed`;
      found.push(processes('problem', what, `devctl stop ${service}`));
    }
  }
  if (found.length === 0) found.push(records('ok', `${folder.pidsDir}: no problems`));

  const running = state.records.some(
    ({ leader, oneOff }) => !oneOff && leader && livesIn(snapshot, leader),
  );
  const [first] = latest.supervisors;
  if (!first) {
    found.push(
      running
        ? supervisors('warning', 'services run without a supervisor', 'devctl adopt')
        : supervisors('ok', 'no supervisor, and no service that needs one'),
    );
  } else {
    const { pid } = first.identity;
    const socket = state.supervisor?.socket ?? null;
    const reached = await findSupervisor(folder, latest.supervisors, socket);
    const other = reached && reached.hello.version !== ownVersion() ? reached.hello.version : null;
    if (first.state === 'T') {
      found.push(supervisors('problem', `pid ${pid} is suspended`, `kill -CONT ${pid}`));
    } else if (!reached) {
      found.push(supervisors('problem', `pid ${pid} does not answer`, 'devctl start'));
    } else if (other !== null) {
      found.push(supervisors('warning', `pid ${pid} is devctl ${other}`, 'devctl start'));
    } else found.push(supervisors('ok', `pid ${pid} answers`));
  }

  const orphans = claims.filter((claim) => isOrphan(claim, state, snapshot));
  if (orphans.length === 0) found.push(processes('ok', 'no orphans of this project'));
  else {
    const shown = orphans
      .slice(0, 3)
      .map(({ process: one }) => `${describeCommand(snapshot, one)} (pid ${one.identity.pid})`);
    const more = orphans.length > 3 ? ` and ${orphans.length - 3} more` : '';
    const what = `${orphans.length} left over of runs that have ended: ${shown.join(', ')}${more}`;
    found.push(processes('problem', what, 'devctl stop'));
  }
  return found;
}

/** Can logs be kept small where they are, and are they? */
async function onLogs(
  { outline }: OpenProject,
  query: ManifestQuery,
  { state, latest }: ProjectLook,
): Promise<readonly DoctorFinding[]> {
  const find = finder('logs');
  if (outline.kind === 'absent') return [];
  const rotates = examineManifest(query).manifest?.logRotation ?? null;
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
    // It can be done, so whoever is to do it does not: the supervisor, or the run is older than "maxSize".
    const fix = latest.supervisors.length > 0 ? null : 'devctl adopt';
    const who = fix
      ? 'no supervisor is there to do it'
      : 'its supervisor says why: .pids/supervisor.log';
    return [find('problem', `${grown.join('; ')}; ${who}`, fix)];
  }
  return [find('ok', `logs can be rotated in ${logsDir}`)];
}

async function onPorts(
  project: OpenProject,
  { snapshot, claims }: ProjectLook,
): Promise<readonly DoctorFinding[]> {
  const find = finder('ports');
  const declared = new Map(
    declaredServices(project).flatMap(({ name, ports }) => ports.map((port) => [port, name])),
  );
  if (declared.size === 0) return [find('ok', 'no service declares a port')];
  const ours = new Set(claims.map(({ process: one }) => one.identity.pid));
  const holders = await findPortHolders([...declared.keys()], snapshot);
  const strangers = holders.filter(
    ({ process: holder }) => !holder || !ours.has(holder.identity.pid),
  );
  if (strangers.length === 0) {
    return [find('ok', `ports ${[...declared.keys()].join(', ')}: free, or our own`)];
  }
  return strangers.map((holder) => {
    const who = describeHolder(holder, snapshot);
    const pid = holder.process?.identity.pid;
    const mine = holder.uid === null || holder.uid === process.geteuid?.();
    const kill = pid === undefined ? null : `${mine ? '' : 'sudo '}kill ${pid}`;
    const what = `port ${holder.port} of ${declared.get(holder.port)} is held by ${who}`;
    return find('problem', what, kill);
  });
}

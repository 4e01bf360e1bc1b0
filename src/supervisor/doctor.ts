import { examineManifest } from '../manifest/load.ts';
import type { ManifestQuery } from '../manifest/locate.ts';
import { formatProblem } from '../manifest/problem.ts';
import { readCookie } from '../ownership/cookie.ts';
import type { Host } from '../processes/host.ts';
import { loadNative } from '../processes/native.ts';
import { findPortHolders } from '../processes/ports.ts';
import { openFilesLimit, processLimits } from '../processes/process-limits.ts';
import { isGone, livesIn, type Snapshot } from '../processes/snapshot.ts';
import { describeHolder } from './describe.ts';
import { findSupervisor } from './ensure.ts';
import { declaredServices, type OpenProject } from './open-project.ts';
import { ownVersion } from './package-root.ts';
import { readProjectState } from './project-state.ts';
import { trackOwned } from './quarry.ts';
import { openRunGroups } from './run-groups.ts';
import { readStatus } from './status.ts';

/** Something that `doctor` has looked at. */
export interface Finding {
  readonly check:
    | 'machine'
    | 'limits'
    | 'manifest'
    | 'records'
    | 'supervisor'
    | 'processes'
    | 'ports';
  /** 'problem': something does not work, or is left over. 'warning': it may not, one day. */
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** The command that mends it; null where nothing is to be mended, or no one command does. */
  readonly fix: string | null;
}

type Level = Finding['level'];

/**
 * Looks at everything that can keep devctl from keeping its promises here. Changes nothing, but for a control
 * group that it makes and removes again to see whether it can.
 */
export async function examine(
  host: Host,
  project: OpenProject,
  query: ManifestQuery,
): Promise<readonly Finding[]> {
  const snapshot = await host.snapshot();
  return [
    ...(await onMachine(project)),
    ...onLimits(snapshot),
    ...onManifest(project, query),
    ...(await onRecords(host, project, snapshot)),
    ...(await onPorts(host, project, snapshot)),
    ...onOtherProjects(project, snapshot),
  ];
}

function finder(check: Finding['check']) {
  return (level: Level, message: string, fix: string | null = null): Finding => ({
    check,
    level,
    message,
    fix,
  });
}

async function onMachine({ folder }: OpenProject): Promise<readonly Finding[]> {
  const find = finder('machine');
  const native = await loadNative();
  const subreaper = native.available ? native.becomeSubreaper() : { held: false, why: native.why };
  const groups = openRunGroups(folder, () => {});
  const why = 'why' in groups ? groups.why : null;
  const koffi = /koffi does not load/.test(subreaper.why ?? '') ? 'npm install koffi' : null;
  const alone = !subreaper.held && why !== null;
  const pidfd = native.available ? native.whyNoPidfd : native.why;
  return [
    find('ok', `devctl ${ownVersion()}, Node ${process.versions.node}, ${process.platform}`),
    subreaper.held
      ? find('ok', 'subreaper: what a service leaves behind stays below its supervisor')
      : find('warning', `no subreaper: ${subreaper.why}`, koffi),
    why === null
      ? find('ok', 'control groups: each run is born in one of its own')
      : find(alone ? 'warning' : 'ok', `no control groups: ${why}`),
    pidfd === null
      ? find('ok', 'pidfds: no signal can hit the next owner of a number')
      : find('ok', `no pidfds, identities are checked before each signal: ${pidfd}`),
    ...(alone
      ? [find('warning', 'with neither, every proof is best effort (README, Limits)', koffi)]
      : []),
  ];
}

/** From this share on it is only a matter of time. */
const CLOSE = 0.8;
const FEW_FILES = 1024;

function onLimits(snapshot: Snapshot): readonly Finding[] {
  const find = finder('limits');
  const files = openFilesLimit();
  const found = processLimits(snapshot).map(({ used, limit, by }) => {
    const message = `processes and threads: ${used} of ${limit} (${by})`;
    if (used < CLOSE * limit) return find('ok', message);
    return find('warning', message, by === 'RLIMIT_NPROC' ? `ulimit -u ${4 * limit}` : null);
  });
  const few = files !== null && files < FEW_FILES;
  return [
    ...(found.length > 0 ? found : [find('ok', 'processes: no limit that can be seen')]),
    ...(few ? [find('warning', `open files: only ${files}`, `ulimit -n ${FEW_FILES}`)] : []),
  ];
}

function onManifest({ outline }: OpenProject, query: ManifestQuery): readonly Finding[] {
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

const HELLO_MS = 1_000;

async function onRecords(
  host: Host,
  project: OpenProject,
  snapshot: Snapshot,
): Promise<readonly Finding[]> {
  const { folder } = project;
  const [records, supervisors, processes] = [
    finder('records'),
    finder('supervisor'),
    finder('processes'),
  ];
  const state = readProjectState(folder);
  const status = await readStatus(host, project, null);
  const self = await host.self();
  const quarry = trackOwned({ state, self, names: new Set(), remember: () => {} });
  quarry.claim(snapshot);
  const latest = quarry.latest();
  const found: Finding[] = state.problems.map(({ path, reason }) =>
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
        ? supervisors('warning', 'services run without a supervisor', 'devctl start')
        : supervisors('ok', 'no supervisor, and no service that needs one'),
    );
  } else {
    const { pid } = first.identity;
    const socket = state.supervisor?.socket ?? null;
    const reached = await findSupervisor(folder, latest.supervisors, socket, HELLO_MS);
    const other = reached && reached.hello.version !== ownVersion() ? reached.hello.version : null;
    if (first.state === 'T') {
      found.push(supervisors('problem', `pid ${pid} is suspended`, `kill -CONT ${pid}`));
    } else if (!reached) {
      found.push(supervisors('problem', `pid ${pid} does not answer`, 'devctl start'));
    } else if (other !== null) {
      found.push(supervisors('warning', `pid ${pid} is devctl ${other}`, 'devctl start'));
    } else found.push(supervisors('ok', `pid ${pid} answers`));
  }

  const { orphans } = status;
  if (orphans.length === 0) found.push(processes('ok', 'no orphans of this project'));
  else {
    const shown = orphans.slice(0, 3).map(({ pid, command }) => `${command} (pid ${pid})`);
    const more = orphans.length > 3 ? ` and ${orphans.length - 3} more` : '';
    const what = `${orphans.length} left over of runs that have ended: ${shown.join(', ')}${more}`;
    found.push(processes('problem', what, 'devctl stop'));
  }
  return found;
}

async function onPorts(
  host: Host,
  project: OpenProject,
  snapshot: Snapshot,
): Promise<readonly Finding[]> {
  const find = finder('ports');
  const declared = new Map(
    declaredServices(project).flatMap(({ name, ports }) => ports.map((port) => [port, name])),
  );
  if (declared.size === 0) return [find('ok', 'no service declares a port')];
  const state = readProjectState(project.folder);
  const self = await host.self();
  const quarry = trackOwned({ state, self, names: new Set(), remember: () => {} });
  const claims = quarry.claim(snapshot);
  const holders = await findPortHolders([...declared.keys()], snapshot);
  const strangers = holders.filter(
    ({ process: holder }) => !holder || !claims.has(holder.identity.pid),
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

/** What carries the mark of another project that nobody holds any more: no supervisor, guard or `devctl run`. */
function onOtherProjects({ folder }: OpenProject, snapshot: Snapshot): readonly Finding[] {
  const find = finder('processes');
  const held = new Set<string>();
  const left = new Map<string, { count: number; folder: string | null }>();
  for (const one of snapshot.byPid.values()) {
    if (isGone(one) || one.kernelThread) continue;
    const cookie = readCookie(snapshot.details.environ(one) ?? '');
    const [id] = cookie?.projects ?? [];
    if (!cookie || id === undefined || id === folder.projectId) continue;
    const above = snapshot.byPid.get(one.ppid);
    const argv = (above && snapshot.details.argv(above)) ?? [];
    const run = argv.some((word) => /(^|\/)devctl(\.js)?$/.test(word)) && argv.includes('run');
    if (cookie.role === 'supervisor' || run) held.add(id);
    if (cookie.service === null) continue;
    const known = left.get(id) ?? { count: 0, folder: snapshot.details.cwd(one) };
    left.set(id, { ...known, count: known.count + 1 });
  }
  const orphaned = [...left].filter(([id]) => !held.has(id));
  if (orphaned.length === 0) return [find('ok', 'no orphans of other projects')];
  return orphaned.map(([id, { count, folder: at }]) => {
    const where = at === null ? '' : `, in ${at}`;
    const what = `${count} of another project (${id}${where}) run without a supervisor`;
    return find('warning', what, at === null ? null : `cd ${quoted(at)} && devctl stop`);
  });
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

import { readCookie } from '../../ownership/cookie.ts';
import { isRunCommand } from '../../ownership/devctl-argv.ts';
import { isGone, type Snapshot } from '../../processes/snapshot.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { type DoctorFinding, finder } from './finding.ts';

/** Finds orphans of other projects: processes of a project that has neither a supervisor, a guard, nor a `devctl run`. */
export function checkOtherProjects(
  { folder }: OpenProject,
  snapshot: Snapshot,
): readonly DoctorFinding[] {
  const find = finder('processes');
  const contained = new Set<string>();
  const running = new Map<string, { count: number; folder: string | null }>();
  for (const process of snapshot.byPid.values()) {
    if (isGone(process) || process.kernelThread) continue;
    const cookie = readCookie(snapshot.details.environ(process) ?? '');
    const [id] = cookie?.projects ?? [];
    if (!cookie || id === undefined || id === folder.projectId) continue;
    const parent = snapshot.byPid.get(process.ppid);
    const argv = (parent && snapshot.details.argv(parent)) ?? [];
    if (cookie.role === 'supervisor' || isRunCommand(argv)) contained.add(id);
    if (cookie.service === null) continue;
    const known = running.get(id) ?? { count: 0, folder: snapshot.details.cwd(process) };
    running.set(id, { ...known, count: known.count + 1 });
  }
  const orphaned = [...running].filter(([id]) => !contained.has(id));
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

import { readCookie } from '../../ownership/cookie.ts';
import { isRunCommand } from '../../ownership/devctl-argv.ts';
import { isGone, type Snapshot } from '../../processes/snapshot.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { type DoctorFinding, finder } from './finding.ts';

/** What carries the mark of another project that nobody holds any more: no supervisor, guard or `devctl run`. */
export function checkOtherProjects(
  { folder }: OpenProject,
  snapshot: Snapshot,
): readonly DoctorFinding[] {
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
    if (cookie.role === 'supervisor' || isRunCommand(argv)) held.add(id);
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

import { DEVCTL } from '../../own-command.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { isOfOtherManifest } from '../../project/recorded-project.ts';
import { findRunningProjects, type RunningProject } from '../../tracking/running-projects.ts';
import { type DoctorFinding, finder } from './finding.ts';

/**
 * Finds what other projects of this user have left: processes of a project whose folder is gone, and of a project that
 * has neither a supervisor nor a `devctl run`.
 */
export function checkOtherProjects(
  { folder }: OpenProject,
  snapshot: Snapshot,
  self: Identity,
): readonly DoctorFinding[] {
  const find = finder('processes');
  const left = findRunningProjects(snapshot, self).filter(
    (project) =>
      !isOurs(folder, project) &&
      (project.gone || (!project.attended && project.processes.length > 0)),
  );
  if (left.length === 0) return [find('ok', 'no orphans of other projects')];
  return left.map((project) => {
    const { id, marks, path, gone, processes } = project;
    const named = id ?? marks[0] ?? '';
    const count = processes.length === 0 ? 'devctl' : String(processes.length);
    const what = gone
      ? `the folder ${path ?? named} is gone, and ${count} of its project still run`
      : `${count} of another project (${path ?? named}) run without a supervisor`;
    const target = gone || path === null ? named : quoted(path);
    return find('warning', what, `${DEVCTL} stop --project ${target}`);
  });
}

function isOurs(folder: ProjectFolder, { id, marks }: RunningProject): boolean {
  if (id !== null && id === folder.id) return true;
  // Another manifest of the folder has our mark, and an id of its own.
  const isOther = id !== null && isOfOtherManifest(folder, { projectId: id });
  return marks.includes(folder.mark) && !isOther;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

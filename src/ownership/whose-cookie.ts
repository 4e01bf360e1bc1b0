import { variantIn } from '../project/project-id.ts';
import type { Cookie } from './cookie.ts';

/** The facts that tell the cookies of a project from all others. */
export interface ProjectIdentity {
  /** The real path of the project folder, and the paths that it had before. */
  readonly paths: readonly string[];
  /** Values of DEVCTL_PROJECT that may stand for this project, now or under an earlier path. */
  readonly marks: ReadonlySet<string>;
  /** The id of the project; null: none is proved, so the path decides. */
  readonly id: string | null;
  /** The end of its id, which tells the projects of one folder apart: another manifest has another end. */
  readonly variant: string;
  /** Ids that live, or are registered, in another folder, or whose processes are in another PID namespace. */
  readonly idsElsewhere: ReadonlySet<string>;
  /**
   * Ids, and runs whose mark has no id, that may be of a project which was moved away: processes of them work in the
   * folder of another project, or another folder was at our path then. Missing: none.
   */
  readonly inDoubt?: { readonly ids: ReadonlySet<string>; readonly runs: ReadonlySet<string> };
  /** Ids of supervisors and guards that work in the project folder, whatever its records say. */
  readonly idsHere?: ReadonlySet<string>;
  /** Runs that another folder keeps: its records name the run, and a process of the run works there. */
  readonly runsElsewhere?: ReadonlySet<string>;
  /** Names of the control groups of the project, `devctl-<hash>`, under its present and its earlier paths. */
  readonly groupNames: ReadonlySet<string>;
}

/**
 * Tells whether a cookie is that of this project.
 *
 * Each mark must be one of ours, whatever the id says: an early devctl that was started inside a service sets the
 * mark and leaves our id in the environment. A mark of ours with another id is ours where that id is nowhere else:
 * the records were lost, and a new id was drawn. A run that another folder keeps is not ours even with our id, because
 * anybody may write an id into a file.
 */
export function isCookieOf(project: ProjectIdentity, cookie: Cookie): boolean {
  const { projects, projectId, runId } = cookie;
  if (!projects.every((mark) => project.marks.has(mark))) return false;
  if (runId !== null && project.runsElsewhere?.has(runId)) return false;
  if (projectId === null || projectId === project.id) return true;
  if (project.idsHere?.has(projectId)) return true;
  return isUnsettled(project, cookie) && !project.idsElsewhere.has(projectId);
}

/** Tells whether a cookie of ours may be that of a project that was moved away. */
export function isCookieInDoubt(
  { inDoubt }: ProjectIdentity,
  { projectId, runId }: Pick<Cookie, 'projectId' | 'runId'>,
): boolean {
  if (!inDoubt) return false;
  return projectId === null ? inDoubt.runs.has(runId ?? '') : inDoubt.ids.has(projectId);
}

/** Tells whether a cookie has a mark of ours and the id of another project, which may be this one before. */
export function isUnsettled(
  { marks, id, variant, idsHere }: ProjectIdentity,
  { projects, projectId }: Cookie,
): boolean {
  if (projectId === null || projectId === id || idsHere?.has(projectId)) return false;
  if (!projects.every((mark) => marks.has(mark))) return false;
  // Another manifest of the folder is another project, wherever it keeps its records.
  return variantIn(projectId) === variant;
}

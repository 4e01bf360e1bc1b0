/** Where the name of a compose project comes from. */
export type NameSource = 'manifest' | 'environment' | 'compose-file' | 'folder';

export interface ProjectName {
  readonly name: string;
  readonly source: NameSource;
  /** True where the name has a part that only this folder has, so its volumes are its own. */
  readonly isOwn: boolean;
}

/** The name that a project had at an earlier start. It is kept, so that its volumes stay. */
export interface KnownName {
  readonly name: string;
  /** The name without the part of this folder. */
  readonly base: string;
  readonly source: NameSource;
}

/** The facts that decide on the name of a compose project. */
export interface NameFacts {
  /** `containers.project` of the manifest. */
  readonly fromManifest: string | null;
  /** COMPOSE_PROJECT_NAME, of the environment or of `.env`. */
  readonly fromEnvironment: string | null;
  /** `name:` of the compose file. */
  readonly fromFile: string | null;
  /** The folder of the compose file. */
  readonly folderName: string;
  /** True in a linked worktree or a copy: the plain name is that of the main checkout. */
  readonly isSecond: boolean;
  readonly known: KnownName | null;
  readonly projectId: string;
}

/** Number of hex digits of the project's id in the name of a second checkout. */
const OWN_PART = 6;

/**
 * Chooses the name of the compose project. Containers, networks and volumes have it in their names, so another name
 * means another, empty database: the main checkout keeps the name that compose itself would give.
 */
export function chooseProjectName(facts: NameFacts): ProjectName {
  const { fromManifest, fromEnvironment, fromFile, folderName, known } = facts;
  // Named for this very folder: nothing is added to it.
  if (fromManifest) return { name: fromManifest, source: 'manifest', isOwn: false };
  if (fromEnvironment) return { name: fromEnvironment, source: 'environment', isOwn: false };
  const source = fromFile ? 'compose-file' : 'folder';
  const base = normaliseName(fromFile ?? folderName);
  // Compose would take the new name of a folder that was renamed. The volumes have the old one.
  if (known && known.source === source && (source === 'folder' || known.base === base))
    return { name: known.name, source, isOwn: known.name !== known.base };
  if (!facts.isSecond) return { name: base, source, isOwn: false };
  return { name: `${base}-${ownPart(facts.projectId)}`, source, isOwn: true };
}

/** Adds the part that only this folder has, where another project of devctl has the plain name already. */
export function withOwnPart({ name, source }: ProjectName, projectId: string): ProjectName {
  return { name: `${name}-${ownPart(projectId)}`, source, isOwn: true };
}

function ownPart(projectId: string): string {
  return projectId.slice(0, OWN_PART);
}

/** Makes the name of a folder a name of a compose project, as compose does. */
export function normaliseName(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]/g, '')
      .replace(/^[_-]+/, '') || 'default'
  );
}

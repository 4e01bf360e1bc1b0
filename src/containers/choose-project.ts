import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DevctlError } from '../errors.ts';
import type { ContainerSettings } from '../manifest/resolved.ts';
import { DEVCTL } from '../own-command.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { type ComposeProject, composeFolderName } from './compose.ts';
import type { Engine } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import { COMPOSE_PROJECT_LABEL, type ContainerMarks, isOurs, PROJECT_LABEL } from './labels.ts';
import { chooseProjectName, type ProjectName, withOwnPart } from './project-name.ts';
import { type ContainersRecord, readKnownName, writeKnownName } from './record.ts';
import { containersOfProject, requireAnswer } from './require-answer.ts';

/** The facts of a start that the name of its compose project depends on. */
export interface ChoiceFacts {
  readonly engine: Engine;
  readonly folder: ProjectFolder;
  readonly marks: ContainerMarks;
  readonly settings: ContainerSettings;
  readonly compose: ComposeProject;
  /** The record of containers that are there already. */
  readonly record: ContainersRecord | null;
  readonly warn: (line: string) => void;
}

/**
 * Chooses the name of the compose project, and lists its containers, whoever made them. A name that nobody has given is
 * kept for later starts.
 *
 * @throws DevctlError 'start-failed' where the engine does not answer, or containers of ours have another name
 */
export async function chooseComposeProject(
  facts: ChoiceFacts,
): Promise<{ readonly name: string; readonly containers: readonly EngineContainer[] }> {
  const { engine, folder, settings, compose, record } = facts;
  const known = readKnownName(folder);
  const isCopy = known === 'copied';
  const kept = isCopy ? null : known;
  const projectId = folder.id ?? '';
  const plain = chooseProjectName({
    fromManifest: settings.project,
    fromEnvironment: compose.nameInEnvironment,
    fromFile: compose.model.name,
    folderName: composeFolderName(compose),
    isSecond: isCopy || isLinkedWorktree(folder.root),
    known: kept,
    projectId,
  });
  if (record && record.composeProject !== plain.name && record.containers.length > 0)
    throw renamed(record.composeProject, plain.name);
  const containers = await containersOfProject(engine, plain.name);
  const isFree = plain.source === 'compose-file' || plain.source === 'folder';
  if (!isFree || kept !== null) return { name: plain.name, containers };
  if (!plain.isOwn && (await isOfAnother(plain.name, containers, facts))) {
    const own = withOwnPart(plain, projectId);
    keepName(own, facts);
    return { name: own.name, containers: await containersOfProject(engine, own.name) };
  }
  keepName(plain, facts);
  return { name: plain.name, containers };
}

/** Tells whether another project of devctl has this name: its containers carry its label, and so do its volumes. */
async function isOfAnother(
  name: string,
  containers: readonly EngineContainer[],
  { engine, marks }: ChoiceFacts,
): Promise<boolean> {
  const filter = `label=${COMPOSE_PROJECT_LABEL}=${name}`;
  const volumes = requireAnswer(await engine.findThingsBy('volume', [filter]));
  return [...containers, ...volumes].some(
    ({ labels }) => labels[PROJECT_LABEL] !== undefined && !isOurs(labels, marks),
  );
}

function keepName({ name, isOwn, source }: ProjectName, { folder, warn }: ChoiceFacts): void {
  const base = isOwn ? name.replace(/-[0-9a-f]{6}$/, '') : name;
  writeKnownName(folder, { name, base, source });
  if (isOwn)
    warn(
      `the compose project is ${name}, because ${base} is that of another checkout: its volumes are new`,
    );
}

function renamed(before: string, now: string): DevctlError {
  return new DevctlError(
    'start-failed',
    `the containers of this project run as the compose project ${before}, and it is ${now} by now`,
    {
      hint: `${DEVCTL} stop --containers, then start again: volumes have the name of the compose project`,
    },
  );
}

/** Tells whether a folder is in a linked worktree of git, whose main checkout has the plain name. */
function isLinkedWorktree(root: string): boolean {
  for (let folder = root; ; folder = dirname(folder)) {
    const git = join(folder, '.git');
    if (existsSync(git)) {
      return (
        statSync(git).isFile() && /^gitdir:.*[\\/]worktrees[\\/]/m.test(readFileSync(git, 'utf8'))
      );
    }
    if (folder === dirname(folder)) return false;
  }
}

import type { ProjectFolder } from '../project/folder.ts';
import { variantOf } from '../project/names.ts';
import { readFolderPlace, readPlace } from '../project/place/project-file.ts';
import type { ContainerMarks } from './labels.ts';

/** Reads by what the containers of a project are known. */
export function marksOf({ id, root, manifestName }: ProjectFolder): ContainerMarks {
  const here = readFolderPlace(root, readPlace());
  const variant = variantOf(manifestName);
  const place = here && `${here.machineId ?? ''}:${here.device}:${here.inode}${variant}`;
  return { id, root, place };
}

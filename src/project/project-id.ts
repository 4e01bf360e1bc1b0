/** Length of the id of a folder. An id of a project is that of its folder, and the variant of its manifest behind it. */
const FOLDER_ID_LENGTH = 16;

/** Takes the id of the folder, which all its manifests share, from the id of a project. */
export function folderIdOf(projectId: string): string {
  return projectId.slice(0, FOLDER_ID_LENGTH);
}

/** Takes the variant from the id of a project: see `variantOf`. */
export function variantIn(projectId: string): string {
  return projectId.slice(FOLDER_ID_LENGTH);
}

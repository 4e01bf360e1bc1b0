/**
 * Tells whether a path is a folder or lies below it.
 *
 * @param root real path of the folder
 * @param path real path, as the kernel gives it; null when it is unreadable
 */
export function isInside(root: string, path: string | null): boolean {
  if (path === null) return false;
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
}

/** Lists a folder and those around it, innermost first. Null, or a path that is not absolute: none. */
export function foldersUpwards(path: string | null): readonly string[] {
  const folders: string[] = [];
  if (path === null || !path.startsWith('/')) return folders;
  for (let folder = path; folder !== '/'; ) {
    folders.push(folder);
    folder = folder.slice(0, folder.lastIndexOf('/')) || '/';
  }
  return [...folders, '/'];
}

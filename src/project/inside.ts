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

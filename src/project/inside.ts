/**
 * Is a working directory the project folder or below it?
 *
 * @param root real path of the project folder
 * @param path real path, as the kernel gives it; null when unreadable
 */
export function isInside(root: string, path: string | null): boolean {
  if (path === null) return false;
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
}

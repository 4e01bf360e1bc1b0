/**
 * The path of a file after a folder above it was moved. Any other path stays.
 *
 * @param from absolute path that the folder had
 * @param to absolute path that it has
 */
export function rebasePath(path: string, from: string, to: string): string {
  if (path === from) return to;
  return path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : path;
}

/** The same for each path of a list such as PATH, and for a text that is no list. */
export function rebasePathList(text: string, from: string, to: string): string {
  return text
    .split(':')
    .map((path) => rebasePath(path, from, to))
    .join(':');
}

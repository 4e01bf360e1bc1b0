/** Quotes a text for a unit: systemd removes the quotes, the escapes and the doubled `%` again. */
export function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replaceAll(/\p{Cc}/gu, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `"${escaped}"`;
}

/** A path as the whole value of a key: nothing is unquoted there, and `%` is doubled. */
export function pathValue(path: string): string {
  return path.replaceAll('%', '%%');
}

/** A path of `EnvironmentFile=`, which is a pattern. */
export function filePattern(path: string): string {
  return pathValue(path.replaceAll(/[\\*?[\]]/g, '\\$&'));
}

/**
 * The command line of a command of the manifest. A program without a path is looked for by env(1), because systemd
 * looks through a PATH of its own.
 *
 * @param over variables that a file of `EnvironmentFile=` must not win against
 */
export function execLine(
  command: string | readonly string[],
  over: readonly (readonly [name: string, value: string])[] = [],
): string {
  const words = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const assigned = over.map(([name, value]) => `${name}=${value}`);
  const isPath = words[0]?.startsWith('/') === true && assigned.length === 0;
  return [...(isPath ? [] : ['/usr/bin/env', ...assigned]), ...words].map(word).join(' ');
}

function word(text: string): string {
  if (/^[\w./:=@,+-]+$/.test(text)) return text;
  return quoted(text).replaceAll('$', '$$$$');
}

/** Quotes a word for a shell. No `$NAME` stays in one piece, because ruby-foreman replaces it even in quotes. */
export function literalWord(text: string): string {
  if (/^[\w@%+:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''").replaceAll('$', () => "$''")}'`;
}

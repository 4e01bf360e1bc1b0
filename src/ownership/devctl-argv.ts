/** Options of Node that take the next word as their value: `node --help`. */
const NODE_OPTIONS_WITH_VALUE: ReadonlySet<string> = new Set([
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '-C',
  '--conditions',
  '--env-file',
]);

/**
 * Recognises a devctl command: `node [options] …/devctl[.js] …`, or a program of that name. A command line that
 * only mentions devctl (`vim bin/devctl.js`) is none.
 */
export function isDevctl(argv: readonly string[]): boolean {
  return wordsOfDevctl(argv) !== null;
}

/** Recognises `devctl run …`, with any options between. */
export function isRunCommand(argv: readonly string[]): boolean {
  const words = wordsOfDevctl(argv) ?? [];
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? undefined : end).includes('run');
}

/** @returns the words after the script; null where the command line runs no devctl */
function wordsOfDevctl([program = '', ...words]: readonly string[]): readonly string[] | null {
  if (!/(^|\/)(node|devctl)$/.test(program)) return null;
  let script = 0;
  while (words[script]?.startsWith('-')) {
    script += NODE_OPTIONS_WITH_VALUE.has(words[script] ?? '') ? 2 : 1;
  }
  return /(^|\/)devctl(\.js)?$/.test(words[script] ?? '') ? words.slice(script + 1) : null;
}

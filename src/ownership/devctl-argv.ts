/** Options of Node whose next word is their value (`node --help`). */
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
 * Tells whether a command line runs devctl: `node [options] …/devctl[.js] …`, or a program named devctl. A
 * command line that only mentions devctl (`vim bin/devctl.js`) does not run it.
 */
export function isDevctl(argv: readonly string[]): boolean {
  return wordsOfDevctl(argv) !== null;
}

/** Tells whether a command line is `devctl run …`, with any options in between. */
export function isRunCommand(argv: readonly string[]): boolean {
  const words = wordsOfDevctl(argv) ?? [];
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? undefined : end).includes('run');
}

/** Lists the words after the devctl script; null when the command line does not run devctl. */
function wordsOfDevctl([program = '', ...words]: readonly string[]): readonly string[] | null {
  if (!/(^|\/)(node|devctl)$/.test(program)) return null;
  let script = 0;
  while (words[script]?.startsWith('-')) {
    script += NODE_OPTIONS_WITH_VALUE.has(words[script] ?? '') ? 2 : 1;
  }
  return /(^|\/)devctl(\.js)?$/.test(words[script] ?? '') ? words.slice(script + 1) : null;
}

/** Recognises the resident process of any version: `node … dist/supervisor/main.js ROOT …`. */
export function isSupervisorCommand(argv: readonly string[]): boolean {
  return argv.slice(1).some((word) => word.endsWith('/supervisor/main.js'));
}

/** Recognises a guard, before its execve(2) (`node … guard.cjs`) and after it (`devctl-guard SECONDS`, `sleep SECONDS`). */
export function isGuardCommand(argv: readonly string[]): boolean {
  const [program = '', seconds = ''] = argv;
  if (argv.slice(1).some((word) => word.endsWith('/supervisor/guard.cjs'))) return true;
  return /^(devctl-guard|sleep)$/.test(program) && seconds === '2147483647';
}

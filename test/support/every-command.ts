/** Every command that works on a project, in its plainest form, with what it does to the project. */
const EVERY_COMMAND: readonly (readonly [
  does: 'starts' | 'ends' | 'reads',
  ...words: readonly string[],
])[] = [
  ['starts', 'start'],
  ['starts', 'up'],
  ['starts', 'restart'],
  ['starts', 'adopt'],
  ['starts', 'run', '--', 'true'],
  ['ends', 'stop'],
  ['ends', 'stop', 'web'],
  ['ends', 'stop', '--force'],
  ['ends', 'stop', '--dry-run'],
  ['ends', 'sweep'],
  ['reads', 'status'],
  ['reads', 'wait', '--timeout', '0'],
  ['reads', 'tree'],
  ['reads', 'monitor', '--json'],
  ['reads', 'send', 'web', 'x'],
  ['reads', 'logs'],
  ['reads', 'report'],
  ['reads', 'check'],
  ['reads', 'export', 'procfile'],
  ['reads', 'doctor'],
];

/** The words of each command that does one of these things. */
export function commandsThat(
  ...kinds: readonly ('starts' | 'ends' | 'reads')[]
): readonly (readonly string[])[] {
  return EVERY_COMMAND.flatMap(([does, ...words]) => (kinds.includes(does) ? [words] : []));
}

/** Puts options where commander reads them: before the command of `devctl run`. */
export function withOptions(
  words: readonly string[],
  ...options: readonly string[]
): readonly string[] {
  const [command = '', ...rest] = words;
  return [command, ...options, ...rest];
}

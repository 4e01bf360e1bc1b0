import { NOTHING, type Reading } from './proposal.ts';
import type { Repository } from './repository.ts';

/** Names of scripts that start everything by hand. */
export const START_SCRIPTS = [
  'start-dev.sh',
  'dev.sh',
  'start.sh',
  'run-dev.sh',
  'scripts/start-dev.sh',
  'scripts/dev.sh',
  'bin/dev',
] as const;

const MOST_SHOWN = 12;

/** Shows what a start script starts in the background, where nothing of it is taken. */
export function readStartScript(repository: Repository, file: string): Reading {
  const text = repository.texts.get(file);
  if (text === undefined) return NOTHING;
  const joined = text.replace(/\\\r?\n\s*/g, '');
  const lines = joined.split(/\r?\n/).map((line) => line.trim());
  const started = lines.filter(
    (line) =>
      !line.startsWith('#') && /(?:^|[^&])&\s*(?:#.*)?$/.test(line) && !/^wait\b/.test(line),
  );
  if (started.length === 0) return NOTHING;
  const shown = started.slice(0, MOST_SHOWN).map((line) => `  ${line}`);
  const more = started.length - shown.length;
  return {
    ...NOTHING,
    notes: [
      `${file} starts in the background, and nothing of it is taken:`,
      ...shown,
      ...(more > 0 ? [`  … and ${more} more`] : []),
    ],
  };
}

/** Tells whether a script is meant for a shell: `bin/dev` may be Ruby. */
export function isShellScript(text: string): boolean {
  const [first = ''] = text.split('\n', 1);
  return !first.startsWith('#!') || /\b(?:sh|bash|dash|zsh|ksh)\s*(?:-\w+\s*)*$/.test(first);
}

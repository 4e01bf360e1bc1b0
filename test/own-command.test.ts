import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../src/command-line/entries.ts';
import { DEVCTL } from '../src/own-command.ts';
import { repositoryRoot } from './support/paths.ts';

/**
 * The texts of src/ that only speak of a command of devctl. A text that a person or a script is to type says DEVCTL, because plain
 * npx would fetch whatever has the name devctl.
 */
const SPOKEN_OF: readonly (readonly [file: string, text: string])[] = [
  // Descriptions for the JSON Schema, which are documentation.
  ['manifest/schema.ts', 'Does `devctl start` without names start it?'],
  ['manifest/schema.ts', '`devctl send` types into it'],
  ['manifest/schema.ts', '`devctl attach` shows it'],
  // A shell completes the word devctl, so whoever asks for that has a program of this name.
  ['cli.ts', 'source <(devctl completion bash)     in ~/.bashrc'],
  ['cli.ts', 'devctl completion fish | source      in ~/.config'],
  ['commands/completion.ts', '# devctl completion for bash: source <(devctl completion bash)'],
  ['commands/completion.ts', '# devctl completion for zsh: source <(devctl completion zsh)'],
  ['commands/completion.ts', '# devctl completion for fish: devctl completion fish | source'],
  // A command that runs or has run, and is to be told from others.
  ['commands/manifests/propose-once.ts', 'devctl up runs inside a service'],
  ['commands/manifests/save.ts', 'from: `devctl start $'],
  ['commands/monitor.ts', 'devctl monitor needs a terminal'],
  ['commands/run.ts', 'was ended by a devctl stop'],
  ['commands/start.ts', 'devctl start is process 1 here'],
  ['commands/yield-lock.ts', 'a devctl stop has taken over'],
  ['init/manifest-text.ts', '// Written by devctl init.'],
  ['operations/doctor/doctor.ts', 'its devctl run was killed'],
  ['operations/run/end.ts', 'a devctl stop has ended it'],
  ['operations/run/end.ts', 'below devctl run that is not of the run (devctl start?)'],
  ['operations/wait/wait.ts', 'is a command of devctl run'],
  ['output/monitor/terminal-restorer.ts', 'devctl monitor was killed'],
  ['supervisor/api/foreground-holds.ts', 'its devctl up has died'],
  ['supervisor/api/foreground-holds.ts', 'stopping for a devctl up that has died'],
  // The title of a page.
  ['output/html/page.ts', '– devctl report of'],
  ['output/html/page.ts', '· devctl report${period'],
  // The role of a process.
  ['commands/tree.ts', "role === 'run' ? 'devctl run'"],
  ['operations/stop/build-report.ts', "const starter = oneOff && !oneOff.hook ? 'devctl run'"],
  ['operations/stop/build-report.ts', 'below the supervisor or devctl run is a child'],
  ['operations/stop/build-report.ts', 'its guard or devctl run could not be asked'],
  ['ownership/claims.ts', "process, 'devctl run', run"],
  ['ownership/claims.ts', "'guard' | 'devctl run'"],
];

const folder = join(repositoryRoot, 'src');
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, code: codeOf(readFileSync(join(folder, file), 'utf8')) }));

/** Removes comments; lines stay where they are. */
function codeOf(text: string): string {
  const blank = (comment: string): string => comment.replaceAll(/./g, ' ');
  return text
    .replaceAll(/(?<=^|[\s({])\/\*[\s\S]*?\*\//g, blank)
    .replaceAll(/^\s*\/\/.*$/gm, blank);
}

/** The commands and options that a person can type after `devctl`. */
const verbs = [...COMMANDS.map(({ name }) => name), 'completion', 'help'];

/** @returns `file:line text` of each call of devctl under its bare name */
function bareCalls(file: string, code: string): readonly string[] {
  const call = new RegExp(`(?<!--no-install )\\bdevctl (?:(?:${verbs.join('|')})\\b|--\\w)`, 'g');
  return [...code.matchAll(call)].map(({ index }) => {
    const line = code.slice(0, index).split('\n').length;
    return `${file}:${line} ${(code.split('\n')[line - 1] ?? '').trim()}`;
  });
}

test('a command to type is written with DEVCTL; other texts are on the list', () => {
  expect(verbs).toEqual(
    expect.arrayContaining(['start', 'stop', 'attach', 'doctor', 'completion']),
  );
  const found = sources.flatMap(({ file, code }) => {
    const others = SPOKEN_OF.filter(([of]) => of === file).reduce(
      (rest, [, text]) => rest.replaceAll(text, ''),
      code,
    );
    return bareCalls(file, others);
  });
  expect(found).toEqual([]);
});

test('each text of the list is still in its file', () => {
  const gone = SPOKEN_OF.filter(
    ([file, text]) => !sources.some((one) => one.file === file && one.code.includes(text)),
  );
  expect(gone).toEqual([]);
});

test('the rule bites: hints, options and HTML; not comments, other words and whole commands', () => {
  expect(bareCalls('a.ts', 'hint: `devctl stop web`,')).toHaveLength(1);
  expect(bareCalls('a.ts', "hint: 'devctl --help lists them',")).toHaveLength(1);
  expect(bareCalls('a.ts', '<code>devctl report --since</code>')).toHaveLength(1);
  expect(bareCalls('a.ts', codeOf('/** Runs `devctl stop`. */\n  // devctl stop\n'))).toEqual([]);
  expect(bareCalls('a.ts', "'devctl starts nothing, devctl.json'")).toEqual([]);
  expect(bareCalls('a.ts', `'${DEVCTL} stop'`)).toEqual([]);
});

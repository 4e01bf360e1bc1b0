import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctlWith } from '../support/devctl.ts';
import { fullTest, isFull, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const FILES = {
  Procfile: `web: node report.mjs web 'two words' "$GREETING" $QUOTED
worker: node report.mjs worker "a  b" && node report.mjs after $(echo sub) \\; "q\\"uote"
# no: process

clock: exec node report.mjs clock --x=1 *.none
`,
  '.env': 'GREETING=hello\nQUOTED="with blanks"\n',
  'report.mjs': `import { renameSync, writeFileSync } from 'node:fs';
const [name, ...args] = process.argv.slice(2);
const { PORT, GREETING, QUOTED, REPORTS } = process.env;
const report = { args, PORT, GREETING, QUOTED, cwd: process.cwd() };
writeFileSync(\`\${REPORTS}/\${name}.new\`, JSON.stringify(report));
renameSync(\`\${REPORTS}/\${name}.new\`, \`\${REPORTS}/\${name}\`);
if (name !== 'worker') setInterval(() => {}, 60_000);
`,
};

const COMMANDS = ['web', 'worker', 'after', 'clock'];

const ENV = { GREETING: 'hello', QUOTED: 'with blanks', isInProject: true };

const EXPECTED = [
  { name: 'web', args: ['two words', 'hello', 'with', 'blanks'], PORT: '5000', ...ENV },
  { name: 'worker', args: ['a  b'], PORT: '5100', ...ENV },
  { name: 'after', args: ['sub', ';', 'q"uote'], PORT: '5100', ...ENV },
  { name: 'clock', args: ['--x=1', '*.none'], PORT: '5200', ...ENV },
];

/** Runs the Procfile under one program until all commands have reported, and returns what they say. */
type Runner = (project: TemporaryProject, reports: string) => Promise<void>;

const underDevctl: Runner = async (project, reports) => {
  const run = (...args: readonly string[]) =>
    devctlWith(project, { env: { REPORTS: reports } }, ...args);
  expect(await run('init', '--yes')).toMatchObject({ exitCode: 0 });
  expect(await run('start')).toMatchObject({ exitCode: 0 });
  await until(() => COMMANDS.every((name) => existsSync(`${reports}/${name}`)));
  expect(await run('stop')).toMatchObject({ exitCode: 0 });
};

/** In a terminal, because mprocs has none to draw on otherwise. It is ended with the terminal, by the project's disposal. */
function inTerminal(line: string, keys: readonly string[]): Runner {
  return async (project, reports) => {
    await using terminal = await openTerminal(project);
    await terminal.type(`REPORTS='${reports}' ${line}`);
    if (keys.length > 0) await until(async () => /clock +DOWN/.test(await terminal.visible()));
    for (const key of keys) await terminal.press(key);
    await until(() => COMMANDS.every((name) => existsSync(`${reports}/${name}`)));
  };
}

const OTHERS: readonly (readonly [what: string, program: string, run: Runner])[] = [
  ['nf (npm package foreman)', 'nf', inTerminal('nf start', [])],
  ['ruby-foreman', 'foreman', inTerminal('foreman start', [])],
  // mprocs reads no .env, gives no PORT, and starts nothing of a Procfile by itself.
  [
    'mprocs',
    'mprocs',
    inTerminal('GREETING=hello QUOTED="with blanks" mprocs --procfile', ['s', 'j', 's', 'j', 's']),
  ],
];

test('a Procfile starts its commands under devctl, with the PORT of foreman and .env', async () => {
  expect(await reportsOf(underDevctl)).toEqual(EXPECTED);
});

for (const [what, program, run] of OTHERS) {
  const isThere =
    spawnSync(program, ['--version'], { env: cleanEnvironment() }).error === undefined;
  if (isFull && !isThere)
    process.stderr.write(`\nSKIPPED: a Procfile under ${what}: no ${program} on the PATH\n\n`);
  fullTest(`the same Procfile starts the same commands under ${what}`, async ({ skip }) => {
    if (!isThere) skip(`no ${program} on the PATH`);
    const expected = EXPECTED.map(({ PORT, ...rest }) =>
      program === 'mprocs' ? rest : { ...rest, PORT },
    );
    expect(await reportsOf(run)).toEqual(expected);
  });
}

async function reportsOf(run: Runner): Promise<readonly Record<string, unknown>[]> {
  await using project = await temporaryProject(undefined, FILES);
  const reports = project.file('reports');
  mkdirSync(reports);
  await run(project, reports);
  return COMMANDS.map((name) => {
    const { cwd, ...report } = JSON.parse(readFileSync(`${reports}/${name}`, 'utf8'));
    return { name, ...report, isInProject: cwd === project.root };
  });
}

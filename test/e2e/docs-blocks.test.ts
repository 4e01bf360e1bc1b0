import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { patternOf, shapeOfOutput, stepsOf } from '../support/console-blocks.ts';
import { repositoryRoot } from '../support/paths.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

/** The path of the project in the pages. */
const HOME = '/home/you';

const pages = readdirSync(join(repositoryRoot, 'docs')).filter((name) => name.endsWith('.md'));
const runs = ['README.md', ...pages.map((name) => `docs/${name}`)].flatMap((page) =>
  [...stepsOf(readFileSync(join(repositoryRoot, page), 'utf8'))].map(
    ([fixture, steps]) => ({ page, fixture, steps }) as const,
  ),
);

test('the blocks of the README and of these pages are run', () => {
  const count = (page: string) =>
    runs.filter((run) => run.page === page).flatMap(({ steps }) => steps).length;
  expect(count('README.md')).toBeGreaterThan(5);
  const names = [
    'changes',
    'environment',
    'export',
    'getting-started',
    'leases',
    'logs',
    'report',
    'resources',
    'run',
    'up',
  ];
  expect(names.filter((name) => count(`docs/${name}.md`) === 0)).toEqual([]);
});

/** Copies what the steps begin with: the full example of the repository, or a folder of fixtures/docs. */
function copyFixture(fixture: string, root: string): void {
  const from = (name: string) => join(repositoryRoot, name);
  const isExample = fixture === 'example';
  if (isExample) cpSync(from('.devctl.example.json'), join(root, '.devctl.json'));
  const isProgram = (file: string) => !/fixtures\/(docs|incident|zoo)$/.test(file);
  cpSync(
    from(isExample ? 'fixtures' : `fixtures/docs/${fixture}`),
    isExample ? join(root, 'fixtures') : root,
    { recursive: true, filter: isExample ? isProgram : () => true },
  );
}

/** Runs the steps of one page in one fixture. */
async function follow({ fixture, steps }: (typeof runs)[number]): Promise<void> {
  await using project = await temporaryProject(undefined, {}, fixture);
  copyFixture(fixture, project.root);
  // npx looks there. devctl says of a project without node_modules that its packages are not installed.
  const isNpx = steps.some(({ command }) => command.startsWith('npx '));
  const bin = isNpx ? project.file('node_modules/.bin') : join(dirname(project.root), 'bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(join(repositoryRoot, 'bin/devctl.js'), join(bin, 'devctl'));
  let exitCode = 0;
  for (const step of steps) {
    // Both outputs in one, in their order, as a terminal shows them. $? is the exit code of the step before.
    const ended = await execa('sh', ['-c', `exec 2>&1; (exit ${exitCode}); ${step.command}`], {
      cwd: project.root,
      env: { ...project.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
      reject: false,
    });
    exitCode = ended.exitCode ?? 1;
    const said = ended.stdout
      .replaceAll(project.root, `${HOME}/${fixture}`)
      .replaceAll(/^DEVCTL_TEST_.*\n?/gm, '');
    expect(shapeOfOutput(said), step.command).toMatch(patternOf(step));
  }
  expect(project.oracle.processes()).toEqual([]);
}

/** The pages that `npm run test:full` follows: they take long, and other pages start and stop services too. */
const LONG = ['changes', 'getting-started', 'leases', 'logs', 'report', 'resources'].map(
  (name) => `docs/${name}.md`,
);

test.each(runs.filter(({ page }) => !LONG.includes(page)))(
  'the blocks of $page do in fixtures/docs/$fixture what it says',
  follow,
);

fullTest.each(runs.filter(({ page }) => LONG.includes(page)))(
  'the blocks of $page do in fixtures/docs/$fixture what it says',
  follow,
);

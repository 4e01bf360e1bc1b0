import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../support/paths.ts';
import { temporaryProject } from '../support/temporary-project.ts';

/*
 * Runs the blocks of the pages that begin with "```console run=NAME": the lines after "$ " in a copy of fixtures/docs/NAME, in
 * the order of the page. The other lines are the output, compared by shape: numbers and spaces may differ, and "…" stands
 * for any lines.
 */

interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

/** The path of the project in the pages. */
const HOME = '/home/you';

function stepsOf(text: string): ReadonlyMap<string, readonly Step[]> {
  const steps = new Map<string, Step[]>();
  for (const [, name = '', body = ''] of text.matchAll(/^```console run=(\S+)\n([\s\S]*?)^```/gm)) {
    const own = steps.get(name) ?? [];
    steps.set(name, own);
    for (const [, command = '', output = ''] of body.matchAll(
      /^\$ (.*)\n((?!\$ )(?:.*\n(?!\$ ))*.*\n)?/gm,
    ))
      own.push({ command, output: output.split('\n').filter(Boolean) });
  }
  return steps;
}

function shapeOf(line: string): string {
  return line
    .replaceAll(/\d+(?:\.\d+)?/g, '0')
    .replaceAll(/\b0 (?:ms|s|min)\b(?: 0 s\b)?/g, '0 s')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** A pattern for the whole output. */
function patternOf(lines: readonly string[]): RegExp {
  const parts = lines.map((line) => (line === '…' ? '(?:.*\n)*?' : `${escaped(shapeOf(line))}\n`));
  return new RegExp(`^${parts.join('')}$`);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const pages = readdirSync(join(repositoryRoot, 'docs')).filter((name) => name.endsWith('.md'));
const runs = ['README.md', ...pages.map((name) => `docs/${name}`)].flatMap((page) =>
  [...stepsOf(readFileSync(join(repositoryRoot, page), 'utf8'))].map(
    ([fixture, steps]) => ({ page, fixture, steps }) as const,
  ),
);

test('there are blocks to run', () => {
  expect(runs.flatMap(({ steps }) => steps).length).toBeGreaterThan(5);
});

test.each(runs)('the blocks of $page do what it says', async ({ fixture, steps }) => {
  await using project = await temporaryProject(undefined, {}, fixture);
  cpSync(join(repositoryRoot, 'fixtures', 'docs', fixture), project.root, { recursive: true });
  mkdirSync(project.file('node_modules/.bin'), { recursive: true });
  symlinkSync(join(repositoryRoot, 'bin/devctl.js'), project.file('node_modules/.bin/devctl'));
  for (const { command, output } of steps) {
    const { all } = await execa('sh', ['-c', command], {
      cwd: project.root,
      env: project.env,
      all: true,
      reject: false,
    });
    const said = `${all}\n`.replaceAll(project.root, `${HOME}/${fixture}`);
    expect(
      said
        .split('\n')
        .map(shapeOf)
        .filter(Boolean)
        .map((line) => `${line}\n`)
        .join(''),
      command,
    ).toMatch(patternOf(output));
  }
  expect(project.oracle.processes()).toEqual([]);
});

import { execFileSync } from 'node:child_process';
import { build } from 'esbuild';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expandEnvFile } from '../../src/manifest/env-expand.ts';
import { parseEnvFile } from '../../src/manifest/env-grammar.ts';
import type { Problem } from '../../src/manifest/problem.ts';
import { repositoryRoot } from '../support/paths.ts';
import { AROUND, ENV_TABLE } from './env-table.ts';

const inWords = ({ at, message }: Problem) => `${at.line}:${at.column} ${message}`;

function read(text: string) {
  const parsed = parseEnvFile(text, '/p/.env');
  const { variables, problems, warnings } = expandEnvFile(parsed, [AROUND]);
  return {
    variables: Object.entries(variables).toSorted(),
    problems: [...parsed.problems, ...problems].map(inWords),
    warnings: warnings.map(inWords),
  };
}

test.each(ENV_TABLE)('an env file has $name', ({ text, set = {}, problems, warnings }) => {
  expect(read(text)).toEqual({
    variables: Object.entries(set).toSorted(),
    problems: problems ?? [],
    warnings: warnings ?? [],
  });
});

/** Other versions of Node, as in `DEVCTL_TEST_NODES=/opt/node20.12/bin/node:/opt/node26/bin/node`. */
const otherNodes = (process.env.DEVCTL_TEST_NODES ?? '').split(':').filter((path) => path !== '');

test('every version of Node reads the table alike', async () => {
  const entry = `
    import { expandEnvFile } from './src/manifest/env-expand.ts';
    import { parseEnvFile } from './src/manifest/env-grammar.ts';
    import { AROUND, ENV_TABLE } from './test/manifest/env-table.ts';
    const files = ENV_TABLE.map(({ text }) => parseEnvFile(text, '/p/.env'));
    console.log(JSON.stringify(files.map((file) => [file, expandEnvFile(file, [AROUND])])));
  `;
  const stdin = { contents: entry, resolveDir: repositoryRoot };
  const { outputFiles } = await build({ stdin, bundle: true, platform: 'node', write: false });
  const answers = [process.execPath, ...otherNodes].map((node) =>
    execFileSync(node, ['-'], { input: outputFiles[0]?.text ?? '', encoding: 'utf8' }),
  );
  expect(new Set(answers).size).toBe(1);
});

test('a row names the value of dotenv only where it is another', () => {
  expect(ENV_TABLE.length).toBeGreaterThanOrEqual(60);
  for (const { set = {}, dotenv } of ENV_TABLE) expect(dotenv).not.toEqual(set);
});

test('a file of another kind is not told in each line, and deep nesting does not overflow', () => {
  expect(read('-----\n'.repeat(1_000)).problems).toHaveLength(20);
  const deep = `A=${'${A:-'.repeat(100_000)}`;
  expect(read(deep).problems).toEqual(['1:103 this reference is nested more than 20 levels deep']);
});

test('what is not set is not told a thousand times either', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference in an env file
  const { warnings, problems } = read('A=$NO ${NO:?}\n'.repeat(1_000));
  expect([warnings.length, problems.length]).toEqual([20, 20]);
});

test('a file of 4 MB is read in a time that grows with its length', () => {
  const lines = [' '.repeat(1_000_000), '#'.repeat(1_000_000), '$'.repeat(1_000_000), "'"];
  for (const line of lines) expect(read(`A=${line}\n`.repeat(4)).warnings).toEqual([]);
});

test('no message shows a word of the file, other than the name of a variable that is not set', () => {
  const piece = fc.constantFrom(
    'S3CRET',
    '=',
    ' ',
    '"',
    "'",
    '`',
    '$',
    '{',
    '}',
    '\\',
    '#',
    '\n',
    ':',
    '[',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const { problems } = parseEnvFile(pieces.join(''), '/p/.env');
      expect(problems.map(inWords).join('\n')).not.toContain('S3CRET');
    }),
  );
});

test('a value in single quotes is what stands between them', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      fc.pre(!/['\r\\]/.test(value));
      expect(read(`A='${value}'\nB=1`).variables).toEqual([
        ['A', value],
        ['B', '1'],
      ]);
    }),
  );
});

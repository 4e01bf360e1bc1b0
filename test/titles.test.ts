import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from './support/paths.ts';
import { listedTitles } from './support/titles.ts';

// That the titles of a file are those of the list is checked with each file: see test/support/check-titles.ts.

test('every test file is in the list of titles, and no other file is', () => {
  const files = readdirSync(join(repositoryRoot, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`);
  expect(Object.keys(listedTitles()).sort()).toEqual(files.sort());
});

test('every test file has a test that npm test runs', () => {
  const without = Object.entries(listedTitles()).filter(([, titles]) => !titles['npm test'].length);
  expect(without.map(([file]) => file)).toEqual([]);
});

test('a file imports the sets only if it has a test of npm run test:full, because vitest refuses a file without tests', () => {
  const without = Object.entries(listedTitles()).filter(([file, titles]) => {
    const text = readFileSync(join(repositoryRoot, file), 'utf8');
    return /from '.*\/sets\.ts';/.test(text) && titles['npm run test:full'].length === 0;
  });
  expect(without.map(([file]) => file)).toEqual([]);
});

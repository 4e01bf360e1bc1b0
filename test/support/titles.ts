import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';

/** The titles of the tests of one file, by the command that runs them. A property may be in both, at two lengths. */
export interface Titles {
  readonly 'npm test': readonly string[];
  readonly 'npm run test:full': readonly string[];
}

/** `test/titles.json`, by the path of the file. `npm run titles` writes it. */
export function listedTitles(): Readonly<Record<string, Titles>> {
  return JSON.parse(readFileSync(join(repositoryRoot, 'test', 'titles.json'), 'utf8'));
}

/** True for a test of one source file, which comes and goes with the file: it is in no list. */
export function followsSource(title: string): boolean {
  return title.endsWith('.ts');
}

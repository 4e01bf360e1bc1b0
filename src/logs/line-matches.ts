import { stripVTControlCharacters } from 'node:util';
import type { UserPattern } from '../patterns/pattern.ts';

/** Tells whether a pattern matches a line, with the colours in it or without. */
export function lineMatches(pattern: UserPattern, line: string): boolean {
  if (pattern.test(line)) return true;
  if (!line.includes('\u001B') && !line.includes('\u009B')) return false;
  const plain = stripVTControlCharacters(line);
  return plain !== line && pattern.test(plain) === true;
}

import { extname } from 'node:path';

/**
 * Finds the sentences that begin with a word for nobody in particular, where the process or thing that acts should
 * stand. Questions and `code` are left out.
 *
 * @returns `file:line` of each
 */
export function sentencesWithoutNoun(file: string, prose: string): readonly string[] {
  const words = prose.replaceAll(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
  return [...words.matchAll(NO_NOUN)].map(
    ({ index }) => `${file}:${words.slice(0, index).split('\n').length}`,
  );
}

/** Such a word with a capital. A question mark at the end of its sentence lets it through. */
const NO_NOUN = /\b(?:What|Whatever|Who|Whoever|Whose|Whom)\b(?![^.!?]*\?)/g;

/** Returns a source file with a dot for each character outside its comments. */
export function commentsOf(file: string, text: string): string {
  const comments = text.matchAll(HASHED.has(extname(file)) ? HASHES : SLASHES);
  let end = 0;
  let words = '';
  for (const { 0: comment, index } of comments) {
    words += dotted(text.slice(end, index)) + comment;
    end = index + comment.length;
  }
  return words;
}

/** Returns a page with a dot for each character of its blocks of code. */
export function proseOf(page: string): string {
  return page.replaceAll(/^```[\s\S]*?^```/gm, dotted);
}

/** Keeps the lines, so that a line number stays right, and ends a sentence that came before. */
const dotted = (code: string): string => code.replaceAll(/./g, '.');

/** The kinds of files whose comments begin with a #. */
const HASHED: ReadonlySet<string> = new Set(['.pl', '.pm', '.sh']);

const SLASHES = /(?<=^|[\s({])\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n?)+|(?<=\s)\/\/.*/gm;
const HASHES = /(?:^[ \t]*#.*\n?)+|(?<=\s)#.*/gm;

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseFile, parseText, withProperty } from '../../src/manifest/parse.ts';
import { formatProblem } from '../../src/manifest/problem.ts';
import {
  keyPositionOf,
  mergeTrees,
  positionOf,
  toValue,
  valueAt,
} from '../../src/manifest/tree.ts';
import { folderWith } from './folder.ts';

const FILE = '/project/.devctl.json';

test.each<[name: string, text: string, lines: string[]]>([
  [
    'nothing',
    '',
    ['1:1  is empty. The smallest manifest: {"services": {"web": {"command": "npm run dev"}}}'],
  ],
  [
    'only a comment',
    '// soon\n/* more */\n',
    ['1:1  is empty. The smallest manifest: {"services": {"web": {"command": "npm run dev"}}}'],
  ],
  [
    'a long comment, and no value after it',
    `${'// '.repeat(1_000)}\n}`,
    ['2:1  expected a value before "}"'],
  ],
  ['an open brace', '{', ['1:2  expected "}" before the end of the file']],
  ['a closing brace', '}', ['1:1  expected a value before "}"']],
  ['an open list', '{"a": [1', ['1:9  expected "]" before the end of the file']],
  ['no comma', '{\n  "a": 1\n  "b": 2\n}', ['3:3  expected "," before "\\"b\\""']],
  ['two commas', '{"a": 1,,}', ['1:9  expected a key in double quotes before ","']],
  ['no colon', '{"a" 1}', ['1:6  expected ":" after the key before a word or number']],
  ['no value', '{"a":}', ['1:6  expected a value before "}"']],
  ['a bare key', '{a: 1}', ['1:2  "a" is not JSON: names and text are written in double quotes']],
  [
    'single quotes',
    "{'a': 1}",
    ['1:2  names and text are written in double quotes, not in single ones'],
  ],
  [
    'text without an end, and after it a bare word',
    '{"a": "x,\n"b": yes}',
    [
      '1:7  this text is not closed with a double quote in its line',
      '2:1  expected "," before "\\"b\\""',
    ],
  ],
  ['a comment without an end', '{} /* x', ['1:4  this comment is never closed with */']],
  [
    'an unknown escape',
    '{"a": "\\d"}',
    ['1:7  this text holds an unknown escape: a backslash is written \\\\'],
  ],
  [
    'a broken \\u',
    '{"a": "\\u12"}',
    ['1:7  this text holds a \\u that is not followed by four hex digits'],
  ],
  [
    'a control character',
    '{"a": "\u0001"}',
    ['1:7  this text holds a control character: write it as an escape such as \\n or \\t'],
  ],
  ['more after the end', '{} {}', ['1:4  expected the end of the file before "{"']],
  ['thousands of open brackets', '['.repeat(200_000), ['1:1  is nested more than 50 levels deep']],
  [
    'one level too many',
    `${'['.repeat(52)}${']'.repeat(52)}`,
    ['1:52  is nested more than 50 levels deep'],
  ],
  [
    'a key twice, at two places',
    '{\r\n  "a": {"b": 1, "b": 2},\r\n  "a": 3\r\n}',
    ['2:17  a.b: given twice, first in line 2', '3:3  a: given twice, first in line 2'],
  ],
])('%s', (_name, text, lines) => {
  const { problems } = parseText(text, FILE);
  expect(problems.map((found) => formatProblem(found, '/project'))).toEqual(
    lines.map((line) => `.devctl.json:${line}`),
  );
});

test('comments, trailing commas and a byte order mark are allowed', () => {
  const file = `${folderWith({ a: '\uFEFF// a\n{"a": [1, /* b */ 2,],}\n' })}/a`;
  const { tree, problems } = parseFile(file);
  expect(problems).toEqual([]);
  expect(tree && toValue(tree)).toEqual({ a: [1, 2] });
});

test.each<[name: string, bytes: Uint8Array, why: string, line: number, column: number]>([
  [
    'latin1',
    Buffer.from('{\n "a": "caf\xe9"}', 'latin1'),
    'is not UTF-8 text: save it as UTF-8',
    2,
    11,
  ],
  ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), 'is UTF-16 text: save it as UTF-8', 1, 1],
])('a file in %s is refused', (_name, bytes, why, line, column) => {
  const file = `${folderWith({ a: bytes })}/a`;
  expect(parseFile(file).problems).toMatchObject([{ message: why, at: { file, line, column } }]);
});

test('every value has its line and column, in all three kinds of lines', () => {
  const { tree } = parseText('{\n\t"a": {\r\n  "b": [1,\r   2]}}', FILE);
  if (tree === null) throw new Error('no tree');
  expect(positionOf(tree, ['a', 'b', 1])).toEqual({ file: FILE, line: 4, column: 4 });
  expect(positionOf(tree, ['a', 'b'])).toEqual({ file: FILE, line: 3, column: 8 });
  expect(keyPositionOf(tree, ['a', 'b'])).toEqual({ file: FILE, line: 3, column: 3 });
  // A missing value has the position of the nearest value that exists.
  expect(positionOf(tree, ['a', 'x', 'y'])).toEqual({ file: FILE, line: 2, column: 2 });
});

test('keys of the prototype are ordinary keys', () => {
  const { tree } = parseText('{"__proto__": {"polluted": 1}, "constructor": 2}', FILE);
  if (tree === null) throw new Error('no tree');
  const value = toValue(tree);
  expect(Object.keys(Object(value))).toEqual(['__proto__', 'constructor']);
  expect(Object.getPrototypeOf(value)).toBeNull();
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

test('objects merge in depth; lists and scalars replace', () => {
  const tree = (text: string) => parseText(text, FILE).tree ?? expect.fail('no tree');
  const base = tree('{"a": {"b": 1, "c": [1, 2]}, "d": 1, "__proto__": {"x": 1}}');
  const over = tree('{"a": {"c": [3], "e": null}, "d": {"f": 1}, "__proto__": {"y": 1}}');
  expect(JSON.stringify(toValue(mergeTrees(base, over)))).toBe(
    '{"a":{"b":1,"c":[3],"e":null},"d":{"f":1},"__proto__":{"x":1,"y":1}}',
  );
});

test('any JSON is read as its own value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value);
      const { tree, problems } = parseText(text, FILE);
      expect(problems).toEqual([]);
      expect(tree && JSON.stringify(toValue(tree))).toBe(text);
    }),
  );
});

test('any text gives a tree, or problems with positions inside the text, and never throws', () => {
  const jsonish = fc
    .array(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '1', '-', '//', '/*', '\n', 'x'),
    )
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), jsonish), (text) => {
      const { tree, problems } = parseText(text, FILE);
      expect(tree !== null || problems.length > 0).toBe(true);
      const lines = text.split(/\r\n|\n|\r/);
      for (const { at: place } of problems) {
        const line = lines[place.line - 1];
        expect(line).toBeDefined();
        expect(place.column).toBeLessThanOrEqual((line?.length ?? 0) + 2);
      }
      if (tree) expect(valueAt(tree)).toBe(tree);
    }),
    { numRuns: 500 },
  );
});

test.each<[before: string, after: string]>([
  ['{"services": {"a": 1}}', '{"services": {"a": 1, "x": 2}}'],
  ['{"containers": {}}', '{\n  "services": { "x": 2 },\n  "containers": {}}'],
  ['{\n  // mine\n}', '{\n  "services": { "x": 2 },\n  // mine\n}'],
])('a property is added to %j, and its object where that is missing', (before, after) => {
  expect(withProperty(before, 'services', 'x', '2')).toBe(after);
  expect(parseText(after, 'x.json').problems).toEqual([]);
});

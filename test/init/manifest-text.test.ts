import fc from 'fast-check';
import { parse } from 'jsonc-parser';
import { expect, test } from 'vitest';
import { diffLines } from '../../src/init/line-diff.ts';
import { readExportedLiteral, UNKNOWN } from '../../src/init/literal.ts';
import { toManifestText } from '../../src/init/manifest-text.ts';
import { NOTHING } from '../../src/init/proposal.ts';
import { examineText } from '../../src/manifest/load.ts';
import { manifestSchema } from '../../src/manifest/schema.ts';
import { proposeFor } from './read.ts';

const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'vite',
    'next dev -p 3000',
    'node a.js',
    'concurrently "npm:dev:*" "vite"',
    '\u2028x\n}',
  ),
);

test('what is written is a manifest, whatever the repository says', () => {
  const scripts = fc.dictionary(fc.constantFrom('dev', 'start', 'dev:a', 'watch', 'test'), text);
  const files = fc.record(
    {
      'package.json': fc.record({ name: fc.string(), scripts }),
      'web/package.json': fc.record({ scripts }),
      Procfile: fc
        .array(text)
        .map((lines) => lines.map((line, at) => `p${at}: ${line}`).join('\n')),
      'process-compose.yaml': fc.jsonValue().map((value) => JSON.stringify({ processes: value })),
      'compose.yaml': fc.tuple(text, text, fc.jsonValue()).map(([name, port, value]) =>
        JSON.stringify({
          services: { [name]: { ports: [port] }, db: { ports: ['5432:1'] }, x: value },
        }),
      ),
      '.env': text.map((value) => `DB_PORT=5432\nX=${value}`),
      'ecosystem.json': fc
        .jsonValue()
        .map((value) => JSON.stringify({ apps: [value, { name: 'x', script: 'y', env: value }] })),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(files, (given) => {
      const proposal = proposeFor(given);
      const written = parse(toManifestText(proposal, null), [], { allowTrailingComma: true });
      if (proposal.services.length === 0) return;
      const { problems } = examineText(toManifestText(proposal, null), '/shop');
      // The repository is gone by now.
      expect(problems.filter(({ message }) => !/does not exist/.test(message))).toEqual([]);
      expect(manifestSchema.safeParse(written).error?.issues ?? []).toEqual([]);
      expect(Object.keys(written.services)).toEqual(proposal.services.map(({ name }) => name));
    }),
    { numRuns: 150 },
  );
});

test('a note cannot leave its comment', () => {
  const note = 'a\n}\r"x": 1\u2028';
  const written = toManifestText({ ...NOTHING, notes: [note] }, null);
  expect(written.split(/[\n\r\u2028]/)[1]).toBe('// a } "x": 1 ');
});

test.each([
  [
    'an object',
    "module.exports = { a: 1, \"b\": [true, null, -2], c: 'x\\'y' };",
    { a: 1, b: [true, null, -2], c: "x'y" },
  ],
  ['an ES module', 'export default [{ a: `t` }]', [{ a: 't' }]],
  ['comments', 'module.exports = { // a\n a: "//no", /* b */ }', { a: '//no' }],
  [
    'code',
    'module.exports = { a: f(1, {x: 2}), b: 2, ...rest, c: `x$' +
      '{y}`, [d]: 3, e() {}, f: 1 + 1 }',
    { a: UNKNOWN, b: 2, c: UNKNOWN, f: UNKNOWN },
  ],
  ['no literal', 'module.exports = load()', undefined],
  ['cut off', 'module.exports = { a: [1, {', { a: [1, {}] }],
])('a literal of JavaScript: %s', (_name, source, expected) => {
  expect(readExportedLiteral(source)).toEqual(expected);
});

test('a literal ends, whatever the text', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    ',',
    ':',
    "'",
    '"',
    '`',
    '${',
    '\\',
    'a',
    '1',
    ' ',
    '\n',
    '/*',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      readExportedLiteral(`module.exports = {${pieces.join('')}`);
    }),
  );
});

test('a comparison has both texts in it', () => {
  const lines = fc
    .array(fc.constantFrom('a', 'b', 'c', ''))
    .map((all) => all.map((one) => `${one}\n`).join(''));
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const diff = diffLines(before, after);
      const side = (kind: string) =>
        diff
          .filter((line) => line.kind === 'same' || line.kind === kind)
          .map((line) => `${line.text}\n`)
          .join('');
      expect(side('removed')).toBe(before);
      expect(side('added')).toBe(after);
    }),
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readYaml } from '../src/yaml.ts';

test.each<[what: string, text: string, value: unknown]>([
  ['nothing', '', null],
  ['a byte order mark', '\uFEFFa: 1', { a: 1 }],
  [
    'ports are texts',
    'p: [8080:80, 127.0.0.1:53:53/udp]',
    { p: ['8080:80', '127.0.0.1:53:53/udp'] },
  ],
  [
    'of merged maps the first wins, and the own key above all',
    'p: &p {a: 1, c: 1}\nq: &q {a: 2, b: 2}\nr:\n  <<: [*p, *q]\n  c: 3',
    { p: { a: 1, c: 1 }, q: { a: 2, b: 2 }, r: { a: 1, b: 2, c: 3 } },
  ],
  ['tags of other programs', 'a: !reset []\nb: !!python/name x', { a: [], b: 'x' }],
])('%s', (_what, text, value) => {
  expect(readYaml(text)).toEqual({ kind: 'read', value });
});

const BOMB = ['a: &a [x, x]', ...'bcdefghijklmno'.split('')]
  .map((name, index) =>
    index === 0 ? name : `${name}: &${name} [*${before(name)}, *${before(name)}]`,
  )
  .join('\n');

function before(name: string): string {
  return String.fromCharCode(name.charCodeAt(0) - 1);
}

test.each<[what: string, text: string, line: number, why: RegExp]>([
  ['a tab', 'a:\n\tb: 1', 2, /tab/i],
  ['a key twice', 'a: 1\nb: 2\na: 3', 3, /unique/],
  ['a line between two columns', 'a:\n    b: 1\n  c: 2', 3, /column/],
  ['two documents', 'a: 1\n---\nb: 2', 2, /more than one document/],
  ['an alias of nothing', 'b: *c', 1, /c/],
  ['a bomb of aliases', BOMB, 1, /alias/i],
  ['too many levels', '- '.repeat(10_000), 1, /nested too deeply/],
  ['too many brackets', '['.repeat(10_000), 1, /nested too deeply/],
  ['a large file', `a: ${'x'.repeat(600_000)}`, 1, /larger than 512 KB/],
])('%s is refused with its line', (_what, text, line, why) => {
  expect(readYaml(text)).toEqual({ kind: 'unread', line, why: expect.stringMatching(why) });
});

test('JSON is YAML', () => {
  const value = fc.jsonValue({ noUnicodeString: false, maxDepth: 4 });
  fc.assert(
    fc.property(value, fc.constantFrom(0, 2), (given, indent) => {
      // JSON has no -0, and fast-check makes one.
      const text = JSON.stringify({ given }, null, indent);
      const reading = readYaml(text);
      expect(JSON.parse(JSON.stringify(reading))).toEqual({
        kind: 'read',
        value: JSON.parse(text),
      });
    }),
  );
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readYaml, type Yaml } from '../../src/containers/yaml.ts';

/** Maps as objects, so that they can be compared. */
function plain(value: Yaml): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

function read(text: string): unknown {
  const reading = readYaml(text);
  return reading.kind === 'read' ? plain(reading.value) : reading;
}

describe('what compose files are written in', () => {
  test.each<[what: string, text: string, value: unknown]>([
    ['nothing', '', null],
    ['comments alone', '# a\n\n  # b\n', null],
    ['a map', 'a: 1\nb: two words\n', { a: '1', b: 'two words' }],
    ['a map in a map', 'a:\n  b:\n    c: x\nd: y', { a: { b: { c: 'x' } }, d: 'y' }],
    ['no value', 'a:\nb: ~\nc: null', { a: null, b: null, c: null }],
    [
      'comments behind values',
      'a: x # y\nb: "x # y" # z\nc: x#y',
      { a: 'x', b: 'x # y', c: 'x#y' },
    ],
    [
      'a list',
      'a:\n  - x\n  - y: 1\n    z: 2\n  -\n    w: 3\n',
      { a: ['x', { y: '1', z: '2' }, { w: '3' }] },
    ],
    ['a list in the column of its key', 'a:\n- x\n- y\nb: z', { a: ['x', 'y'], b: 'z' }],
    ['lists in a list', '- - a\n  - b\n- c', [['a', 'b'], 'c']],
    [
      'ports are texts',
      'p:\n  - 8080:80\n  - "127.0.0.1:5432:5432/tcp"',
      { p: ['8080:80', '127.0.0.1:5432:5432/tcp'] },
    ],
    [
      'flow',
      'a: [x, "y z", {b: c}]\nd: {e: 1, f: [2]}',
      { a: ['x', 'y z', { b: 'c' }], d: { e: '1', f: ['2'] } },
    ],
    [
      'flow over lines',
      'test: [CMD,\n  wget,\n  "http://x:80/"]\nb: 1',
      { test: ['CMD', 'wget', 'http://x:80/'], b: '1' },
    ],
    ['flow with a comma at its end', 'a: [x, y,]', { a: ['x', 'y'] }],
    ['empty flow', 'a: []\nb: {}', { a: [], b: {} }],
    [
      'flow with ports',
      'p: [8080:80, 127.0.0.1:53:53/udp]',
      { p: ['8080:80', '127.0.0.1:53:53/udp'] },
    ],
    ['quotes', `a: 'it''s'\nb: "a\\n\\"b\\""\n"c d": x`, { a: "it's", b: 'a\n"b"', 'c d': 'x' }],
    ['a quoted text over lines', 'a: "x\n  y"\nb: 1', { a: 'x y', b: '1' }],
    [
      'a block scalar',
      'a: |\n  x: 1\n  - y\n\n  z\nb: >-\n  p\n  q',
      { a: 'x: 1\n- y\n\nz', b: 'p q' },
    ],
    ['a plain text over lines', 'a: x\n  y\nb: 1', { a: 'x y', b: '1' }],
    [
      'anchors and merges',
      'x: &d\n  a: 1\n  b: 2\ns:\n  <<: *d\n  b: 3\nt: *d',
      { x: { a: '1', b: '2' }, s: { a: '1', b: '3' }, t: { a: '1', b: '2' } },
    ],
    [
      'a list of merges, the first wins',
      'p: &p {a: 1}\nq: &q {a: 2, b: 2}\nr:\n  <<: [*p, *q]',
      { p: { a: '1' }, q: { a: '2', b: '2' }, r: { a: '1', b: '2' } },
    ],
    ['tags', 'a: !!str 1\nb: !reset []', { a: '1', b: [] }],
    ['a document', '---\na: 1\n...\n', { a: '1' }],
    ['line ends of Windows', 'a:\r\n  b: 1\r\n', { a: { b: '1' } }],
    ['a byte order mark', '\uFEFFa: 1', { a: '1' }],
    ['a URL is a text', 'a: http://x/y#z', { a: 'http://x/y#z' }],
  ])('%s', (_what, text, value) => {
    expect(read(text)).toEqual(value);
  });

  test.each<[what: string, text: string, line: number]>([
    ['a tab', 'a:\n\tb: 1', 2],
    ['a bracket that is not closed', 'a: 1\nb: [x\nc: 1', 2],
    ['a quote that is not closed', 'a: "x\nb: 1', 1],
    ['an unknown alias', 'a: 1\nb: *c', 2],
    ['a line between two columns', 'a:\n    b: 1\n  c: 2', 3],
    ['two documents', 'a: 1\n---\nb: 2', 2],
  ])('%s is refused with its line', (_what, text, line) => {
    expect(readYaml(text)).toMatchObject({ kind: 'unread', line });
  });

  test('what is nested too deeply is refused', () => {
    const deep = Array.from({ length: 200 }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
    expect(readYaml(deep)).toMatchObject({ kind: 'unread' });
  });
});

describe('JSON is YAML', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 8 });
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, text, tie('list'), tie('map')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    map: fc.dictionary(
      text.filter((key) => key !== '<<' && key !== '__proto__'),
      tie('value'),
      { maxKeys: 4 },
    ),
  }));
  const map = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), value, { maxKeys: 4 });

  test.each([0, 2])('with an indentation of %i', (indent) => {
    fc.assert(
      fc.property(map, (given) => {
        expect(read(JSON.stringify(given, null, indent))).toEqual(given);
      }),
    );
  });

  test('whatever the text, there is an answer', () => {
    const line = fc.stringMatching(/^ {0,4}(- )?[a-c:#&*'"[\]{}|> -]{0,12}$/);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        expect(['read', 'unread']).toContain(readYaml(lines.join('\n')).kind);
      }),
      { numRuns: 500 },
    );
  });
});

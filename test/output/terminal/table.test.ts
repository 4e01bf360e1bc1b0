import { describe, expect, test } from 'vitest';
import { renderTable, tableWidth } from '../../../src/output/terminal/table.ts';

const COLUMNS = [
  { title: 'SERVICE' },
  { title: 'PID', align: 'right' },
  { title: 'COMMAND', shrink: true },
] as const;

describe('renderTable', () => {
  test('aligns, and leaves no trailing spaces', () => {
    const rows = [
      ['web', '1', 'node server.js'],
      ['日本', '4711', ''],
    ];
    expect(renderTable(COLUMNS, rows)).toEqual([
      'SERVICE   PID  COMMAND',
      'web         1  node server.js',
      '日本     4711',
    ]);
  });

  test('colour does not count as width', () => {
    const [, line] = renderTable(COLUMNS, [['\u001B[32mweb\u001B[39m', '1', 'x']]);
    expect(line).toBe('\u001B[32mweb\u001B[39m        1  x');
  });

  test('only the shrinkable column is cut to the terminal', () => {
    const rows = [['web', '4711', 'node --enable-source-maps server.js']];
    expect(renderTable(COLUMNS, rows, { width: 30 })).toEqual([
      'SERVICE   PID  COMMAND',
      'web      4711  node --enable-…',
    ]);
  });

  test('a pid is never cut, however narrow the terminal', () => {
    const [, line] = renderTable(COLUMNS, [['web', '4711', 'node server.js']], { width: 5 });
    expect(line).toBe('web      4711  node se…');
  });

  test('a pipe gets everything', () => {
    const command = 'x'.repeat(500);
    expect(renderTable(COLUMNS, [['web', '1', command]])[1]).toContain(command);
  });

  test('titles are painted, their padding is not', () => {
    const [titles] = renderTable([{ title: 'A' }, { title: 'B' }], [['aaa', 'b']], {
      paintTitle: (text) => `<${text}>`,
    });
    expect(titles).toBe('<A>    <B>');
  });
});

test.each([
  ['a terminal', { isTTY: true, columns: 80 }, 80],
  ['a terminal that says 0', { isTTY: true, columns: 0 }, undefined],
  ['a pipe', { isTTY: false, columns: 80 }, undefined],
])('the width of %s', (_name, stream, expected) => {
  expect(tableWidth(stream)).toBe(expected);
});

import { expect, test } from 'vitest';
import { readAsSystemd } from '../../src/export/environment-file.ts';

test.each([
  ['plain', 'A=b', { A: 'b' }],
  ['no value', 'A=\nB=c', { A: '', B: 'c' }],
  ['blanks around', '  A = b c  \n', { A: 'b c' }],
  ['a comment behind a value is part of it', 'A=b # c', { A: 'b # c' }],
  ['two kinds of comments', '# A=b\n; B=c\nC=d', { C: 'd' }],
  ['a comment that goes on', '# A \\\nB=c\nC=d', { C: 'd' }],
  ['no $NAME', `A=b\nB=$A \${A}`, { A: 'b', B: `$A \${A}` }],
  ['single quotes', "A='b \\n c'", { A: 'b \\n c' }],
  ['double quotes keep \\n', 'A="b\\nc"', { A: 'b\\nc' }],
  ['double quotes know four escapes', 'A="\\"\\\\\\`\\$"', { A: '"\\`$' }],
  ['a value of several lines', 'A="b\nc"\nD=e', { A: 'b\nc', D: 'e' }],
  ['behind quotes it goes on', "A='b' # c", { A: 'b# c' }],
  ['quotes within a value stay', 'A=b"c"', { A: 'b"c"' }],
  ['a backslash without quotes goes', 'A=b\\c\\ \\\\', { A: 'bc \\' }],
  ['a line that goes on', 'A=b\\\nc\nD=e', { A: 'bc', D: 'e' }],
  ['export is no part of a name', 'export A=b\nB=c', { B: 'c' }],
  ['no such name', 'A.B=c\n1=2\nD=e', { D: 'e' }],
  ['a line without =', 'A\nB=c', { B: 'c' }],
  ['ends of lines of Windows', 'A=b\r\nC=d\r\n', { A: 'b', C: 'd' }],
  ['the last one counts', 'A=b\nA=c', { A: 'c' }],
])('EnvironmentFile=: %s', (_name, text, expected) => {
  expect(Object.fromEntries(readAsSystemd(text))).toEqual(expected);
});

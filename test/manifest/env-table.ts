/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in env files look like templates */

/** The meaning of an env file, in devctl and, where it differs, in dotenv 17. */
export interface EnvRow {
  readonly name: string;
  readonly text: string;
  readonly set?: Readonly<Record<string, string>>;
  /** `line:column message`. */
  readonly problems?: readonly string[];
  readonly warnings?: readonly string[];
  /** The variables that dotenv reads, where they are others than `set`. dotenv reports nothing. */
  readonly dotenv?: Readonly<Record<string, string>>;
}

/** The variables around each file. */
export const AROUND = { OUTER: 'outer', EMPTY: '' };

const FORMS =
  '${…} must be ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?text} or ${NAME?text}; a plain dollar is $$';
const ALONE = 'a name alone sets nothing: write NAME=value, or NAME= for nothing';
const NO_LINE = 'expected NAME=value, or # and a comment';
const NO_EQUALS = 'expected "=" after the name';
const AFTER_DOUBLE =
  'expected the end of the line after the closing quote; within quotes, write \\"';

/** The grammar of env files by example. Docker Compose's documentation holds where it speaks. */
export const ENV_TABLE: readonly EnvRow[] = [
  // Lines.
  { name: 'one variable', text: 'A=1', set: { A: '1' } },
  { name: 'an empty file', text: '', set: {} },
  { name: 'an empty value', text: 'A=\nB=2', set: { A: '', B: '2' } },
  {
    name: 'blanks around the name, the value and "="',
    text: '  A \t=  1 2  \n',
    set: { A: '1 2' },
  },
  { name: 'a line of blanks swallows nothing', text: 'A=1\n   \t \nB=2', set: { A: '1', B: '2' } },
  { name: 'an empty value before a line of blanks', text: 'A=\n  \nB=2', set: { A: '', B: '2' } },
  { name: 'a comment line', text: '# x\n  # A=1\nB=2', set: { B: '2' } },
  { name: 'a line that was commented out', text: '#A=1\n#B="2\nC=3', set: { C: '3' } },
  { name: 'export', text: 'export A=1', set: { A: '1' } },
  {
    name: 'export with two blanks and a tab',
    text: 'export  A=1\nexport\tB=2',
    set: { A: '1', B: '2' },
  },
  { name: 'a variable called export', text: 'export=1\nB=2', set: { export: '1', B: '2' } },
  {
    name: 'lines that end as on Windows',
    text: 'A=1\r\nB="2"\r\nC=3',
    set: { A: '1', B: '2', C: '3' },
  },
  { name: 'lines that end with a carriage return', text: 'A=1\rB=2', set: { A: '1', B: '2' } },
  { name: 'a byte order mark', text: '\uFEFFA=1', set: { A: '1' } },
  {
    name: 'names with dots, dashes and digits',
    text: 'a.b-c=1\n2X=2',
    set: { 'a.b-c': '1', '2X': '2' },
  },
  { name: 'names beyond ASCII', text: 'GRÖSSE=1', set: { GRÖSSE: '1' }, dotenv: {} },
  { name: 'the later line wins', text: 'A=1\nA=2', set: { A: '2' } },
  {
    name: 'a variable called __proto__',
    text: '__proto__=1',
    set: { ['__proto__']: '1' },
    dotenv: {},
  },

  // Values without quotes.
  { name: 'a comment behind a value', text: 'A=1 # x\nB=2\t#', set: { A: '1', B: '2' } },
  {
    name: 'a # without a blank before it is no comment',
    text: 'A=1# x',
    set: { A: '1# x' },
    dotenv: { A: '1' },
  },
  {
    name: 'a # at the beginning of a value',
    text: 'A=#fff',
    set: { A: '#fff' },
    dotenv: { A: '' },
  },
  { name: 'a comment in place of a value', text: 'A= # x\nB=2', set: { A: '', B: '2' } },
  { name: 'quotes within a value stay', text: 'A=it\'s "so"', set: { A: 'it\'s "so"' } },
  { name: 'a backslash stays', text: 'A=C:\\new\\table', set: { A: 'C:\\new\\table' } },
  { name: '"=" in a value', text: 'A=b=c==', set: { A: 'b=c==' } },
  { name: 'JSON', text: 'A={"a": 1}', set: { A: '{"a": 1}' } },

  // Single quotes.
  { name: 'single quotes', text: "A=' 1 # x '", set: { A: ' 1 # x ' } },
  {
    name: 'single quotes replace nothing',
    text: "A='$OUTER ${OUTER} $$ \\$'",
    set: { A: '$OUTER ${OUTER} $$ \\$' },
  },
  {
    name: 'single quotes know one escape',
    text: "A='Let\\'s go\\n\\\\ on'",
    set: { A: "Let's go\\n\\\\ on" },
    dotenv: { A: "Let\\'s go\\n\\\\ on" },
  },
  { name: 'single quotes span lines', text: "A='1\n  2\n'\nB=3", set: { A: '1\n  2\n', B: '3' } },
  { name: 'a comment behind single quotes', text: "A='1' # x\nB=''#y", set: { A: '1', B: '' } },

  // Double quotes.
  { name: 'double quotes', text: 'A=" 1 # x "', set: { A: ' 1 # x ' } },
  {
    name: 'escapes',
    text: 'A="1\\n2\\r3\\t4\\\\n"',
    set: { A: '1\n2\r3\t4\\n' },
    dotenv: { A: '1\n2\r3\\t4\\\n' },
  },
  {
    name: 'JSON in double quotes',
    text: 'A="{\\"a\\":1}"\nB=2',
    set: { A: '{"a":1}', B: '2' },
    dotenv: { A: '{\\"a\\":1}', B: '2' },
  },
  { name: 'unknown escapes stay', text: 'A="\\d\\x41\\a"', set: { A: '\\d\\x41\\a' } },
  {
    name: 'double quotes span lines',
    text: 'A="1\r\n# 2\r\n"\r\nB=3',
    set: { A: '1\n# 2\n', B: '3' },
  },
  { name: 'a comment behind double quotes', text: 'A="1" # "x"', set: { A: '1' } },
  {
    name: 'a backslash at the end',
    text: 'A="C:\\\\"\nB=2',
    set: { A: 'C:\\', B: '2' },
    dotenv: { A: 'C:\\\\', B: '2' },
  },

  // References.
  {
    name: 'an earlier variable',
    text: 'A=1\nB=$A-${A}\nC="$A"',
    set: { A: '1', B: '1-1', C: '1' },
    dotenv: { A: '1', B: '$A-${A}', C: '$A' },
  },
  {
    name: 'not a later one',
    text: 'B=x$A\nA=1',
    set: { A: '1', B: 'x' },
    warnings: ['1:4 $A is not set, so it is replaced by nothing'],
    dotenv: { B: 'x$A', A: '1' },
  },
  {
    name: 'a variable from outside',
    text: 'A=$OUTER/x',
    set: { A: 'outer/x' },
    dotenv: { A: '$OUTER/x' },
  },
  {
    name: 'itself from outside',
    text: 'OUTER=1:$OUTER',
    set: { OUTER: '1:outer' },
    dotenv: { OUTER: '1:$OUTER' },
  },
  {
    name: 'a plain dollar',
    text: 'A=\\$OUTER $$OUTER\nB="\\$OUTER $$OUTER"',
    set: { A: '$OUTER $OUTER', B: '$OUTER $OUTER' },
    dotenv: { A: '\\$OUTER $$OUTER', B: '\\$OUTER $$OUTER' },
  },
  {
    name: 'a dollar that begins no name stays',
    text: 'A=$1 5$ $(x) $',
    set: { A: '$1 5$ $(x) $' },
  },
  {
    name: 'a default for what is not set or empty',
    text: 'A=${NO:-d} ${EMPTY:-e f} ${OUTER:-g}',
    set: { A: 'd e f outer' },
    dotenv: { A: '${NO:-d} ${EMPTY:-e f} ${OUTER:-g}' },
  },
  {
    name: 'a default for what is not set',
    text: 'A=${NO-d}${EMPTY-e}',
    set: { A: 'd' },
    dotenv: { A: '${NO-d}${EMPTY-e}' },
  },
  {
    name: 'defaults within defaults',
    text: 'A=${NO:-${NOR-<${OUTER}>}}',
    set: { A: '<outer>' },
    dotenv: { A: '${NO:-${NOR-<${OUTER}>}}' },
  },
  {
    name: 'a default with # and blanks',
    text: 'A=${NO:- # }x # y',
    set: { A: ' # x' },
    dotenv: { A: '${NO:-' },
  },
  {
    name: 'what is required and set',
    text: 'A=${OUTER:?why}${EMPTY?why}',
    set: { A: 'outer' },
    dotenv: { A: '${OUTER:?why}${EMPTY?why}' },
  },
  {
    name: 'what is required and not set',
    text: 'A=1\nB=x${NO:?ask Ann}\nC=${EMPTY:?}\nD=${NO?}',
    set: { A: '1', B: 'x', C: '', D: '' },
    problems: ['2:4 NO is not set: ask Ann', '3:3 EMPTY is empty', '4:3 NO is not set'],
    dotenv: { A: '1', B: 'x${NO:?ask Ann}', C: '${EMPTY:?}', D: '${NO?}' },
  },
  {
    name: 'what is not set',
    text: 'A="1\n $NO$EMPTY"',
    set: { A: '1\n ' },
    warnings: ['2:2 $NO is not set, so it is replaced by nothing'],
    dotenv: { A: '1\n $NO$EMPTY' },
  },
  {
    name: 'no prototype',
    text: 'A=${constructor-x}',
    set: { A: 'x' },
    dotenv: { A: '${constructor-x}' },
  },

  // Files with a line that devctl reports. The other lines count.
  {
    name: 'a colon in place of "="',
    text: 'A: v\nB=2',
    set: { B: '2' },
    problems: [`1:2 ${NO_EQUALS}`],
    dotenv: { A: 'v', B: '2' },
  },
  {
    name: 'a name alone',
    text: 'B=2\n  A\nexport C',
    set: { B: '2' },
    problems: [`2:3 ${ALONE}`, `3:1 ${ALONE}`],
  },
  { name: 'a section', text: '[section]\nB=2', set: { B: '2' }, problems: [`1:1 ${NO_LINE}`] },
  {
    name: 'no name',
    text: '=x\nB=2',
    set: { B: '2' },
    problems: ['1:1 a name is missing before "="'],
  },
  { name: 'words before "="', text: 'A B=1\nB=2', set: { B: '2' }, problems: [`1:3 ${NO_EQUALS}`] },
  {
    name: 'another form of reference',
    text: 'A=${OUTER:+x}\nB="\n${2}\n"\nC=3',
    set: { C: '3' },
    problems: [`1:3 ${FORMS}`, `3:1 ${FORMS}`],
    dotenv: { A: '${OUTER:+x}', B: '\n${2}\n', C: '3' },
  },
  {
    name: 'a reference that is not closed',
    text: 'A=${OUTER\nB="${NO:-x"\nC=3',
    set: { C: '3' },
    problems: [`1:3 ${FORMS}`, '2:4 this reference is never closed with }'],
    dotenv: { A: '${OUTER', B: '${NO:-x', C: '3' },
  },
  {
    name: 'a quote that is not closed',
    text: 'B=2\nA="x\nC=3',
    set: { B: '2', C: '3' },
    problems: ['2:3 this quote is never closed'],
    dotenv: { B: '2', A: '"x', C: '3' },
  },
  {
    name: 'a single quote that is not closed',
    text: "A='C:\\dir\\'\nB=2",
    set: { B: '2' },
    problems: ['1:3 this quote is never closed'],
    dotenv: { A: 'C:\\dir\\', B: '2' },
  },
  {
    name: 'a quote that is closed early',
    text: 'A="{"a":1}"\nB=2',
    set: { B: '2' },
    problems: [`1:6 ${AFTER_DOUBLE}`],
    dotenv: { A: '{"a":1}', B: '2' },
  },
  {
    name: 'a quote that is closed in a later line',
    text: "A='1\nB='2'\nC=3",
    set: { C: '3' },
    problems: [
      "2:4 expected the end of the line after the closing quote of the value that began in line 1; within quotes, write \\'",
    ],
    dotenv: { A: "'1", B: '2', C: '3' },
  },
  {
    name: 'backticks',
    text: 'A=`x`\nB=2',
    set: { B: '2' },
    problems: ['1:3 a value cannot begin with a backtick: use single or double quotes'],
    dotenv: { A: 'x', B: '2' },
  },
];

import { expect, test } from 'vitest';
import { defaultVariables } from '../../../src/services/launch/default-variables.ts';

const UNBUFFERED = { PYTHONUNBUFFERED: '1' };
const COLORED = { ...UNBUFFERED, FORCE_COLOR: '1' };
const auto = { color: 'auto', command: 'npm run dev' } as const;

test.each([
  ['on a terminal', auto, { TERM: 'xterm' }, true, COLORED],
  ['into a pipe', auto, { TERM: 'xterm' }, false, UNBUFFERED],
  ['"never"', { ...auto, color: 'never' }, {}, true, UNBUFFERED],
  ['in CI', auto, { CI: 'true' }, true, UNBUFFERED],
  ['CI=false is no CI', auto, { CI: 'false' }, true, COLORED],
  ['FORCE_COLOR is set', auto, { FORCE_COLOR: '0' }, true, UNBUFFERED],
  ['NO_COLOR is set, and empty', auto, { NO_COLOR: '' }, true, UNBUFFERED],
  ['CLICOLOR is set', auto, { CLICOLOR: '1' }, true, UNBUFFERED],
  ['a dumb terminal', auto, { TERM: 'dumb' }, true, UNBUFFERED],
  ['$(…)', { ...auto, command: 'PORT=$(node -p 3000) x' }, {}, true, UNBUFFERED],
  ['backticks', { ...auto, command: 'x `node -p 3000`' }, {}, true, UNBUFFERED],
  ['a list goes through no shell', { ...auto, command: ['x', '$(y)'] }, {}, true, COLORED],
  ['PYTHONUNBUFFERED is set', auto, { PYTHONUNBUFFERED: '' }, false, {}],
] as const)('the default variables of a service: %s', (_name, service, env, onTerminal, added) => {
  expect(defaultVariables(service, env, onTerminal)).toEqual(added);
});

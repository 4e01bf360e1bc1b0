import { expect, test } from 'vitest';
import { planRestart } from '../../../src/operations/start/restart.ts';

const service = (name: string, dependsOn: readonly string[] = [], autostart = true) => ({
  name,
  dependsOn,
  autostart,
});
const choices = {
  services: [
    service('db'),
    service('api', ['db']),
    service('web', ['api']),
    service('docs', ['db']),
    service('seed', ['db'], false),
  ],
  groups: {},
};
const all = ['db', 'api', 'web', 'docs'];

test.each([
  ['one: only it, and what it needs is started', ['api'], all, false, ['api'], ['db', 'api']],
  ['dependents, direct and not', ['db'], all, true, all, all],
  ['of dependents only those that were started', ['db'], ['db', 'web'], true, ['db'], ['db']],
  [
    'no names: what runs and what starts by itself',
    null,
    ['db', 'seed'],
    false,
    ['db', 'seed'],
    [...all, 'seed'],
  ],
  ['no names, a service that the manifest lost', null, ['old', 'api'], false, ['old', 'api'], all],
  ['nothing runs: as a start', null, [], false, [], all],
] as const)('%s', (_, named, known, dependents, stop, start) => {
  expect(planRestart(choices, named, known, dependents)).toEqual({ stop, start });
});

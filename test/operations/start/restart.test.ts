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
  [
    'one service: only it stops, its dependencies start',
    ['api'],
    all,
    false,
    ['api'],
    ['db', 'api'],
  ],
  ['with dependents, direct and indirect', ['db'], all, true, all, all],
  ['only dependents that were started', ['db'], ['db', 'web'], true, ['db'], ['db']],
  [
    'no names: services that run, and services with autostart',
    null,
    ['db', 'seed'],
    false,
    ['db', 'seed'],
    [...all, 'seed'],
  ],
  ['a service that left the manifest', null, ['old', 'api'], false, ['old', 'api'], all],
  ['nothing runs: the same as a start', null, [], false, [], all],
] as const)('%s', (_, named, known, dependents, stop, start) => {
  expect(planRestart(choices, named, { known, ended: [] }, dependents)).toEqual({ stop, start });
});

test('a task that has ended runs again by name, or where start runs it too', () => {
  const tasks = { ...choices, services: [...choices.services, service('migrate', ['db'])] };
  const known = ['db', 'seed', 'migrate', 'old'];
  const plan = (named: readonly string[] | null) =>
    planRestart(tasks, named, { known, ended: ['seed', 'migrate', 'old'] }, true);
  expect(plan(null)).toEqual({ stop: ['db', 'migrate', 'old'], start: [...all, 'migrate'] });
  expect(plan(['db']).stop).toEqual(['db', 'migrate']);
  expect(plan(['seed']).stop).toEqual(['seed']);
});

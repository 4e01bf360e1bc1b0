import { expect, test } from 'vitest';
import { planApply } from '../../../src/operations/start/apply.ts';

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
    service('docs'),
    service('seed', [], false),
  ],
  groups: {},
};
const env = ['env'];
const NOTHING = { restart: [], start: [], stop: [], keep: [], unknown: [] };

test.each([
  ['nothing runs', [], {}, [], false, { start: ['db', 'api', 'web', 'docs'] }],
  [
    'nothing has changed',
    [],
    { db: [], api: [], web: [], docs: [] },
    ['db', 'api', 'web', 'docs'],
    false,
    { keep: ['db', 'api', 'web', 'docs'] },
  ],
  [
    'one has changed, one is new, one is named no more',
    [],
    { db: env, api: [], web: [] },
    ['db', 'api', 'web', 'old'],
    false,
    {
      restart: [{ service: 'db', keys: env }],
      start: ['docs'],
      stop: ['old'],
      keep: ['api', 'web'],
    },
  ],
  [
    'with dependents that run, direct and indirect',
    [],
    { db: env, api: [], web: [], docs: [] },
    [],
    true,
    {
      restart: [
        { service: 'db', keys: env },
        { service: 'api', keys: [] },
        { service: 'web', keys: [] },
      ],
      keep: ['docs'],
    },
  ],
  [
    'a service that does not start by itself, but runs',
    [],
    { db: [], api: [], web: [], docs: [], seed: env },
    [],
    false,
    { restart: [{ service: 'seed', keys: env }], keep: ['db', 'api', 'web', 'docs'] },
  ],
  [
    'named services, with what they depend on, and nothing else',
    ['api'],
    { db: env, api: [], web: env },
    ['old'],
    false,
    { restart: [{ service: 'db', keys: env }], keep: ['api'] },
  ],
  [
    'what nobody can tell is left alone, and named',
    [],
    { db: null, api: [], web: [], docs: env },
    [],
    false,
    { restart: [{ service: 'docs', keys: env }], keep: ['api', 'web'], unknown: ['db'] },
  ],
  [
    'what is restarted needs what is down',
    ['docs'],
    { docs: env },
    [],
    false,
    { restart: [{ service: 'docs', keys: env }] },
  ],
] as const)('%s', (_name, names, changes, recorded, dependents, expected) => {
  const facts = {
    names,
    recorded,
    dependents,
    ended: [],
    changes: new Map(Object.entries(changes)),
  };
  expect(planApply({ choices, ...facts })).toEqual({ ...NOTHING, ...expected });
});

test('a task that has ended and has changed runs again only by name', () => {
  const facts = { recorded: ['seed'], ended: ['seed'], dependents: true };
  const plan = (names: readonly string[]) =>
    planApply({ choices, names, changes: new Map([['seed', ['command']]]), ...facts }).restart;
  expect(plan([])).toEqual([]);
  expect(plan(['seed'])).toEqual([{ service: 'seed', keys: ['command'] }]);
});

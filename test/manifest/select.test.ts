import { expect, test } from 'vitest';
import { loadManifest } from '../../src/manifest/load.ts';
import { readManifestOutline } from '../../src/manifest/outline.ts';
import {
  type Choices,
  choicesOf,
  selectForStart,
  selectServices,
} from '../../src/manifest/select.ts';
import { errorOf, folderWith } from './folder.ts';

const service = (name: string, dependsOn: string[] = [], autostart = true) => ({
  name,
  dependsOn,
  autostart,
});

const choices: Choices = {
  services: [
    service('web', ['api']),
    service('api', ['db']),
    service('db', [], false),
    service('docs', [], false),
    service('constructor'),
  ],
  groups: { backend: ['api', 'db'], site: ['docs', 'web'] },
};

test.each<[names: string[], services: string[]]>([
  [[], ['web', 'api', 'db', 'docs', 'constructor']],
  [
    ['db', 'web'],
    ['web', 'db'],
  ],
  [
    ['db', 'db', 'backend'],
    ['api', 'db'],
  ],
  [
    ['site', 'backend'],
    ['web', 'api', 'db', 'docs'],
  ],
  [['constructor'], ['constructor']],
])('%j means %j', (names, services) => {
  expect(selectServices(choices, names)).toEqual(services);
});

test.each<[names: string[], services: string[]]>([
  [[], ['web', 'api', 'db', 'constructor']],
  [['docs'], ['docs']],
  [['api'], ['api', 'db']],
  [['site'], ['web', 'api', 'db', 'docs']],
])('to start %j is to start %j', (names, services) => {
  expect(selectForStart(choices, names)).toEqual(services);
});

test('in the outline of a broken manifest, dependencies may be missing or go in a cycle', () => {
  const broken = { services: [service('a', ['b', 'gone']), service('b', ['a'])], groups: {} };
  expect(selectForStart(broken, ['a'])).toEqual(['a', 'b']);
});

test.each<[name: string, message: string]>([
  ['wbe', 'no service or group is called "wbe". Did you mean "web"?'],
  ['bakcend', 'no service or group is called "bakcend". Did you mean "backend"?'],
  ['toString', 'no service or group is called "toString".'],
  ['', 'no service or group is called "".'],
])('%j is unknown', (name, message) => {
  for (const select of [selectServices, selectForStart]) {
    const error = errorOf(() => select(choices, ['web', name]));
    expect(error).toMatchObject({ code: 'service-unknown', exitCode: 2, message });
    expect(error.hint).toBe('services: web, api, db, docs, constructor; groups: backend, site');
  }
});

test('names with commas between them, and "all", are answered with how names are given', () => {
  const hint = (...names: string[]) => errorOf(() => selectServices(choices, names)).hint;
  expect(hint('web,site', 'db')).toBe('names are separated by blanks: web site db');
  expect(hint('all')).toBe('without a name, it is all of them');
  expect(hint('web,gone')).toMatch(/^services: /);
});

test('the list of known names is short, also when there are none', () => {
  const many = Array.from({ length: 25 }, (_, index) => service(`service-${index}`));
  const hint = (services: Choices['services']) =>
    errorOf(() => selectServices({ services, groups: {} }, ['?'])).hint;
  expect(hint(many)).toMatch(/^services: service-0, .* service-19 and 5 more$/);
  expect(hint([])).toBe('the manifest names no services');
});

test('a validated manifest and its outline offer the same choices', () => {
  const cwd = folderWith({
    '.devctl.json': {
      services: { a: { command: 'x' }, b: { command: 'x', dependsOn: ['a'], autostart: false } },
      groups: { g: ['b'] },
    },
  });
  const outline = readManifestOutline({ cwd });
  if (outline.kind !== 'found') throw new Error(outline.kind);
  const resolved = choicesOf(loadManifest({ cwd }));
  for (const names of [[], ['g'], ['a']]) {
    expect(selectForStart(outline, names)).toEqual(selectForStart(resolved, names));
    expect(selectServices(outline, names)).toEqual(selectServices(resolved, names));
  }
});

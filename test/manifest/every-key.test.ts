import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'jsonc-parser';
import { expect, test } from 'vitest';
import { loadManifest } from '../../src/manifest/load.ts';
import { repositoryRoot } from '../support/paths.ts';
import { folderWith, write } from './folder.ts';

const read = (file: string): string => readFileSync(join(repositoryRoot, file), 'utf8');
const everyKey = () => parse(read('fixtures/every-key.json'));

const FILES = {
  '.env': '',
  '.env.local': '',
  'compose.dev.yaml': 'services: { redis: { image: redis } }',
  'packages/api/package.json': {},
};

/** The manifest as devctl takes it, without the lines of its keys and without the text that a later start compares. */
function resolved(root: string, manifest: object) {
  write(join(root, '.devctl.json'), manifest);
  const { definitions, ...rest } = loadManifest({ cwd: root, env: {} });
  return JSON.parse(JSON.stringify(rest).replaceAll(/\.devctl\.json:\d+/g, ''));
}

test('the examples of docs/manifest.md are a valid manifest', () => {
  expect(resolved(folderWith(FILES), everyKey())).toMatchObject({ name: 'shop' });
});

/** The keys whose default the schema tells as a value, with their paths in the examples. */
function defaults(): readonly (readonly [path: string, keys: readonly string[], value: unknown])[] {
  const found: [string, string[], unknown][] = [];
  const walk = (schema: unknown, value: unknown, path: readonly string[]): void => {
    if (typeof schema !== 'object' || schema === null) return;
    for (const [key, field] of Object.entries(Object(Object(schema).properties))) {
      const [, text = ''] = /Default: (.*)\.$/s.exec(Object(field).description) ?? [];
      try {
        found.push([[...path, key].join('.'), [...path, key], JSON.parse(text)]);
      } catch {
        // Told in words.
      }
      for (const one of [field, ...(Object(field).anyOf ?? [])])
        walk(one, Object(value)[key], [...path, key]);
    }
  };
  const schema = JSON.parse(read('schema/devctl.schema.json'));
  walk(schema, everyKey(), []);
  walk(schema.properties.services.additionalProperties, everyKey(), ['services', 'api']);
  return found;
}

test('the schema tells most defaults as values', () => {
  expect(defaults().length).toBeGreaterThan(25);
});

test.each(defaults())(
  'the default of %s is the one that the schema tells',
  (_path, keys, value) => {
    const changed = (change: (object: Record<string, unknown>, key: string) => void): object => {
      const manifest = everyKey();
      const inner = keys.slice(0, -1).reduce((object, key) => object[key], manifest);
      change(inner, keys.at(-1) ?? '');
      return manifest;
    };
    const root = folderWith(FILES);
    const given = changed((object, key) => Object.assign(object, { [key]: value }));
    const missing = changed((object, key) => delete object[key]);
    expect(resolved(root, given)).toEqual(resolved(root, missing));
  },
);

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { manifestJsonSchema } from '../../src/manifest/json-schema.ts';

const file = new URL('../../schema/devctl.schema.json', import.meta.url);

test('the schema in the package is up to date (npm run schema writes it)', () => {
  expect(readFileSync(file, 'utf8') === manifestJsonSchema()).toBe(true);
});

test('every field has a description', () => {
  const bare: string[] = [];
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'properties')
        for (const [name, field] of Object.entries(Object(value)))
          if (typeof Object(field).description !== 'string') bare.push(`${path}.${name}`);
      // The two ways to have anything to start repeat keys that are described above.
      if (key !== 'oneOf' && `${path}.${key}` !== '.anyOf') walk(value, `${path}.${key}`);
    }
  };
  walk(JSON.parse(manifestJsonSchema()), '');
  expect(bare).toEqual([]);
});

// zod reads the schema back as an editor would, for a second opinion on what the schema allows.
const asEditorsSeeIt = z.fromJSONSchema(JSON.parse(manifestJsonSchema()));
const web = (fields: object) => ({ services: { web: { command: 'x', ...fields } } });

test.each<[accepted: boolean, manifest: unknown]>([
  [true, web({})],
  [true, { $schema: 'x', ...web({ ports: [1], dependsOn: ['a'], env: { A: 'b', B: 1 } }) }],
  [true, web({ command: ['a', 'b'], dependsOn: { a: 'ready' }, stop: { grace: '3s' } })],
  [true, web({ ready: { http: 'http://localhost', status: [200], timeout: 5 } })],
  [true, { ...web({}), groups: { g: ['web'] }, stopGrace: 5, sweep: { scope: 'off' } }],
  [false, web({ ready: { http: 'http://localhost', tcp: 80 } })],
  [false, web({ ready: { timeout: 5 } })],
  [true, { containers: {} }],
  [false, {}],
  [false, { services: [] }],
  [false, web({ retsart: 'no' })],
  [false, web({ command: '' })],
  [false, web({ command: [] })],
  [false, web({ ports: [70_000] })],
  [false, web({ stop: { grace: '3 sec' } })],
  [false, web({ stop: { grace: -1 } })],
  [false, web({ stop: { signal: 'TERM' } })],
  [false, web({ dependsOn: { a: 'up' } })],
])('editors: %j, %j', (accepted, manifest) => {
  expect(asEditorsSeeIt.safeParse(manifest).success).toBe(accepted);
});

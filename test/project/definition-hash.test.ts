import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  changedKeys,
  hashDefinition,
  makeDefinitionKey,
  readDefinitionKey,
} from '../../src/project/definition-hash.ts';
import { toServiceRecord } from '../../src/project/record-checks.ts';
import { readRecord, writeRecord } from '../../src/project/records.ts';
import { recordOf, temporaryRecords } from './records-folder.ts';

const DEFINITION = { command: '"npm start"', env: '[[],[["PASSWORD","hunter2"]]]' };

test('the key is made once, for this user alone', () => {
  const folder = temporaryRecords();
  expect(readDefinitionKey(folder)).toBeNull();
  const key = makeDefinitionKey(folder);
  expect(key).toHaveLength(32);
  expect(makeDefinitionKey(folder)).toEqual(key);
  expect(statSync(join(folder.pidsDir, 'definition-key')).mode & 0o777).toBe(0o600);
});

test('a key that cannot be used is replaced, a link to it too', () => {
  const folder = temporaryRecords();
  const path = join(folder.pidsDir, 'definition-key');
  writeFileSync(path, 'short\n');
  expect(makeDefinitionKey(folder)).toHaveLength(32);
  rmSync(path);
  const elsewhere = join(folder.root, 'other');
  writeFileSync(elsewhere, `${'0'.repeat(64)}\n`);
  symlinkSync(elsewhere, path);
  expect(readDefinitionKey(folder)).toBeNull();
  expect(makeDefinitionKey(folder)).not.toEqual(Buffer.alloc(32));
  expect(readFileSync(elsewhere, 'utf8')).toBe(`${'0'.repeat(64)}\n`);
});

test('a record holds the definition, and nothing from which a secret can be guessed', () => {
  const folder = temporaryRecords();
  const key = makeDefinitionKey(folder) ?? expect.fail('no key');
  const definition = hashDefinition(key, 'web', DEFINITION);
  writeRecord(folder, recordOf(folder, 'web', { definition }));
  const read = readRecord(folder, 'web');
  expect(read).toMatchObject({ kind: 'record', record: { definition } });
  const other = hashDefinition(Buffer.alloc(32), 'web', DEFINITION);
  expect(other.hashes.env).not.toBe(definition.hashes.env);
  expect(hashDefinition(key, 'api', DEFINITION).hashes.env).not.toBe(definition.hashes.env);
});

test('the keys that differ are named; what cannot be compared is not known', () => {
  const key = Buffer.alloc(32, 1);
  const recorded = hashDefinition(key, 'web', DEFINITION);
  const now = { command: '"npm start"', cwd: '"app"' };
  expect(changedKeys('web', recorded, DEFINITION, key)).toEqual([]);
  expect(changedKeys('web', recorded, now, key)).toEqual(['cwd', 'env']);
  expect(changedKeys('web', undefined, DEFINITION, key)).toBeNull();
  expect(changedKeys('web', recorded, null, key)).toBeNull();
  expect(changedKeys('web', recorded, DEFINITION, null)).toBeNull();
  expect(changedKeys('web', recorded, DEFINITION, Buffer.alloc(32, 2))).toBeNull();
  expect(changedKeys('web', { ...recorded, format: 2 }, DEFINITION, key)).toBeNull();
});

test('a definition in the format of a later devctl does not make a record unreadable', () => {
  const folder = temporaryRecords();
  const fields = { ...recordOf(folder, 'web'), definition: { format: 2, what: ['ever'] } };
  expect(toServiceRecord(fields)).toMatchObject({ service: 'web', definition: { format: 2 } });
  expect(toServiceRecord({ ...fields, definition: 'x' })).toContain('definition');
});

test('where no key can be written there is none', () => {
  const folder = temporaryRecords();
  mkdirSync(join(folder.pidsDir, 'definition-key', 'in-the-way'), { recursive: true });
  expect(makeDefinitionKey(folder)).toBeNull();
});

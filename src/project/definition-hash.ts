import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import type { Definition } from '../manifest/resolved.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { asObject } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { writableFolder } from './records-folder.ts';
import { readOwnFile } from './safe-file.ts';
import type { RecordedDefinition } from './service-record.ts';

const FORMAT = 1;
const KEY_BYTES = 32;
/** Hex digits of a hash, which only has to tell two definitions apart. */
const HASH_DIGITS = 32;
const KEY_NAME_DIGITS = 8;

/** Reads the key of a project, `.pids/definition-key`. Null: there is none that can be used. */
export function readDefinitionKey(folder: ProjectFolder): Buffer | null {
  const file = readOwnFile(keyPath(folder));
  const text = file.kind === 'content' ? file.bytes.toString('latin1').trim() : '';
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : null;
}

/**
 * Reads the key of a project, or makes one. Call it with the project lock held.
 *
 * @returns null where it cannot be written; then nobody can tell later whether a definition has changed
 */
export function makeDefinitionKey(folder: ProjectFolder): Buffer | null {
  const known = readDefinitionKey(folder);
  if (known) return known;
  const key = randomBytes(KEY_BYTES);
  try {
    writableFolder(folder, null);
    writeFileAtomically(keyPath(folder), `${key.toString('hex')}\n`);
    return key;
  } catch (error) {
    if (error instanceof DevctlError) return null;
    throw error;
  }
}

/** Hashes the definition of a service, for its record. */
export function hashDefinition(
  key: Buffer,
  service: string,
  definition: Definition,
): RecordedDefinition {
  const hashes = Object.entries(definition).map(([name, text]) => [
    name,
    hmac(key, [service, name, text]).slice(0, HASH_DIGITS),
  ]);
  return { format: FORMAT, key: nameOfKey(key), hashes: Object.fromEntries(hashes) };
}

/**
 * Finds the manifest keys of a service that have changed since its run began, in alphabetical order.
 *
 * @param recorded of the record; missing in those of earlier versions
 * @param now null: the definition cannot be read
 * @returns null where that cannot be known
 */
export function changedKeys(
  service: string,
  recorded: RecordedDefinition | undefined,
  now: Definition | null,
  key: Buffer | null,
): readonly string[] | null {
  if (!recorded || !now || !key) return null;
  const before = asObject(recorded.hashes);
  if (recorded.format !== FORMAT || recorded.key !== nameOfKey(key) || !before) return null;
  const { hashes } = hashDefinition(key, service, now);
  const names = new Set([...Object.keys(before), ...Object.keys(hashes)]);
  return [...names].filter((name) => before[name] !== hashes[name]).sort();
}

function nameOfKey(key: Buffer): string {
  return hmac(key, ['name of this key']).slice(0, KEY_NAME_DIGITS);
}

function hmac(key: Buffer, parts: readonly string[]): string {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest('hex');
}

function keyPath({ pidsDir }: ProjectFolder): string {
  return join(pidsDir, 'definition-key');
}

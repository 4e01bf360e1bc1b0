import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type FoundAtPath,
  type HeldPlace,
  mayGoOn,
  openHold,
} from '../../src/project/place/hold-folder.ts';

const cases: readonly [FoundAtPath, HeldPlace, boolean][] = [
  ['same', null, true],
  ['same', { path: '/a' }, true],
  ['unknown', null, true],
  ['unknown', { path: '/b' }, true],
  ['missing', 'removed', true],
  ['missing', { path: '/b' }, false],
  ['missing', null, false],
  ['another', { path: '/b' }, false],
  ['another', 'removed', false],
  ['another', null, false],
];

test.each(cases)('%s at the path, found at %j: goes on: %s', (atPath, place, goesOn) => {
  expect(mayGoOn(atPath, place)).toBe(goesOn);
});

test.runIf(process.platform === 'linux')('a held folder is followed to its removal', () => {
  const ground = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-hold-')));
  const [here, there] = [join(ground, 'here'), join(ground, 'there')];
  mkdirSync(here);
  const hold = openHold(here);
  expect(hold.isAt(here)).toBe(true);
  renameSync(here, there);
  mkdirSync(here);
  expect(hold.isAt(here)).toBe(false);
  expect(hold.where()).toEqual({ path: there });
  rmSync(there, { recursive: true });
  expect(hold.where()).toBe('removed');
  hold.release();
  hold.release();
  rmSync(ground, { recursive: true });
});

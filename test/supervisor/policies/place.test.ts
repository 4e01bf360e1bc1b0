import { expect, test } from 'vitest';
import { judgePlace, type PlaceSeen } from '../../../src/supervisor/policies/place.ts';

const ROOT = '/home/me/app';
const HERE: PlaceSeen = { root: ROOT, atPath: 'same', own: null, hasFiles: true };
const removed = { kind: 'removed' } as const;
const folder = (path: string) => ({ kind: 'folder', path }) as const;
const stale = { kind: 'unknown', why: 'ESTALE' } as const;

test.each<[what: string, seen: Partial<PlaceSeen>, verdict: string]>([
  ['nothing has changed', {}, 'here'],
  ['manifest and records are gone', { hasFiles: false }, 'removed'],
  ['renamed', { atPath: 'missing', own: folder('/home/me/app2') }, 'moved'],
  ['renamed, a new checkout in its place', { atPath: 'another', own: folder('/x') }, 'moved'],
  [
    'renamed, another disk mounted in its place',
    { atPath: 'another-device', own: folder('/x') },
    'moved',
  ],
  ['removed', { atPath: 'missing', own: removed, hasFiles: false }, 'removed'],
  ['removed, and cloned again', { atPath: 'another', own: removed }, 'removed'],
  ['unmounted', { atPath: 'another-device', own: folder(ROOT) }, 'unknown'],
  ['a server that does not answer', { atPath: 'unknown', own: stale, hasFiles: false }, 'unknown'],
  [
    'no permission on the way',
    { atPath: 'unknown', own: { kind: 'unknown', why: 'EACCES' } },
    'unknown',
  ],
])('%s', (_what, seen, verdict) => {
  expect(judgePlace({ ...HERE, ...seen }).kind).toBe(verdict);
});

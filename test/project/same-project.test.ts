import { describe, expect, test } from 'vitest';
import type { FolderPlace, ProjectRecord } from '../../src/project/place/project-file.ts';
import { judgeBelonging, mayLiveElsewhere } from '../../src/project/place/same-project.ts';

const RECORD: ProjectRecord = {
  schema: 1,
  id: '00112233445566aa',
  path: '/home/me/app',
  formerPaths: [],
  alsoAt: [],
  pidsDir: '/home/me/app/.pids',
  device: '2049',
  inode: '77',
  machineId: 'm1',
  bootId: 'b1',
  pidNamespace: 'pid:[1]',
};

type Here = Partial<FolderPlace & { readonly pidsDir: string }>;

const here = (over: Here = {}) => {
  const { path, pidsDir, device, inode, machineId, bootId, pidNamespace } = { ...RECORD, ...over };
  return { path, pidsDir: over.pidsDir ?? pidsDir, device, inode, machineId, bootId, pidNamespace };
};

const NOWHERE = {
  oldPathExists: false,
  isRegisteredElsewhere: false,
  livesElsewhere: 'no' as 'yes' | 'perhaps' | 'removed' | 'nowhere' | 'no',
  namesLiving: false,
};
const MOVED = { path: '/home/me/app2', pidsDir: '/home/me/app2/.pids' };

describe('is the id in a folder the folder’s own?', () => {
  test.each<[what: string, here: Here, world: Partial<typeof NOWHERE>, standing: string]>([
    ['the folder itself', {}, {}, 'here'],
    ['remounted: another device and inode', { device: '9', inode: '9' }, {}, 'here'],
    [
      'a restored backup, at the same path, on another machine',
      { machineId: 'm2', bootId: 'b9' },
      {},
      'here',
    ],
    ['renamed', MOVED, {}, 'moved'],
    ['renamed, with a new checkout at the old path', MOVED, { oldPathExists: true }, 'moved'],
    ['moved to another file system', { ...MOVED, device: '9', inode: '9' }, {}, 'moved'],
    [
      'copied on its device, and the original is nowhere',
      { ...MOVED, inode: '9' },
      {},
      'perhaps-moved',
    ],
    [
      'moved between two mounts of one device',
      { ...MOVED, inode: '9' },
      { livesElsewhere: 'removed' },
      'moved',
    ],
    [
      'moved to another file system, as a process shows',
      { ...MOVED, device: '9', inode: '9' },
      { livesElsewhere: 'removed' },
      'moved',
    ],
    [
      'copied to another file system, and nobody can tell where a process works',
      { ...MOVED, device: '9', inode: '9' },
      { livesElsewhere: 'perhaps' },
      'perhaps-moved',
    ],
    ['copied: the original is there', { ...MOVED, inode: '9' }, { oldPathExists: true }, 'copy'],
    [
      'copied, then the original was renamed',
      { ...MOVED, inode: '9' },
      { livesElsewhere: 'yes' },
      'copy',
    ],
    [
      'a copy at the old path of a folder that was renamed while it ran',
      { inode: '9' },
      { isRegisteredElsewhere: true },
      'copy',
    ],
    [
      'the folder itself, whose id somebody wrote into another folder',
      {},
      { isRegisteredElsewhere: true },
      'here',
    ],
    [
      'another folder at the path, and what the records name works nowhere',
      { inode: '9' },
      { livesElsewhere: 'nowhere' },
      'perhaps-moved',
    ],
    [
      'remounted, and what the records name works elsewhere',
      { device: '9', inode: '9' },
      { livesElsewhere: 'nowhere' },
      'here',
    ],
    [
      'a records folder of two projects, the other one registered',
      { path: '/home/me/other', inode: '9' },
      { oldPathExists: true, isRegisteredElsewhere: true },
      'shared',
    ],
    ['renamed and rebooted: nobody can tell', { ...MOVED, bootId: 'b2' }, {}, 'copy'],
    ['another machine', { ...MOVED, machineId: 'm2', bootId: 'b2' }, {}, 'copy'],
    [
      'another container with the same folder at another path',
      { ...MOVED, pidNamespace: 'pid:[2]' },
      {},
      'copy',
    ],
    [
      'a template that was checked out',
      { path: '/x', pidsDir: '/x/.pids', bootId: 'b7', inode: '5' },
      {},
      'copy',
    ],
    [
      'a records folder of two projects',
      { path: '/home/me/other', inode: '9' },
      { oldPathExists: true },
      'shared',
    ],
    [
      'a records folder of two, the other one gone',
      { path: '/home/me/other', inode: '9' },
      {},
      'copy',
    ],
    [
      'a records folder of two, the other one moved while it runs',
      { path: '/home/me/other', inode: '9' },
      { namesLiving: true },
      'shared',
    ],
  ])('%s', (_what, over, world, standing) => {
    const facts = { ...NOWHERE, ...world };
    const answers = {
      oldPathExists: () => facts.oldPathExists,
      isRegisteredElsewhere: () => facts.isRegisteredElsewhere,
      livesElsewhere: () => facts.livesElsewhere,
      namesLiving: () => facts.namesLiving,
    };
    expect(judgeBelonging(RECORD, here(over), answers)).toBe(standing);
  });
});

describe('may records speak of processes that live, but not here?', () => {
  const HOUR_MS = 3_600_000;
  test.each([
    ['the same place', here(), here(), HOUR_MS, false],
    ['this machine, rebooted', here({ bootId: 'b0' }), here(), -HOUR_MS, false],
    ['this machine, rebooted just now', here({ bootId: 'b0' }), here(), 5_000, false],
    ['a clone of this machine', here({ bootId: 'b0' }), here(), HOUR_MS, true],
    ['another container', here({ pidNamespace: 'pid:[2]' }), here(), -HOUR_MS, true],
    ['another machine', here({ machineId: 'm2', bootId: 'b2' }), here(), -HOUR_MS, true],
    ['a machine without an id', here({ machineId: null, bootId: 'b2' }), here(), -HOUR_MS, true],
    ['seen from one without an id', here({ bootId: 'b2' }), here({ machineId: null }), -1, true],
  ])('%s', (_what, there, now, sinceBootMs, expected) => {
    expect(mayLiveElsewhere(there, now, () => sinceBootMs)).toBe(expected);
  });
});

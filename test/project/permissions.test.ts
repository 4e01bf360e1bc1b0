import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ProjectFolder } from '../../src/project/folder.ts';
import { readRecords, writeRecord } from '../../src/project/records.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import { prepareSocketPath, socketPaths } from '../../src/project/socket-path.ts';
import { bundle, run } from './programs.ts';
import { recordOf, temporaryFolder, temporaryRecords } from './records-folder.ts';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
/**
 * Only root can become another user, and root may do everything: so the test runs as root and acts as
 * nobody.
 */
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

interface Outcome {
  readonly prepare: string;
  readonly lastStop: string;
  readonly ledger: string;
  readonly lock: string;
  readonly records: readonly string[];
  readonly refused: readonly string[];
  readonly ledgerProblems: readonly string[];
}

async function writeAll(root: string, prefix: readonly string[]): Promise<Outcome> {
  const [command = '', ...argv] = [...prefix, process.execPath, bundle('write-all'), root];
  const end = await run(command, argv).ended;
  expect(end).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(end.stdout);
}

/** Gives a folder and its content to the user nobody. */
function giveAway(path: string): void {
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, path]);
}

const all = (expected: RegExp) => {
  const each = expect.stringMatching(expected);
  return { prepare: each, lastStop: each, ledger: each, lock: each };
};

function withRecord(): ProjectFolder {
  const folder = temporaryRecords();
  writeRecord(folder, recordOf(folder, 'web'));
  chmodSync(folder.root, 0o755);
  return folder;
}

test.runIf(isRoot)('in a folder of his own, another user can do everything', async () => {
  const folder = withRecord();
  giveAway(folder.root);
  const outcome = await writeAll(folder.root, asNobody);
  expect(outcome).toMatchObject({ ...all(/^ok$/), records: ['web'], refused: [] });
});

test.runIf(isRoot)('a project of another user is left alone', async () => {
  const folder = withRecord();
  const outcome = await writeAll(folder.root, asNobody);
  expect(outcome).toMatchObject(
    all(/^unsafe \| \S+\.pids is not safe to use: owned by user 0, devctl runs as user 65534 \|/),
  );
  expect(outcome.records).toEqual([]);
  expect(outcome.refused[0]).toMatch(/owned by user 0/);
});

test.runIf(isRoot)(
  'a project folder that cannot be written is named, with the way out',
  async () => {
    const root = temporaryFolder();
    chmodSync(root, 0o755);
    const outcome = await writeAll(root, asNobody);
    expect(outcome).toMatchObject(
      all(
        /^records-unwritable \| cannot write \S+\.pids: EACCES \| make the folder writable.*"pidsDir"/,
      ),
    );
  },
);

test('a records folder that is closed to its owner is named', async () => {
  const folder = withRecord();
  if (isRoot) giveAway(folder.root);
  const services = join(folder.pidsDir, 'services');
  chmodSync(services, 0o500);
  const outcome = await writeAll(folder.root, isRoot ? asNobody : ['env']);
  expect(outcome.prepare).toMatch(/^records-unwritable \| cannot write \S+services: EACCES \|/);
  chmodSync(services, 0o000);
  const blind = await writeAll(folder.root, isRoot ? asNobody : ['env']);
  expect(blind.refused).toEqual(['not readable: EACCES']);
  chmodSync(services, 0o700);
});

test.runIf(isRoot)('root does not obey the files of others, and other owners are no help', () => {
  const folder = withRecord();
  chownSync(join(folder.pidsDir, 'services', 'web.json'), NOBODY, NOBODY);
  expect(readRecords(folder)).toMatchObject({
    records: [],
    problems: [{ kind: 'refused', reason: 'owned by user 65534, devctl runs as user 0' }],
  });
  giveAway(folder.pidsDir);
  expect(() => prepareFolder(folder)).toThrow(/owned by user 65534/);
});

test.runIf(isRoot)("another user's socket folder is neither used nor connected to", () => {
  const folder = temporaryRecords();
  const XDG_RUNTIME_DIR = temporaryFolder();
  mkdirSync(join(XDG_RUNTIME_DIR, 'devctl'), { mode: 0o777 });
  chownSync(join(XDG_RUNTIME_DIR, 'devctl'), NOBODY, NOBODY);
  expect(() => prepareSocketPath(folder, { XDG_RUNTIME_DIR })).toThrow(/owned by user 65534/);
  const reachable = socketPaths(folder, { XDG_RUNTIME_DIR });
  expect(reachable.filter((path) => path.startsWith(XDG_RUNTIME_DIR))).toEqual([]);
});

/** Mounts a small disk over the project, for one process only: the disk goes with the mount namespace. */
const onSmallDisk = (root: string, options: string, fill: string) => [
  ...['unshare', '--mount', 'sh', '-c'],
  `mount -t tmpfs -o ${options} none "$0" && cd "$0" && ${fill} && exec "$@"`,
  root,
];

const canMount = isRoot && process.platform === 'linux' && mayMount();

test.runIf(canMount)('a full disk is named, and no half-written file is left', async () => {
  const root = temporaryFolder();
  const fill =
    'mkdir -m 700 .pids .pids/services .pids/ledger .pids/logs && echo "*" > .pids/.gitignore && (yes > full 2>/dev/null; true)';
  const outcome = await writeAll(root, onSmallDisk(root, 'size=64k', fill));
  expect(outcome).toMatchObject({
    prepare: 'ok',
    lastStop: expect.stringMatching(/^records-unwritable \| .*: ENOSPC \| the disk is full: free/),
    ledger: expect.stringMatching(/^records-unwritable \| .*(ENOSPC|the disk is full) \|/),
    lock: expect.stringMatching(/^records-unwritable \| .*lock: ENOSPC \| the disk is full: free/),
  });
});

test.runIf(canMount)(
  'a disk with room for half a batch leaves a torn ledger that readers accept',
  async () => {
    const root = temporaryFolder();
    const outcome = await writeAll(root, onSmallDisk(root, 'size=64k', 'true'));
    expect(outcome.ledger).toMatch(/^records-unwritable \| .* the disk is full \|/);
    expect(outcome.ledgerProblems).toEqual(['partial']);
  },
);

test.runIf(canMount)('a read-only disk is named', async () => {
  // Without .pids, Node's mkdirSync says ENOENT.
  for (const first of ['mkdir -m 700 .pids', 'true']) {
    const root = temporaryFolder();
    const remount = `${first} && mount -o remount,ro none .`;
    const outcome = await writeAll(root, onSmallDisk(root, 'size=64k', remount));
    expect(outcome).toMatchObject(
      all(/^records-unwritable \| .*: EROFS \| the file system is mounted read-only: choose/),
    );
  }
});

function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

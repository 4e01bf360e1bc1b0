import { expect, test } from 'vitest';
import {
  folderOf,
  parseContainerId,
  parseGroupMounts,
  parseGroupPath,
  pathOf,
} from '../../../src/processes/linux/group-mounts.ts';

const HYBRID = `24 18 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
25 24 0:23 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 24 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
`;

test('mounts of the unified hierarchy, and of no other', () => {
  expect(parseGroupMounts(HYBRID)).toEqual([{ root: '/', point: '/sys/fs/cgroup/unified' }]);
  const bound = '9 1 0:38 /docker/ab\\040c /mnt/with\\040space\\134 ro master:1 - cgroup2 none ro';
  expect(parseGroupMounts(bound)).toEqual([{ root: '/docker/ab c', point: '/mnt/with space\\' }]);
  expect(parseGroupMounts('')).toEqual([]);
  expect(parseGroupMounts('nonsense\n - cgroup2 x y')).toEqual([]);
});

test.each([
  ['12:pids:/a\n0::/user.slice/app.scope\n', '/user.slice/app.scope'],
  ['0::/\n', '/'],
  ['0::/gone (deleted)\n', '/gone'],
  ['1:name=systemd:/x\n', null],
  ['', null],
])('the path in %j', (text, path) => {
  expect(parseGroupPath(text)).toBe(path);
});

test.each([
  [{ root: '/', point: '/sys/fs/cgroup' }, '/', '/sys/fs/cgroup'],
  [{ root: '/', point: '/sys/fs/cgroup' }, '/a/b', '/sys/fs/cgroup/a/b'],
  [{ root: '/docker/x', point: '/sys/fs/cgroup' }, '/docker/x/a', '/sys/fs/cgroup/a'],
  [{ root: '/docker/x', point: '/sys/fs/cgroup' }, '/docker/x', '/sys/fs/cgroup'],
])('%j shows %s as %s, and back', (mount, path, folder) => {
  expect(folderOf(mount, path)).toBe(folder);
  expect(pathOf(mount, folder)).toBe(path);
});

test('what a mount does not show has no folder', () => {
  const mount = { root: '/docker/x', point: '/sys/fs/cgroup' };
  expect(folderOf(mount, '/docker/xy')).toBeNull();
  expect(folderOf(mount, '/docker')).toBeNull();
  // Outside of our cgroup namespace, cgroup_namespaces(7).
  expect(folderOf({ root: '/', point: '/sys/fs/cgroup' }, '/../other')).toBeNull();
  expect(pathOf(mount, '/sys/fs/cgroups/a')).toBeNull();
});

const ID = 'a1'.repeat(32);
test.each<[what: string, text: string, id: string | null]>([
  ['Docker, by itself', `0::/docker/${ID}\n`, ID],
  ['Docker, by systemd', `0::/system.slice/docker-${ID}.scope\n`, ID],
  ['podman', `0::/user.slice/user-1.slice/user@1.service/libpod-${ID}.scope/container\n`, ID],
  ['Kubernetes', `0::/kubepods.slice/pod12/cri-containerd-${ID}.scope\n`, ID],
  ['cgroup v1 beside an empty v2', `9:memory:/docker/${ID}\n0::/\n`, ID],
  ['a group in the container', `0::/docker/${ID}/init\n`, ID],
  ['a container in a container', `0::/docker/${'b2'.repeat(32)}/docker/${ID}\n`, ID],
  ['no container', '0::/user.slice/session-1.scope\n', null],
  ['a shorter number', `0::/x/${'a1'.repeat(16)}\n`, null],
  ['a longer one', `0::/x/${ID}a1\n`, null],
  ['one of devctl', '0::/devctl-0123456789abcdef/0123456789abcdef\n', null],
  ['nothing', '', null],
])('the container of a process: %s', (_what, text, id) => {
  expect(parseContainerId(text)).toBe(id);
});

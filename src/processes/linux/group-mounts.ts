/** A mounted cgroup v2 hierarchy: the group `root` of the hierarchy is the folder `point`. */
export interface GroupMount {
  /** Path inside the hierarchy; '/' but for bind mounts and containers without a namespace. */
  readonly root: string;
  /** Absolute path of the mount point. */
  readonly point: string;
}

/**
 * Finds the mounts of the unified hierarchy (proc_pid_mountinfo(5)), also beside cgroup v1, as on hybrid
 * systems: `/sys/fs/cgroup/unified`.
 */
export function parseGroupMounts(mountinfo: string): readonly GroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    // 36 35 98:0 /root /point options optional-fields… - type source options
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, point] = before.split(' ');
    if (!root || !point || !after.startsWith('cgroup2 ')) return [];
    return [{ root: unescapePath(root), point: unescapePath(point) }];
  });
}

/** Finds the path in /proc/PID/cgroup, in the line of the unified hierarchy, `0::/path` (cgroups(7)). */
export function parseGroupPath(cgroup: string): string | null {
  const line = cgroup.split('\n').find((one) => one.startsWith('0::/'));
  // The kernel adds this to a group that was removed while a zombie was in it.
  return line?.slice('0::'.length).replace(/ \(deleted\)$/, '') ?? null;
}

/**
 * Finds the id of a container in /proc/PID/cgroup: `/docker/ID`, `/system.slice/docker-ID.scope`, `/…/libpod-ID.scope`,
 * `/kubepods/…/cri-containerd-ID.scope`. The innermost one counts. With cgroup v1 only some hierarchies may have it.
 */
export function parseContainerId(cgroup: string): string | null {
  const ids = cgroup.matchAll(/[/:-]([0-9a-f]{64})(?:\.scope)?(?=[/\n]|$)/g);
  return [...ids].at(-1)?.[1] ?? null;
}

/** Finds the folder of a path of the hierarchy; null when the mount does not show it. */
export function folderOf({ root, point }: GroupMount, path: string): string | null {
  if (path.split('/').includes('..')) return null;
  const base = withSlash(root);
  if (!withSlash(path).startsWith(base)) return null;
  const inside = path.slice(base.length);
  return inside === '' ? point : `${withSlash(point)}${inside}`;
}

/** Does the reverse: tells what /proc/PID/cgroup calls this folder; null when it is not below the mount. */
export function pathOf({ root, point }: GroupMount, folder: string): string | null {
  if (folder.split('/').includes('..')) return null;
  if (folder === point) return root;
  const base = withSlash(point);
  return folder.startsWith(base) ? `${withSlash(root)}${folder.slice(base.length)}` : null;
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

/** Reads a path of mountinfo, where space, tab, newline and backslash are written in octal. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

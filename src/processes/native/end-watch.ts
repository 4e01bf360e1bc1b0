import type { Pidfd } from './pidfd.ts';

/** Tells at once when processes end that are not children of ours, at no cost until then. */
export interface EndWatch {
  /**
   * Watches the process that has this number now. The caller compares identities afterwards.
   *
   * @param ended called once, in a turn of the event loop of its own, when the process has ended; it may be a
   *   zombie then
   * @returns a function that ends the watch; null where there is no such process, or it cannot be watched
   */
  watch(pid: number, ended: () => void): (() => void) | null;
}

const UV_READABLE = 1;
/** More than a `uv_poll_t` has on any platform (160 on 64 bits). */
const HANDLE_BYTES = 512;
const POLLIN = 1;

/**
 * Makes a watch from pidfds and libuv. A pidfd is readable once its process has ended (pidfd_open(2)), and libuv waits
 * for readable descriptors. Node has no function for that: its sockets take no such descriptor (ERR_INVALID_FD_TYPE), and
 * a poll(2) in another thread would occupy that thread for ever. But Node exports libuv's own functions for add-ons,
 * whose ABI is the same for all versions 1.x.
 *
 * @param poll poll(2)
 * @returns null where Node does not export them
 */
export function bindEndWatch(
  koffi: typeof import('koffi').default,
  libc: import('koffi').LibraryHandle,
  pidfd: Pidfd,
  poll: (fds: Buffer, count: number, timeoutMs: number) => number,
): EndWatch | null {
  const bound = bindLibuv(koffi, libc);
  if (!bound) return null;
  const { loop, init, start, stop, unref, Callback } = bound;
  const watched = new Set<{ readonly fd: number; readonly end: () => void }>();
  // libuv keeps an unclosed handle in its lists, so its memory must never be freed.
  const handles: Buffer[] = [];

  const isReadable = (fd: number): boolean => {
    const asked = Buffer.alloc(8);
    asked.writeInt32LE(fd, 0);
    asked.writeInt16LE(POLLIN, 4);
    return poll(asked, 1, 0) === 1;
  };
  // One callback for all handles, because koffi has a limited number of callbacks.
  const onReadable = koffi.register(() => {
    for (const one of [...watched]) if (isReadable(one.fd)) one.end();
  }, koffi.pointer(Callback));

  return {
    watch(pid, ended) {
      const fd = pidfd.open(pid);
      if (typeof fd !== 'number') return null;
      const handle = Buffer.alloc(HANDLE_BYTES);
      if (init(loop, handle, fd) !== 0) {
        pidfd.close(fd);
        return null;
      }
      handles.push(handle);
      unref(handle);
      const release = (): void => {
        if (!watched.delete(entry)) return;
        // First of all, because the descriptor stays readable and the loop would turn for ever.
        stop(handle);
        pidfd.close(fd);
      };
      const entry = {
        fd,
        end: () => {
          release();
          // Not within libuv's call, where Node runs no promises.
          setImmediate(ended);
        },
      };
      watched.add(entry);
      start(handle, UV_READABLE, onReadable);
      return release;
    },
  };
}

function bindLibuv(koffi: typeof import('koffi').default, libc: import('koffi').LibraryHandle) {
  try {
    const Callback = koffi.proto('void devctl_uv_poll_cb(void *, int, int)');
    const defaultLoop = libc.func('void *uv_default_loop()');
    return {
      Callback,
      loop: defaultLoop(),
      init: libc.func('int uv_poll_init(void *, void *, int)'),
      start: libc.func('int uv_poll_start(void *, int, devctl_uv_poll_cb *)'),
      stop: libc.func('int uv_poll_stop(void *)'),
      unref: libc.func('void uv_unref(void *)'),
    };
  } catch {
    // This Node exports none of them. The table is looked at all the same.
    return null;
  }
}

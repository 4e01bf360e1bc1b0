import { closeSync, constants, openSync } from 'node:fs';

/** Columns and rows. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A new pseudo-terminal. Both descriptors are close-on-exec, and the caller closes them. */
export interface PseudoTerminal {
  /** The side of the program that plays the terminal. */
  readonly master: number;
  /** The side of the programs on the terminal. */
  readonly slave: number;
  /** Path of the slave: `/dev/pts/5`. */
  readonly path: string;
}

/** Pseudo-terminals (pty(7)), and the settings of terminals. */
export interface Terminals {
  /**
   * Makes a pseudo-terminal for a program that nobody looks at yet: without echo, and without the stop key (Ctrl-S),
   * which would freeze the program until somebody presses Ctrl-Q.
   *
   * @throws Error with the errno name as `code`
   */
  open(size: TerminalSize): PseudoTerminal;
  /** Sets the size. Programs on the terminal get SIGWINCH where it has changed (tty_ioctl(4)). */
  setSize(fd: number, size: TerminalSize): void;
  /** Null where the descriptor is no terminal. */
  size(fd: number): TerminalSize | null;
  /**
   * Turns the echo on or off, unless the program on the terminal reads single keys (raw mode) and so decides by itself.
   */
  setEcho(fd: number, on: boolean): void;
  /**
   * Makes a pipe whose ends are close-on-exec: pipe2(2).
   *
   * @throws Error with the errno name as `code`
   */
  pipe(): { readonly read: number; readonly write: number };
  /** Counts the bytes that nobody has read from a pipe, FIFO or terminal yet (FIONREAD); null where nobody can tell. */
  unread(fd: number): number | null;
}

/** Room for any platform's `struct termios`. Linux's C libraries begin it with four 32-bit words of flags. */
const TERMIOS_BYTES = 256;
const INPUT_FLAGS = 0;
const LOCAL_FLAGS = 12;
const IXON = 0o2000;
const IUTF8 = 0o40000;
const ICANON = 0o2;
const ECHO = 0o10;
const TCSANOW = 0;
const O_CLOEXEC = 0o2000000;

/** Requests of tty_ioctl(4). MIPS and PowerPC have numbers of their own. */
const IOCTL = ['mips', 'mipsel', 'ppc', 'ppc64'].includes(process.arch)
  ? { getSize: 0x4008_7468, setSize: 0x8008_7467, unread: 0x467f }
  : { getSize: 0x5413, setSize: 0x5414, unread: 0x541b };

/** Longest path of a slave. */
const PATH_BYTES = 128;

/** @param errnoName names the error of the last call */
export function bindTerminals(
  libc: import('koffi').LibraryHandle,
  errnoName: () => string,
): Terminals {
  const unlockpt = libc.func('int unlockpt(int)');
  const ptsname = libc.func('int ptsname_r(int, void *, size_t)');
  const tcgetattr = libc.func('int tcgetattr(int, void *)');
  const tcsetattr = libc.func('int tcsetattr(int, int, void *)');
  const pipe2 = libc.func('int pipe2(void *, int)');
  const ioctl = libc.func('int ioctl(int, unsigned long, void *)');

  const change = (fd: number, edit: (flags: Buffer) => void): void => {
    const termios = Buffer.alloc(TERMIOS_BYTES);
    if (tcgetattr(fd, termios) !== 0) return;
    edit(termios);
    tcsetattr(fd, TCSANOW, termios);
  };
  const setBits = (flags: Buffer, at: number, bits: number, on: boolean): void => {
    const before = flags.readUInt32LE(at);
    flags.writeUInt32LE((on ? before | bits : before & ~bits) >>> 0, at);
  };
  const setSize = (fd: number, { columns, rows }: TerminalSize): void => {
    // struct winsize: rows, columns, and two sizes in pixels that nobody fills in.
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows, 0);
    size.writeUInt16LE(columns, 2);
    ioctl(fd, IOCTL.setSize, size);
  };
  const pathOf = (master: number): string => {
    const path = Buffer.alloc(PATH_BYTES);
    if (unlockpt(master) !== 0 || ptsname(master, path, path.length) !== 0) {
      const code = errnoName();
      throw Object.assign(new Error(`${code}: /dev/ptmx`), { code });
    }
    return path.toString('latin1', 0, path.indexOf(0));
  };
  return {
    open(size) {
      // O_NOCTTY, because a session leader without a terminal would get this one (open(2)).
      const flags = constants.O_RDWR | constants.O_NOCTTY;
      const master = openSync('/dev/ptmx', flags);
      try {
        const path = pathOf(master);
        const slave = openSync(path, flags);
        change(slave, (termios) => {
          setBits(termios, LOCAL_FLAGS, ECHO, false);
          setBits(termios, INPUT_FLAGS, IXON, false);
          // So that a backspace takes away a whole character.
          setBits(termios, INPUT_FLAGS, IUTF8, true);
        });
        setSize(slave, size);
        return { master, slave, path };
      } catch (error) {
        closeSync(master);
        throw error;
      }
    },
    setSize,
    size(fd) {
      const size = Buffer.alloc(8);
      if (ioctl(fd, IOCTL.getSize, size) !== 0) return null;
      return { rows: size.readUInt16LE(0), columns: size.readUInt16LE(2) };
    },
    setEcho(fd, on) {
      change(fd, (termios) => {
        const readsLines = (termios.readUInt32LE(LOCAL_FLAGS) & ICANON) !== 0;
        if (readsLines) setBits(termios, LOCAL_FLAGS, ECHO, on);
      });
    },
    pipe() {
      const ends = Buffer.alloc(8);
      if (pipe2(ends, O_CLOEXEC) !== 0) {
        const code = errnoName();
        throw Object.assign(new Error(`${code}: pipe2`), { code });
      }
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
    },
    unread(fd) {
      const count = Buffer.alloc(4);
      return ioctl(fd, IOCTL.unread, count) === 0 ? count.readInt32LE(0) : null;
    },
  };
}

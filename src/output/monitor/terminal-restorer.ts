import { spawn, spawnSync } from 'node:child_process';

/**
 * The text that undoes the changes of a full screen. It cancels a sequence that was cut off (CAN), and
 * resets synchronized output, bracketed paste, wrapping, the cursor, colours, and the alternate screen.
 */
export const RESTORE =
  '\u0018\u001B[?2026l\u001B[?2004l\u001B[0m\u001B[?7h\u001B[?25h\u001B[?1049l';

/**
 * The script waits on its stdin for words of this process, and for its end. Descriptor 1 writes to the
 * terminal, descriptor 3 reads its settings, and $1 has the settings to restore. It restores them only when
 * the settings are still ours, because a shell that has the terminal again may have made its own. It prints
 * a note, because the prompt of that shell may have gone to the alternate screen.
 */
const SCRIPT = `trap '' HUP INT QUIT TERM TSTP TTIN TTOU USR1 USR2 PIPE
on= raw=
while read -r word; do
  case $word in
    bye) exit 0 ;;
    on) raw=$(stty -g <&3 2>/dev/null); on=1 ;;
    off) on= ;;
  esac
done
[ "$on" ] || exit 0
printf '${octal(RESTORE)}'
[ "$1" ] && [ "$raw" ] && [ "$(stty -g <&3 2>/dev/null)" = "$raw" ] && stty "$1" <&3 2>/dev/null
printf '%s\\r\\n' 'devctl monitor was killed; Enter brings a prompt'
`;

/** A process that restores the terminal when this process is killed and cannot do so itself. */
export interface TerminalRestorer {
  /** Says that there is something to restore. Call it in raw mode. */
  arm(): void;
  /** Says that there is nothing to restore, until the next `arm`. */
  disarm(): void;
  /** Ends the restorer. */
  dismiss(): void;
}

/**
 * Starts the restorer: a shell of about a megabyte. It has a session of its own, so that no key and no
 * signal to our group reaches it. It runs in / and without our environment, so that it does not look like a
 * process of a project. It ends when this process ends, because its stdin closes then. When it cannot be
 * started (the process limit), a SIGKILL leaves the terminal as it is.
 *
 * Call it before raw mode, because it restores the settings of now.
 */
export function startTerminalRestorer(): TerminalRestorer {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' };
  const settings = spawnSync('stty', ['-g'], { stdio: ['inherit', 'pipe', 'ignore'], env });
  const saved = settings.stdout?.toString('utf8').trim() ?? '';
  let child: ReturnType<typeof spawn> | null = null;
  try {
    child = spawn('/bin/sh', ['-c', SCRIPT, 'devctl-terminal', saved], {
      stdio: ['pipe', 'inherit', 'ignore', 0],
      detached: true,
      cwd: '/',
      env,
    });
    // The restorer could not be started (EAGAIN) or was killed: the monitor works without it.
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    child.unref();
  } catch {
    // Some errors of spawn are thrown (ENOMEM).
  }
  const send = (word: string): void => void child?.stdin?.write(`${word}\n`);
  return {
    arm: () => send('on'),
    disarm: () => send('off'),
    dismiss() {
      send('bye');
      child?.stdin?.end();
    },
  };
}

/** Escapes a text for the format of printf(1), in octal, because no other escape works everywhere. */
function octal(text: string): string {
  return [...text]
    .map((one) => {
      const code = one.charCodeAt(0);
      return code < 0x20 || one === '\\' || one === '%' || one === "'"
        ? `\\${code.toString(8).padStart(3, '0')}`
        : one;
    })
    .join('');
}

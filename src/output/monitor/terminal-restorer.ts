import { spawn, spawnSync } from 'node:child_process';

/**
 * Takes back what a full-screen view does to a terminal: a sequence that was cut off (CAN), synchronized output,
 * pasting, wrapping, the cursor, colours, and the other screen.
 */
export const RESTORE =
  '\u0018\u001B[?2026l\u001B[?2004l\u001B[0m\u001B[?7h\u001B[?25h\u001B[?1049l';

/**
 * Waits on its stdin for what we say, and for our end. It has descriptor 1 for writing, 3 for the settings,
 * and in $1 the settings to go back to. A shell that has the terminal again may have made its own settings by then:
 * only ours are taken back. Its prompt may have gone to the other screen, hence the note.
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

/** A process that puts the terminal in order should this one be killed, when nothing of ours can run any more. */
export interface TerminalRestorer {
  /** From now on there is something to take back. To be called in raw mode. */
  arm(): void;
  /** There is not, until the next time. */
  disarm(): void;
  /** It ends. */
  dismiss(): void;
}

/**
 * Starts it: a shell of about a megabyte, in a session of its own, so that no key and no signal to our group reaches
 * it, in / and without our environment, so that nobody takes it for a process of a project. It ends when
 * we do, because its stdin does. Where none can be made (the process limit), a SIGKILL leaves the terminal as it is.
 *
 * To be called before raw mode: it goes back to the settings of now.
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
    // It could not be made (EAGAIN), or was killed: one does without.
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    child.unref();
  } catch {
    // Some refusals are thrown (ENOMEM).
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

/** For the format of printf(1), which knows no other way to write such bytes everywhere. */
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

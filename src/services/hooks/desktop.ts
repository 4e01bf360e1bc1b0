import { missingProgram } from '../launch/spawn-failure.ts';
import { eventInWords, type HookEvent } from './events.ts';

/** The variables by which a program reaches the desktop of the person who made the start. */
const OF_THE_DESKTOP = [
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_RUNTIME_DIR',
  'DISPLAY',
  'WAYLAND_DISPLAY',
  'PATH',
  'HOME',
  'LANG',
] as const;

/** The longest time that notify-send may take, in ms: without a desktop it waits for an answer of the bus. */
export const NOTIFY_SEND_MS = 2_000;

/** A command that shows a message on the desktop, and its environment. */
export interface DesktopMessage {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Builds the command that shows an event on the desktop.
 *
 * @param env the environment of the start, which says where the session bus of its desktop is
 * @returns a text: why nobody can be told
 */
export function desktopMessage(
  event: HookEvent,
  project: string,
  env: Readonly<Record<string, string | undefined>>,
): DesktopMessage | string {
  const why = whyNoDesktop(env);
  if (why !== null) return why;
  const given = OF_THE_DESKTOP.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const command = ['notify-send', '--app-name=devctl', `devctl: ${project}`, eventInWords(event)];
  return { command, env: Object.fromEntries(given) };
}

/** Says why no message can be shown on a desktop from this environment; null: one can. */
export function whyNoDesktop(env: Readonly<Record<string, string | undefined>>): string | null {
  if (!env.DBUS_SESSION_BUS_ADDRESS && !env.XDG_RUNTIME_DIR) {
    return 'there is no session bus (DBUS_SESSION_BUS_ADDRESS)';
  }
  const isThere =
    missingProgram(['notify-send'], { cwd: '/', env: { PATH: env.PATH ?? '' } }) === null;
  return isThere ? null : 'notify-send is not installed';
}

/**
 * Builds the text by which a terminal shows a message on its desktop: OSC 9 for iTerm2, ConEmu, Windows Terminal and
 * kitty, OSC 777 for urxvt, foot, WezTerm and VTE. A terminal that knows neither shows nothing.
 */
export function terminalMessage(event: HookEvent, project: string): string {
  const text = eventInWords(event);
  // A semicolon ends a field of OSC 777.
  const title = `devctl: ${project}`.replace(/[\p{Cc};]/gu, ' ');
  return `\x1b]9;${title}: ${text}\x07\x1b]777;notify;${title};${text.replaceAll(';', ',')}\x07`;
}

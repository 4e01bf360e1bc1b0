/*
 * The files of this folder: how text looks on a terminal, in a pipe and as JSON.
 *
 *   theme          the text styles, and whether a stream gets colour
 *   width          the width of a text; makes text from outside safe to print
 *   table          tables that fit the terminal
 *   sparkline      values as bars
 *   durations      times for people: `3 min 5 s`
 *   sizes          sizes for people: `12.3 MB`
 *   clock          dates and times of day, in local time
 *   service-state  the state of a service in its colour
 *   log-printer    lines of several services beside each other
 *   urls           where services can be opened
 *   port           a port as the manifest writes it
 *   json           the documents of --json
 *   failure        what a failed command prints
 *   progress       the interface for progress on stderr
 *   open-progress  opens a spinner or plain lines, as the stream allows
 *   spinner        the spinner
 *   questions      asks on a terminal
 *   slow-writer    writes large output and still hears signals
 *   lost-output    tolerates output that nobody reads or that no disk can hold
 */
import type { Writable } from 'node:stream';

/** The part of a stream that output/ uses; process.stdout and process.stderr have it. */
export type OutputStream = Pick<Writable, 'write'> & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

export type Paint = (text: string) => string;

/** The text styles of devctl. Without colour each returns its text unchanged. */
export interface Theme {
  readonly enabled: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  readonly reverse: Paint;
  /** Makes a URL a link where the terminal can. The URL must be printable ASCII. */
  readonly link: Paint;
}

/**
 * Decides whether a stream gets colour. The first match wins: --color or --no-color, NO_COLOR (not empty),
 * FORCE_COLOR, TERM=dumb, terminal or not. CI turns off spinners, not colour.
 *
 * @param flag true for --color, false for --no-color, undefined for neither
 */
export function colorEnabled(
  stream: Pick<OutputStream, 'isTTY'>,
  flag: boolean | undefined,
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (flag !== undefined) return flag;
  if (env.NO_COLOR) return false;
  const force = env.FORCE_COLOR;
  if (force !== undefined) return force !== '0' && force !== 'false';
  if (env.TERM === 'dumb') return false;
  return stream.isTTY === true;
}

/**
 * Tells whether a person sees the stream who has not refused colours. Services may use colours then; their own
 * environment decides about the rest.
 */
export function isSeen(stream: Pick<OutputStream, 'isTTY'>, flag: boolean | undefined): boolean {
  return stream.isTTY === true && flag !== false;
}

/** Creates the theme for one stream: stdout and stderr may differ, as in `devctl status | less`. */
export function themeFor(
  stream: Pick<OutputStream, 'isTTY'>,
  flag?: boolean | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Theme {
  const enabled = colorEnabled(stream, flag, env);
  return createTheme(enabled, enabled && stream.isTTY === true && knowsLinks(env));
}

/**
 * Tells whether the terminal is known to make links of OSC 8, because a terminal without it may print the sequence. tmux and
 * screen hide the terminal that they run in. FORCE_HYPERLINK decides, as for other tools.
 */
export function knowsLinks(env: NodeJS.ProcessEnv): boolean {
  const { FORCE_HYPERLINK: force, TERM = '', TERM_PROGRAM = '' } = env;
  if (force !== undefined) return force !== '0' && force !== 'false';
  if (env.CI || /^(screen|tmux|linux|dumb)/.test(TERM)) return false;
  if (/^(iTerm\.app|WezTerm|vscode|ghostty|zed|Hyper)$/.test(TERM_PROGRAM)) return true;
  if (/^(alacritty|xterm-kitty|xterm-ghostty|foot)/.test(TERM)) return true;
  // VTE 0.50.0 crashes on a link.
  if (Number(env.VTE_VERSION) > 5_000 || Number(env.KONSOLE_VERSION) >= 201_200) return true;
  return env.WT_SESSION !== undefined;
}

export function createTheme(enabled: boolean, links = false): Theme {
  // The codes are written by hand, because `status` prints hundreds of cells and chalk would be its only
  // package.
  const paint =
    (open: number, close: number): Paint =>
    (text) =>
      enabled && text !== '' ? `\u001B[${open}m${text}\u001B[${close}m` : text;
  return {
    enabled,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    reverse: paint(7, 27),
    link: (url) => (links ? `\u001B]8;;${url}\u001B\\${url}\u001B]8;;\u001B\\` : url),
  };
}

import type { Writable } from 'node:stream';

/** What the output folder needs to know of a stream; process.stdout and process.stderr are both. */
export type OutputStream = Pick<Writable, 'write'> & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

export type Paint = (text: string) => string;

/** The few looks that devctl has. Each is the identity where colour is off. */
export interface Theme {
  readonly enabled: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  readonly reverse: Paint;
}

/**
 * Shall `stream` get colour? First match wins: --color or --no-color, NO_COLOR (not empty),
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

/** The theme for one stream: stdout and stderr may differ, as in `devctl status | less`. */
export function themeFor(
  stream: Pick<OutputStream, 'isTTY'>,
  flag?: boolean | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Theme {
  return createTheme(colorEnabled(stream, flag, env));
}

export function createTheme(enabled: boolean): Theme {
  // Codes by hand: `status` prints hundreds of cells, and chalk would be its only package.
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
  };
}

/** A key as a person would name it: a character, or one of the words below. */
export type Key = string;

export interface KeysRead {
  readonly keys: readonly Key[];
  /** The beginning of a sequence whose rest has not come. After a moment it stands for the key Esc. */
  readonly rest: string;
}

/** The sequences that terminals send for keys without a character (xterm's ctlseqs, and the Linux console). */
const SEQUENCES: Readonly<Record<string, Key>> = {
  '\u001B[A': 'up',
  '\u001B[B': 'down',
  '\u001B[C': 'right',
  '\u001B[D': 'left',
  '\u001BOA': 'up',
  '\u001BOB': 'down',
  '\u001BOC': 'right',
  '\u001BOD': 'left',
  '\u001B[5~': 'pageup',
  '\u001B[6~': 'pagedown',
  '\u001B[H': 'home',
  '\u001B[F': 'end',
  '\u001BOH': 'home',
  '\u001BOF': 'end',
  '\u001B[1~': 'home',
  '\u001B[4~': 'end',
  '\u001B[7~': 'home',
  '\u001B[8~': 'end',
  '\u001B[Z': 'backtab',
};

const CONTROLS: Readonly<Record<string, Key>> = {
  '\t': 'tab',
  '\r': 'enter',
  '\n': 'enter',
  '\u007F': 'backspace',
  '\b': 'backspace',
  '\u0003': 'ctrl-c',
  '\u0004': 'ctrl-d',
  '\u000C': 'ctrl-l',
  '\u0015': 'ctrl-u',
  '\u001A': 'ctrl-z',
};

const PASTE = '\u001B[200~';
const PASTE_END = '\u001B[201~';

/** A whole CSI or SS3 sequence. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences start with ESC
const WHOLE = /^\u001B(?:\[[0-?]*[ -/]*[@-~]|O[ -~])/;
/** The beginning of such a sequence. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences start with ESC
const BEGUN = /^\u001B(?:\[[0-?]*[ -/]*|O)?$/;

/**
 * Cuts the input from a terminal in raw mode into keys.
 *
 * Pasted text is no key, because it would stop services. It comes as one text behind `paste:`.
 *
 * @param text the rest of the last call, and the new input
 */
export function readKeys(text: string): KeysRead {
  const keys: Key[] = [];
  let rest = text;
  while (rest !== '') {
    if (rest.startsWith(PASTE)) {
      const end = rest.indexOf(PASTE_END);
      if (end < 0) return { keys, rest };
      keys.push(`paste:${rest.slice(PASTE.length, end)}`);
      rest = rest.slice(end + PASTE_END.length);
      continue;
    }
    if (BEGUN.test(rest)) return { keys, rest };
    const whole = WHOLE.exec(rest)?.[0];
    const taken = whole ?? [...rest][0] ?? '';
    rest = rest.slice(taken.length);
    const key = keyOf(taken, whole !== undefined);
    if (key !== null) keys.push(key);
  }
  return { keys, rest: '' };
}

/** Turns a sequence that was not finished into keys: Esc, and the characters behind it. */
export function endKeys(rest: string): readonly Key[] {
  if (rest === '' || rest.startsWith(PASTE)) return [];
  return ['escape', ...[...rest.slice(1)].flatMap((one) => keyOf(one, false) ?? [])];
}

function keyOf(taken: string, isSequence: boolean): Key | null {
  if (isSequence) return SEQUENCES[taken] ?? null;
  if (taken === '\u001B') return 'escape';
  const control = CONTROLS[taken];
  if (control !== undefined) return control;
  const code = taken.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? null : taken;
}

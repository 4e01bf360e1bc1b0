/** Follows what a program does to the terminal that shows its output. */
export interface ModeTracker {
  /** Takes the next part of the output. */
  push(bytes: Buffer): void;
  /** Returns the text that undoes all of it. */
  undo(): string;
}

/** The private modes that a terminal begins with: wrapped lines, a visible cursor. */
const ON_AT_FIRST: ReadonlySet<string> = new Set(['7', '25']);
/** The other screens. They are left last, because the rest belongs to them. */
const SCREENS: ReadonlySet<string> = new Set(['47', '1047', '1049']);

/** DECSET and DECRST (xterm's control sequences), the keypad's mode, and the key protocol of kitty. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CHANGE = /\u001b(?:\[\?([\d;]+)([hl])|([=>])|\[>\d*(u)|\[<\d*(u))/g;
/** Longest part of a sequence that the next part of the output may complete. */
const LONGEST_BYTES = 64;

/** Makes a tracker. It knows the sequences that a terminal keeps after the program has gone. */
export function trackModes(): ModeTracker {
  const modes = new Map<string, boolean>();
  let hasKeypad = false;
  let keyProtocols = 0;
  let rest = '';
  return {
    push(bytes) {
      const text = rest + bytes.toString('latin1');
      let end = 0;
      for (const found of text.matchAll(CHANGE)) {
        const [whole, numbers, letter, keypad, pushed, popped] = found;
        end = found.index + whole.length;
        for (const mode of numbers?.split(';') ?? []) modes.set(mode, letter === 'h');
        if (keypad) hasKeypad = keypad === '=';
        if (pushed) keyProtocols += 1;
        if (popped) keyProtocols = Math.max(0, keyProtocols - 1);
      }
      rest = text.slice(Math.max(end, text.length - LONGEST_BYTES));
    },
    undo() {
      const changed = [...modes].filter(([mode, on]) => on !== ON_AT_FIRST.has(mode));
      const text = ([mode]: [string, boolean]) =>
        `\u001b[?${mode}${ON_AT_FIRST.has(mode) ? 'h' : 'l'}`;
      const isScreen = ([mode]: [string, boolean]) => SCREENS.has(mode);
      return [
        // CAN ends a sequence that was cut off.
        '\u0018\u001b[0m',
        ...Array.from({ length: keyProtocols }, () => '\u001b[<u'),
        hasKeypad ? '\u001b>' : '',
        ...changed.filter((one) => !isScreen(one)).map(text),
        ...changed.filter(isScreen).map(text),
      ].join('');
    },
  };
}

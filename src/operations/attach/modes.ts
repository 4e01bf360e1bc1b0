/** Follows what a program does to the terminal that shows its output. */
export interface ModeTracker {
  /** Takes the next part of the output. */
  push(bytes: Buffer): void;
  /** True while the program has the whole screen: then lines of its output mean nothing. */
  hasOtherScreen(): boolean;
  /** Returns the text that brings another terminal into the same modes. */
  redo(): string;
  /** Returns the text that undoes all of it. */
  undo(): string;
}

/** The private modes that a terminal begins with: wrapped lines, a visible cursor. */
const ON_AT_FIRST: ReadonlySet<string> = new Set(['7', '25']);
/** The other screens. They are entered first and left last, because the rest belongs to them. */
const SCREENS: ReadonlySet<string> = new Set(['47', '1047', '1049']);

/** DECSET and DECRST (xterm's control sequences), the keypad's mode, and the key protocol of kitty. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CHANGE = /\u001b(?:\[\?([\d;]+)([hl])|([=>])|\[>\d*(u)|\[<\d*(u))/g;
/** Longest part of a sequence that the next part of the output may complete. */
const LONGEST_BYTES = 64;

/** Makes a tracker. It knows the sequences that a terminal keeps after the program has gone. */
export function trackModes(): ModeTracker {
  const modes = new Map<string, boolean>();
  const keyProtocols: string[] = [];
  let hasKeypad = false;
  let rest = '';
  /** The modes that are not as a terminal begins with them. */
  const changed = (): readonly (readonly [string, boolean])[] =>
    [...modes].filter(([mode, on]) => on !== ON_AT_FIRST.has(mode));
  return {
    push(bytes) {
      const text = rest + bytes.toString('latin1');
      let end = 0;
      for (const found of text.matchAll(CHANGE)) {
        const [whole, numbers, letter, keypad, pushed, popped] = found;
        end = found.index + whole.length;
        for (const mode of numbers?.split(';') ?? []) modes.set(mode, letter === 'h');
        if (keypad) hasKeypad = keypad === '=';
        if (pushed) keyProtocols.push(whole);
        if (popped) keyProtocols.pop();
      }
      rest = text.slice(Math.max(end, text.length - LONGEST_BYTES));
    },
    hasOtherScreen: () => changed().some(([mode]) => SCREENS.has(mode)),
    redo() {
      const set = changed().map(([mode, on]) => [mode, on ? 'h' : 'l'] as const);
      return [...inOrder(set, true), hasKeypad ? '\u001b=' : '', ...keyProtocols].join('');
    },
    undo() {
      const reset = changed().map(([mode, on]) => [mode, on ? 'l' : 'h'] as const);
      return [
        // CAN ends a sequence that was cut off.
        '\u0018\u001b[0m',
        ...keyProtocols.map(() => '\u001b[<u'),
        hasKeypad ? '\u001b>' : '',
        ...inOrder(reset, false),
      ].join('');
    },
  };
}

function inOrder(
  changes: readonly (readonly [mode: string, letter: string])[],
  screensFirst: boolean,
): readonly string[] {
  const screens = changes.filter(([mode]) => SCREENS.has(mode));
  const others = changes.filter(([mode]) => !SCREENS.has(mode));
  const ordered = screensFirst ? [...screens, ...others] : [...others, ...screens];
  return ordered.map(([mode, letter]) => `\u001b[?${mode}${letter}`);
}

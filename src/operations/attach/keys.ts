/** The keys that a person has typed, up to the key that detaches. */
export interface TypedKeys {
  /** For the service. */
  readonly keys: Buffer;
  readonly detach: boolean;
}

/**
 * Ctrl-] as terminals send it: a byte, or a sequence where the service has asked for keys in detail (the protocols of
 * kitty and of xterm's modifyOtherKeys).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const DETACH = /\u001d|\u001b\[93;5(?::\d)?u|\u001b\[27;5;93~/;

/** Cuts typed bytes at the key that detaches. Nobody gets the bytes after it. */
export function cutAtDetach(typed: Buffer): TypedKeys {
  const found = DETACH.exec(typed.toString('latin1'));
  return { keys: found ? typed.subarray(0, found.index) : typed, detach: found !== null };
}

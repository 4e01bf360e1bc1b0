import type { OutputStream } from '../../src/output/terminal/theme.ts';

export interface FakeStream extends OutputStream {
  /** Returns everything that was written so far. */
  text(): string;
}

/** Creates a stream that keeps its text, as a pipe or, with `columns`, as a terminal. */
export function fakeStream(terminal: { columns?: number } = {}): FakeStream {
  const written: string[] = [];
  return {
    isTTY: terminal.columns !== undefined,
    columns: terminal.columns,
    write: (chunk: unknown) => {
      written.push(String(chunk));
      return true;
    },
    text: () => written.join(''),
  };
}

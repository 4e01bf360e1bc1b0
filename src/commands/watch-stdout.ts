import type { SlowWriter } from '../output/terminal/slow-writer.ts';
import { loadNative } from '../processes/native/native.ts';

/** How soon it is noticed that `grep -m1` has seen enough, although nothing more is written. */
const POLL_MS = 500;

/**
 * Closes a writer when nobody reads any more. Where there are no native calls, its next write finds out.
 *
 * @returns how to end that
 */
export function watchStdout(fd: number, writer: SlowWriter): () => void {
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  void loadNative().then((native) => {
    if (!native.available || isOver) return;
    timer = setInterval(() => {
      if (native.isReaderGone(fd)) writer.close();
    }, POLL_MS);
  });
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}

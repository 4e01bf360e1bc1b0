import type { SlowWriter } from '../output/terminal/slow-writer.ts';
import { loadNative } from '../processes/native/native.ts';

/**
 * Time between two checks for a reader that has gone: `grep -m1` may have seen enough although nothing more
 * is written.
 */
const POLL_MS = 500;

/**
 * Closes a writer when its reader has gone. Without native calls, only the next write notices that.
 *
 * @returns a function that ends the checks
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

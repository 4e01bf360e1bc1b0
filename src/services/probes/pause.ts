/**
 * Waits, at most until `signal` is aborted.
 *
 * @returns true when the whole time has passed
 */
export function pauseBetweenAttempts(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const finish = (passed: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cut);
      resolve(passed);
    };
    const cut = () => finish(false);
    const timer = setTimeout(() => finish(true), ms);
    signal.addEventListener('abort', cut);
  });
}

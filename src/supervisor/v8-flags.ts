import { setFlagsFromString } from 'node:v8';

/**
 * Keeps memory and idle cost of the supervisor small, which looks at the process table every few seconds for
 * months. Call this before our own code is loaded.
 *
 * - No optimizing compiler, because it took two thirds of the idle cost: code that runs ten times a minute becomes hot
 *   in the end, V8 compiles it, and the compiled code fails with the next change. A look is mostly system calls.
 * - The space for young objects keeps its first size (2 MB, of 32), because it grew during a start and V8
 *   did not give it back.
 * - One collection of everything when a start is over, not three: these were half of the cost of its first ten seconds. Only
 *   where the flag is known to exist, because V8 complains of any other in the log.
 */
export function setV8Flags(): void {
  setFlagsFromString('--no-opt');
  setFlagsFromString('--semi-space-growth-factor=1');
  if (process.versions.node.startsWith('20.')) setFlagsFromString('--memory-reducer-single-gc');
}

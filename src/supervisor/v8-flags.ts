import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the memory and the idle cost of a process small that looks at the process table every few seconds, for
 * months. To be called first.
 *
 * - No optimizing compiler: it took two thirds of the idle cost, because what runs ten times a minute becomes hot
 *   in the end, is compiled, and its assumptions fail with the next change. A look is system calls for the most part.
 * - The space for young objects stays at its first size (2 MB, of 32): it grew for what a start allocates, and was
 *   not given back.
 */
export function setV8Flags(): void {
  setFlagsFromString('--no-opt');
  setFlagsFromString('--semi-space-growth-factor=1');
}

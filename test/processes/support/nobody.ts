import { TestRunner } from 'vitest';

/** The user id of nobody, who owns no process but those that a test starts. */
export const NOBODY = 65_534;

/** Skips the test where we may not become another user. */
export function needsRoot(): void {
  if (process.getuid?.() !== 0) {
    TestRunner.getCurrentTest()?.context.skip('needs root, to start a process as another user');
  }
}

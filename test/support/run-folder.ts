import { mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The environment variable of every process that one test run starts; its value names the run. */
export const RUN_VARIABLE = 'DEVCTL_TEST_RUN';

/** The folder that holds all temporary projects of the test run with this name. Made when missing. */
export function runFolder(run: string): string {
  const folder = join(realpathSync(tmpdir()), `devctl-test-${run}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The folder of the run that this process belongs to. */
export function currentRunFolder(): string {
  return runFolder(process.env[RUN_VARIABLE] ?? `alone-${process.pid}`);
}

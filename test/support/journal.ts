import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readProcesses } from './read-processes.ts';
import type { SeenProcess } from './seen-process.ts';
import { service } from './services.ts';
import type { TemporaryProject } from './temporary-project.ts';

/** A service that writes a journal, and takes this long to end. */
export function journal(
  project: TemporaryProject,
  name: string,
  downMs: number,
  more: object = {},
) {
  return service('journal', [project.file('journal'), name, '0', String(downMs)], more);
}

/** The lines that the services of a project have written into its journal. */
export function noted(project: TemporaryProject): string[] {
  const path = project.file('journal');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}

/** The process that has this pid now. */
export function processOf(wanted: number | undefined): SeenProcess {
  return readProcesses().find(({ pid }) => pid === wanted) ?? expect.fail(`no process ${wanted}`);
}

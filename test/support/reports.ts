import type { StartResult } from '../../src/operations/start/result.ts';
import type { StatusReport } from '../../src/operations/status/report.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { type DevctlResult, devctl } from './devctl.ts';
import type { TemporaryProject } from './temporary-project.ts';

/** The JSON document on stdout, and the end of the command. */
export interface Reported<Report> {
  readonly exitCode: number;
  readonly report: Report & { readonly version: number };
  readonly stderr: string;
}

/** `devctl start --json …args` */
export function startReport(project: TemporaryProject, ...args: readonly string[]) {
  return reported<StartResult & { readonly ok: boolean }>(project, 'start', '--json', ...args);
}

/** `devctl stop --json …args` */
export function stopReport(project: TemporaryProject, ...args: readonly string[]) {
  return reported<StopReport>(project, 'stop', '--json', ...args);
}

/** `devctl status --json …args` */
export function statusReport(project: TemporaryProject, ...args: readonly string[]) {
  return reported<StatusReport>(project, 'status', '--json', ...args);
}

/** Reads the document of a command that was run some other way. */
export function parseReport<Report>(result: DevctlResult): Reported<Report> {
  const { exitCode, stdout, stderr } = result;
  try {
    return { exitCode, report: JSON.parse(stdout), stderr };
  } catch (cause) {
    throw new Error(`exit code ${exitCode}, no JSON:\n${stdout}\n${stderr}`, { cause });
  }
}

async function reported<Report>(project: TemporaryProject, ...args: readonly string[]) {
  return parseReport<Report>(await devctl(project, ...args));
}

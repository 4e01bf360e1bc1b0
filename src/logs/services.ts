import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { declaredServices, type OpenProject } from '../project/open-project.ts';
import { readRecords } from '../project/records.ts';
import { selectNames } from '../project/select-names.ts';

/** A service, and the log that it has, had, or may get. */
export interface ServiceLog {
  readonly name: string;
  /** Absolute path. */
  readonly log: string;
}

/**
 * Finds the logs of these services, whether the services run or not: services of the manifest, of the
 * records, and services of which only a log is left.
 *
 * @param names none: all services
 * @throws DevctlError 'service-unknown'
 */
export function serviceLogs(project: OpenProject, names: readonly string[]): readonly ServiceLog[] {
  const logs = new Map<string, string>();
  for (const { name, log } of declaredServices(project)) logs.set(name, log);
  // The record describes the service that runs, so it overrides the manifest of today.
  for (const { service, log } of readRecords(project.folder).records) logs.set(service, log);
  const left = leftLogs(project, logs);
  const gone = names.filter((name) => !logs.has(name) && left.has(name));
  const known = names.filter((name) => !gone.includes(name));
  const selected = names.length > 0 && known.length === 0 ? [] : selectNames(project, known);
  const wanted = new Set(
    selected === null ? [...logs.keys(), ...left.keys()] : [...selected, ...gone],
  );
  return [...logs, ...left].flatMap(([name, log]) => (wanted.has(name) ? [{ name, log }] : []));
}

/** Lists the folders of the logs, whether they exist already or not. */
export function logFolders(
  { folder }: OpenProject,
  services: readonly ServiceLog[],
): readonly string[] {
  return [...new Set([join(folder.pidsDir, 'logs'), ...services.map(({ log }) => dirname(log))])];
}

/** Finds the logs of services that neither the manifest nor a record knows any more. */
function leftLogs(
  { folder }: OpenProject,
  known: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const left = new Map<string, string>();
  const directory = join(folder.pidsDir, 'logs');
  for (const file of listOf(directory)) {
    const name = /^([a-zA-Z0-9][a-zA-Z0-9._-]{0,62})\.log$/.exec(file)?.[1];
    if (name !== undefined && !known.has(name)) left.set(name, join(directory, file));
  }
  return left;
}

function listOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

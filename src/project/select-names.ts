import { selectServices } from '../manifest/select.ts';
import type { OpenProject } from './open-project.ts';
import { readRecords } from './records.ts';

/**
 * Resolves the names of a command line to services: of the manifest, of its groups, or of the records
 * (a service that was taken out of the manifest can still be stopped by its name).
 *
 * @returns null for no names: everything
 * @throws DevctlError 'service-unknown'
 */
export function selectNames(
  { folder, outline }: OpenProject,
  names: readonly string[],
): readonly string[] | null {
  if (names.length === 0) return null;
  const planned = outline.kind === 'absent' ? [] : outline.services;
  const groups = outline.kind === 'absent' ? {} : outline.groups;
  const recorded = readRecords(folder)
    .records.map(({ service }) => service)
    .filter((service) => !planned.some(({ name }) => name === service))
    .map((name) => ({ name, autostart: false, dependsOn: [] }));
  return selectServices({ services: [...planned, ...recorded], groups }, names);
}

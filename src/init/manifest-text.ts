import { DEVCTL } from '../own-command.ts';
import type { Proposal, ProposedContainers, ProposedOneOff, ProposedService } from './proposal.ts';

/**
 * Writes the manifest of a proposal: JSON with comments, which say where each service was taken from.
 *
 * @param schema where editors find the JSON Schema; null: nowhere
 */
export function toManifestText(
  {
    services,
    containers = null,
    oneOffs,
    notes,
  }: Pick<Proposal, 'services' | 'oneOffs' | 'notes'> & Partial<Pick<Proposal, 'containers'>>,
  schema: string | null,
): string {
  const lines = [
    `// Written by devctl init. Check it with: ${DEVCTL} check`,
    ...notes.map(comment),
    '{',
    ...(schema === null ? [] : [`  "$schema": ${JSON.stringify(schema)},`]),
    ...containersLines(containers),
    '  "services": {',
    ...services.flatMap((service, index) => [...(index > 0 ? [''] : []), ...serviceLines(service)]),
    '  }',
    ...oneOffLines(oneOffs),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** A text from a file may hold anything; a comment ends at the end of its line. */
function comment(text: string): string {
  return `// ${text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')}`;
}

function containersLines(containers: ProposedContainers | null): readonly string[] {
  if (containers === null) return [];
  const { file, services, from, names } = containers;
  const value = toInline({ ...(file && { file }), ...(services && { services }) });
  return [`  ${comment(`from ${from}: ${names.join(', ')}`)}`, `  "containers": ${value},`, ''];
}

/** The keys of the manifest in the order in which people write them. */
const KEYS = [
  'command',
  'cwd',
  'env',
  'envFile',
  'ports',
  'ready',
  'dependsOn',
  'restart',
  'stop',
  'autostart',
  'oneShot',
] as const;

function serviceLines(service: ProposedService): readonly string[] {
  const { name, from, notes } = service;
  const entries = KEYS.flatMap((key) =>
    service[key] === undefined ? [] : [`${JSON.stringify(key)}: ${toInline(service[key])}`],
  );
  return [
    ...[`from ${from}`, ...notes].map((line) => `    ${comment(line)}`),
    `    ${JSON.stringify(name)}: {`,
    ...entries.map((entry) => `      ${entry},`),
    '    },',
  ];
}

/** A value on one line, with blanks as people write them. */
export function toInline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toInline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}: ${toInline(one)}`,
  );
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function oneOffLines(oneOffs: readonly ProposedOneOff[]): readonly string[] {
  if (oneOffs.length === 0) return [];
  return [
    '',
    '  // Tests run once, contained and ended by devctl:',
    ...oneOffs.map(({ command, from }) => `  ${comment(`${from}: ${oneOffCommand(command)}`)}`),
  ];
}

/** The command line that runs a one-off under devctl. */
export function oneOffCommand(command: string): string {
  const [, folder, rest] = /^cd ('.*'|\S+) && (.+)$/s.exec(command) ?? [];
  return folder === undefined
    ? `${DEVCTL} run -- ${command}`
    : `cd ${folder} && ${DEVCTL} run -- ${rest}`;
}

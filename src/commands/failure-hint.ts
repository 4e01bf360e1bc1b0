import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hasSucceeded } from '../client/protocol.ts';
import type { StartedService } from '../client/started-service.ts';
import type { ResolvedManifest, ResolvedService } from '../manifest/resolved.ts';
import type { StartResult } from '../operations/start/result.ts';
import { printable } from '../output/terminal/width.ts';
import { foldersUpwards } from '../project/inside.ts';

/** Prints what to do about the failures of a start that the messages of the system do not explain. */
export function printHints(
  result: Pick<StartResult, 'services'>,
  manifest: ResolvedManifest,
): void {
  for (const hint of failureHints(result, manifest))
    process.stderr.write(`  → ${printable(hint)}\n`);
}

/** Lists the hints of `failureHint` for the services of a start that are not up. */
export function failureHints(
  { services }: Pick<StartResult, 'services'>,
  manifest: ResolvedManifest,
): readonly string[] {
  return services
    .filter((service) => !hasSucceeded(service))
    .flatMap((service) => {
      const declared = manifest.services[service.name];
      return (declared && failureHint(service, declared)) ?? [];
    });
}

/**
 * Says what to do about a failure that the messages of the system do not explain: a program that only the project has, and
 * a script with the line ends of Windows.
 *
 * @returns null where neither is the case
 */
export function failureHint(
  { lastLines }: Pick<StartedService, 'lastLines'>,
  { command, cwd }: Pick<ResolvedService, 'command' | 'cwd'>,
): string | null {
  const missing = lastLines.flatMap((line) => NOT_FOUND.exec(line.trim())?.[1] ?? []).at(-1);
  const first = typeof command === 'string' ? command.trim().split(/\s+/)[0] : command[0];
  const script = [first, missing].find(
    (word) => word?.includes('/') && endsInCrlf(resolve(cwd, word)),
  );
  if (script !== undefined) {
    return `the first line of ${script} ends in CRLF, so the system looks for a program with that in its name: sed -i 's/\\r$//' ${resolve(cwd, script)}`;
  }
  if (missing === undefined || missing.includes('/')) return null;
  const folder = foldersUpwards(cwd).find((one) => existsSync(join(one, BIN, missing)));
  return folder === undefined
    ? null
    : `${missing} is in ${join(folder, BIN)}: "command": "npx ${missing} …" starts it`;
}

const BIN = join('node_modules', '.bin');

/** The words of a shell that has not found a program, as dash and bash have them. */
const NOT_FOUND = /(?:^|: )([\w@./-]+): (?:command )?not found$/;

/** Tells whether a file is a script whose first line ends in CRLF. */
function endsInCrlf(file: string): boolean {
  try {
    if (!statSync(file).isFile()) return false;
    const fd = openSync(file, 'r');
    try {
      const head = Buffer.alloc(256);
      const size = readSync(fd, head, 0, head.length, 0);
      return /^#![^\n]*\r\n/.test(head.toString('latin1', 0, size));
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

import { ExitCode } from '../errors.ts';
import { definedOnly } from '../manifest/variables.ts';
import { loadStartable } from '../operations/start/ad-hoc.ts';
import { type AdoptedService, type AdoptResult, adoptProject } from '../operations/start/adopt.ts';
import { printJson } from '../output/terminal/json.ts';
import { themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject } from '../project/open-project.ts';
import { leasesInWords } from './options/lease-options.ts';
import { yieldLock } from './yield-lock.ts';

export interface AdoptOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl adopt`. Exits 0 when a supervisor cares for everything that runs, also when nothing runs. */
export async function adoptCommand(options: AdoptOptions): Promise<number> {
  const query = { config: options.config };
  const { manifest, folder } = loadStartable(openProject(query), query);
  const notes = themeFor(process.stderr, options.color);
  const endYield = yieldLock(options);
  const result = await adoptProject(openHost(), folder, manifest, {
    env: definedOnly(process.env),
    warn: (line) => process.stderr.write(`${notes.yellow('!')} ${printable(line)}\n`),
  }).finally(endYield);
  if (options.json) printJson(result);
  else printResult(result, options.color);
  return ExitCode.Ok;
}

function printResult(
  { supervisor, services, leases }: AdoptResult,
  color: boolean | undefined,
): void {
  const theme = themeFor(process.stdout, color);
  const write = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  if (!supervisor) {
    write('nothing runs here that could be taken over');
    return;
  }
  for (const service of services) {
    const mark = service.restart === null ? theme.yellow('!') : theme.green('✓');
    write(`${mark} ${theme.bold(service.name)}: ${serviceInWords(service)}`);
  }
  const { pid, isNew } = supervisor;
  const count = `${services.length} service${services.length === 1 ? '' : 's'}`;
  const who = isNew
    ? `a new supervisor (pid ${pid}) has taken over`
    : `its supervisor (pid ${pid}) cares for`;
  write(`${who} ${count}`);
  const ends = leasesInWords(leases);
  if (ends) write(`lease: ${ends}`);
}

function serviceInWords({ pid, state, reason, restart, live }: AdoptedService): string {
  const what = pid === null ? printable(reason ?? state) : `${state} (pid ${pid})`;
  if (restart === null) return `${what}, not in the manifest: watched, but never started again`;
  const policy = {
    no: 'no restarts',
    always: 'restart always',
    'on-failure': 'restart on failure',
  };
  return `${what}, ${policy[restart]}${live ? ', liveness probe' : ''}`;
}

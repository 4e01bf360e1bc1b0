import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { loadManifest } from '../manifest/load.ts';
import { choicesOf, selectForStart } from '../manifest/select.ts';
import { definedOnly } from '../manifest/variables.ts';
import { type ApplyPlan, applyProject, readApplyPlan } from '../operations/start/apply.ts';
import { toLease } from '../operations/start/lease.ts';
import { printJson } from '../output/terminal/json.ts';
import { openProgress } from '../output/terminal/open-progress.ts';
import { isSeen, themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { printStopReport } from '../output/text/stop.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';
import { folderOfManifest } from '../project/folder.ts';
import { declaredServices, manifestQuery, openProject } from '../project/open-project.ts';
import { composeNotes, showContainer } from './containers/progress.ts';
import { printHints } from './failure-hint.ts';
import { leaseWish } from './options/lease-options.ts';
import {
  allUp,
  printSummary,
  printUrls,
  refuseAsProcessOne,
  type StartCommandOptions,
  showChange,
  startCommand,
  urlsOfStart,
} from './start.ts';
import { listenForInterrupts, stopProgress } from './stop-progress.ts';
import { yieldLock } from './yield-lock.ts';

export interface ApplyCommandOptions extends StartCommandOptions {
  /** The words after `--`. */
  readonly command?: readonly string[];
  readonly apply?: boolean;
  readonly dependents?: boolean;
  readonly dryRun?: boolean;
}

async function startContainersOnly(
  names: readonly string[],
  options: ApplyCommandOptions,
): Promise<number> {
  return (await import('./containers/up.ts')).startContainersOnly(names, options);
}

/** Runs `devctl start`, with `--apply` or without. */
export function startOrApply(
  names: readonly string[],
  options: ApplyCommandOptions,
): Promise<number> {
  if (options.command !== undefined) return startCommandLine(names, options.command, options);
  if (options.containers) return startContainersOnly(names, options);
  if (options.apply) return applyCommand(names, options);
  const lone = options.dependents ? '--dependents' : options.dryRun ? '--dry-run' : null;
  if (lone === null) return startCommand(names, options);
  throw new DevctlError('usage', `${lone} is an option of start --apply`, {
    hint: `${DEVCTL} start --apply ${lone}`,
  });
}

async function startCommandLine(
  names: readonly string[],
  command: readonly string[],
  options: ApplyCommandOptions,
): Promise<number> {
  const lone = options.apply ? '--apply' : options.dryRun ? '--dry-run' : null;
  if (lone !== null)
    throw new DevctlError('usage', `${lone} is for services of the manifest, not for a command`);
  return (await import('./start-ad-hoc.ts')).startAdHoc(names, command, options);
}

/**
 * Runs `devctl start --apply`. Exits 0 when everything runs as the manifest defines it, 1 when a service does
 * not or nobody can tell, 4 when processes of the old runs are left.
 */
async function applyCommand(
  names: readonly string[],
  options: ApplyCommandOptions,
): Promise<number> {
  refuseAsProcessOne();
  const query = { config: options.config };
  const project = openProject(query);
  const manifest = loadManifest(manifestQuery(project, query));
  const folder = folderOfManifest(manifest);
  selectForStart(choicesOf(manifest), names);
  const host = openHost();
  const dependents = options.dependents ?? false;
  if (options.dryRun) {
    const plan = await readApplyPlan(host, folder, manifest, { names, dependents });
    if (options.json) printJson({ ok: isCertain(plan), plan, stop: null, start: null });
    else printPlan(plan, options.color);
    return isCertain(plan) ? ExitCode.Ok : ExitCode.Failed;
  }
  const lease = await toLease(host, leaseWish(options));
  const progress = openProgress({ color: options.color });
  const interrupted = listenForInterrupts();
  const endYield = yieldLock(options);
  const afterStop = (): void => {
    progress.close();
    const message = `interrupted: what was started goes on running; ${DEVCTL} status shows what`;
    process.stderr.write(`\n${message}\n`);
    if (options.json) printJson({ error: { code: 'interrupted', message, hint: null } });
    process.exit(exitCodeOf('SIGINT'));
  };
  const afterPlan = (plan: ApplyPlan): void => {
    if (plan.restart.length + plan.stop.length > 0) return;
    process.removeAllListeners('SIGINT').once('SIGINT', afterStop);
  };
  try {
    const result = await applyProject(host, folder, manifest, {
      names,
      dependents,
      abortOnFailure: options.abortOnFailure ?? false,
      containers: names.length === 0 ? 'all' : 'needed',
      onContainer: (change) => showContainer(progress, change),
      onComposeLine: composeNotes(progress),
      lease,
      env: definedOnly(process.env),
      onTerminal: isSeen(process.stdout, options.color),
      declared: declaredServices(project),
      forced: interrupted,
      onScan: stopProgress(),
      onPlan: afterPlan,
      onStopped(report) {
        if (!options.json) printStopReport(report, options.color);
        process.removeAllListeners('SIGINT').once('SIGINT', afterStop);
      },
      onChange: (change) => showChange(progress, change),
      warn: (line) => progress.note(`! ${line}`),
    });
    progress.close();
    const { plan, start } = result;
    const ok = start !== null && allUp(start) && isCertain(plan);
    if (options.json) printJson({ ok, ...result });
    else {
      if (start) {
        printSummary(start, options.color);
        printHints(start, manifest);
        printUrls(await urlsOfStart(host, project, start), options.color);
      }
      printUnknown(plan, options.color);
    }
    if (start === null) return ExitCode.Survivors;
    return ok ? ExitCode.Ok : ExitCode.Failed;
  } finally {
    progress.close();
    process.off('SIGINT', afterStop);
    endYield();
  }
}

function isCertain({ unknown }: ApplyPlan): boolean {
  return unknown.length === 0;
}

function printPlan(plan: ApplyPlan, color: boolean | undefined): void {
  const theme = themeFor(process.stdout, color);
  const { restart, start, stop, keep } = plan;
  const lines = [
    ...stop.map((name) => `${theme.red('stop')}     ${name}: the manifest names it no more`),
    ...restart.map(({ service, keys }) => {
      const why =
        keys.length > 0 ? `${printable(keys.join(', '))} changed` : 'depends on the above';
      return `${theme.yellow('restart')}  ${service}: ${why}`;
    }),
    ...start.map((name) => `${theme.green('start')}    ${name}`),
  ];
  const kept = keep.length > 0 ? `unchanged: ${keep.join(', ')}` : null;
  const nothing = lines.length === 0 ? 'nothing to do' : null;
  for (const line of [...lines, ...[nothing ?? [], kept ?? []].flat()])
    process.stdout.write(`${line}\n`);
  printUnknown(plan, color);
}

function printUnknown({ unknown }: ApplyPlan, color: boolean | undefined): void {
  if (unknown.length === 0) return;
  const theme = themeFor(process.stderr, color);
  const names = unknown.join(', ');
  process.stderr.write(
    `${theme.yellow('!')} ${names}: nobody can tell whether they have changed, because their records do not say what they were started with\n`,
  );
  process.stderr.write(`  → ${DEVCTL} restart ${unknown.join(' ')}\n`);
}

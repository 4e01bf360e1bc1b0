import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { warningInWords } from '../limits/words.ts';
import { warnOfEnvFiles } from '../manifest/env-file.ts';
import { PROJECT_WARNINGS } from '../manifest/limits.ts';
import { loadManifest } from '../manifest/load.ts';
import type { ResolvedManifest } from '../manifest/resolved.ts';
import { definedOnly } from '../manifest/variables.ts';
import { type RunSignal, runExitCode } from '../operations/run/decisions.ts';
import { runLimits } from '../operations/run/limits.ts';
import { type RunResult, runOneOff } from '../operations/run/run.ts';
import { requireOneProject } from '../operations/start/ad-hoc.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printFailure } from '../output/terminal/failure.ts';
import { jsonLine } from '../output/terminal/json.ts';
import { themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import { inheritedEnvironment } from '../ownership/cookie.ts';
import { currentFolder } from '../processes/working-folder.ts';
import { logsFolderOf } from '../project/folder.ts';
import { manifestQuery, type OpenProject, openProject } from '../project/open-project.ts';
import { durationOption } from './options/duration-option.ts';
import { type LimitOptions, limitOptions } from './options/limit-options.ts';
import { stopProgress } from './stop-progress.ts';
import { yieldLock } from './yield-lock.ts';

export interface RunCommandOptions extends LimitOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly name?: string;
  readonly timeout?: string;
  readonly grace?: string;
  readonly failOnOrphans?: boolean;
}

/**
 * Runs `devctl run`. Exits with the code of the command, or 128 and its signal; with 124 after a timeout or
 * beyond a limit; with 4 when a process could not be ended.
 */
export async function runCommand(
  command: readonly string[],
  options: RunCommandOptions,
): Promise<number> {
  const { json = false, color } = options;
  const failure = { json: json ? ('stderr' as const) : false, color };
  const endYield = yieldLock(failure);
  try {
    return await runUntilOver(command, options, endYield);
  } catch (error) {
    return printFailure(error, failure);
  } finally {
    endYield();
  }
}

/**
 * Runs the command, and ends everything that it leaves behind.
 *
 * @param endYield called once the command runs
 */
async function runUntilOver(
  command: readonly string[],
  options: RunCommandOptions,
  endYield: () => void,
): Promise<number> {
  const { config, timeout, grace, name = null } = options;
  const timeoutMs = timeout === undefined ? null : durationOption('--timeout', timeout);
  const graceMs = grace === undefined ? null : durationOption('--grace', grace);
  const ownLimits = limitOptions(options);
  const project = openProject({ config });
  requireOneProject(project);
  // With a manifest above, the run may be meant for that project. Without one it can only be of this project.
  if (project.above !== undefined) manifestQuery(project, { config });
  const { outline, folder } = project;
  const cwd = currentFolder();
  const notes = createNotes(options.color);
  const manifest = manifestFor(project, notes.warn);
  let watch: ReturnType<typeof stopProgress> | undefined;
  let isHungUp = false;
  const result = await runOneOff(folder, {
    name,
    command,
    cwd,
    env: { ...inheritedEnvironment(definedOnly(process.env)), ...manifest?.env },
    graceMs,
    timeoutMs,
    containment: manifest?.containment ?? 'auto',
    limits: runLimits(ownLimits, manifest?.limits ?? PROJECT_WARNINGS),
    onBreach(breach) {
      const then = breach.action === 'warn' ? '' : ': ending everything';
      notes.warn(`over its limit: ${warningInWords(breach)}${then}`);
    },
    logsDir:
      outline.kind === 'absent' ? join(folder.pidsDir, 'logs') : logsFolderOf(folder, outline),
    adHoc: outline.kind === 'absent',
    services: outline.kind === 'absent' ? [] : outline.services.map((one) => one.name),
    subscribeToSignals: (listen) =>
      subscribeToSignals((signal) => {
        isHungUp ||= signal === 'SIGHUP';
        listen(signal);
      }),
    onBegun: endYield,
    onEnding(cause) {
      if (cause === 'timed-out') notes.warn(`its ${timeout} are over: ending everything`);
    },
    onScan(living) {
      // Created when the end begins, because its time counts from there.
      watch ??= stopProgress();
      watch(living);
    },
    warn: notes.warn,
  });
  if (options.json) writeSync(STDERR, jsonLine(result));
  else printResult(result, notes);
  return runExitCode(
    { ...result, orphans: result.orphans.length, survivors: result.survivors.length, isHungUp },
    options.failOnOrphans ?? false,
  );
}

/**
 * Loads the manifest. A mistake in it does not keep the user from running a command, because no service is
 * started.
 */
function manifestFor(
  { outline }: OpenProject,
  warn: (line: string) => void,
): ResolvedManifest | null {
  if (outline.kind === 'absent') return null;
  try {
    const manifest = loadManifest({ file: outline.file });
    for (const severity of ['problem', 'warning'] as const) {
      warnOfEnvFiles(manifest, severity, [], warn);
    }
    return manifest;
  } catch (error) {
    if (!(error instanceof DevctlError)) throw error;
    warn(
      `the manifest has mistakes (${DEVCTL} check names them): "env", "limits" and "containment" do not count`,
    );
    return null;
  }
}

const SIGNALS: readonly RunSignal[] = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'];

function subscribeToSignals(listen: (signal: RunSignal) => void): () => void {
  const listeners = SIGNALS.map((signal) => [signal, () => listen(signal)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

const STDERR = 2;

interface RunNotes {
  good(line: string): void;
  warn(line: string): void;
  bad(line: string): void;
  more(line: string): void;
}

/**
 * Creates the printer of devctl's own lines. They are short, because stdout and stderr belong to the
 * command while it runs.
 */
function createNotes(color: boolean | undefined): RunNotes {
  const theme = themeFor(process.stderr, color);
  const write = (mark: string, line: string): void => {
    process.stderr.write(`${mark} ${printable(line)}\n`);
  };
  return {
    good: (line) => write(theme.green('✓'), `devctl: ${line}`),
    warn: (line) => write(theme.yellow('!'), `devctl: ${line}`),
    bad: (line) => write(theme.red('✗'), `devctl: ${line}`),
    more: (line) => write(' ', line),
  };
}

const MOST_LINES = 20;

/** Prints the result. A run that left nothing behind prints nothing, as its command alone would. */
function printResult(
  { orphans, survivors, proof, stop, name, cause, why, tookMs }: RunResult,
  notes: RunNotes,
): void {
  if (cause === 'stopped') notes.warn(`${name} was ended by a devctl stop${why ? `: ${why}` : ''}`);
  if (orphans.length > 0) {
    const count = `${orphans.length} process${orphans.length === 1 ? '' : 'es'}`;
    notes.warn(`${name} left ${count} behind:`);
    for (const { pid, command } of orphans.slice(0, MOST_LINES))
      notes.more(`pid ${pid}: ${command}`);
    if (orphans.length > MOST_LINES) notes.more(`… and ${orphans.length - MOST_LINES} more`);
  }
  for (const { pid, command, why, veto, ours } of stop?.spared ?? []) {
    if (veto === 'protected' && ours)
      notes.warn(`left alone: protected: pid ${pid}: ${command} (${why})`);
    // A process with the mark of another project was started on purpose, and its supervisor lives as a rule.
    if (veto === 'other-project' && ours && !why.startsWith('DEVCTL_'))
      notes.warn(`left alone: pid ${pid}: ${command} (${why})`);
  }
  for (const problem of stop?.problems ?? []) notes.warn(problem);
  for (const { pid, command, why } of survivors)
    notes.bad(`pid ${pid} is alive: ${command}: ${why}`);
  if (survivors.length > 0) {
    notes.more(`→ the record is kept; ${DEVCTL} stop ${name} tries again`);
    return;
  }
  if (stop === null || (orphans.length === 0 && cause === 'ended')) return;
  const complete = proof.strength === 'complete';
  const proofInWords = complete ? 'proof complete' : `proof best effort: ${proof.why}`;
  const took = formatDuration(cause === 'ended' ? stop.tookMs : tookMs);
  const when = cause === 'ended' ? `ended in ${took}` : `after ${took} in all`;
  notes.good(
    `${complete ? 'nothing' : 'nothing more'} of ${name} is left: ${when} (${proofInWords})`,
  );
}

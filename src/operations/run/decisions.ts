import { basename } from 'node:path';
import { ExitCode, exitCodeOf } from '../../errors.ts';
import { isServiceName } from '../../project/field-checks.ts';
import type { Exit } from '../../project/service-record.ts';

/** The signals that `devctl run` handles. */
export type RunSignal = 'SIGINT' | 'SIGQUIT' | 'SIGTERM' | 'SIGHUP';

export interface SignalSituation {
  /** 'ending': the command has ended, or is being ended. */
  readonly phase: 'running' | 'ending';
  /** The processes that the keys of our terminal reach: 'ours', we and the command; or there is no terminal. */
  readonly terminal: 'ours' | 'elsewhere' | 'none';
  /** The number of earlier signals of this kind. */
  readonly earlier: number;
}

/**
 * Decides what `devctl run` does about a signal.
 *
 * A Ctrl-C on the terminal has reached the command too, and the command decides what it means: an editor and a REPL go
 * on. A signal that a program sends reaches only us.
 *
 * @returns 'leave': the command handles it; 'pass-on': send it to the command; 'end': end everything with its grace
 *   period; 'force': end it at once
 */
export function onRunSignal(
  signal: RunSignal,
  { phase, terminal, earlier }: SignalSituation,
): 'leave' | 'pass-on' | 'end' | 'force' {
  if (phase === 'ending') return 'force';
  if (signal === 'SIGTERM' || signal === 'SIGHUP') return 'end';
  if (terminal === 'ours') return 'leave';
  return earlier > 0 ? 'end' : 'pass-on';
}

/**
 * The cause of the end: the command ended, its time was up, it exceeded a limit, a signal asked for it, or another
 * devctl has stopped it.
 */
export type RunCause = 'ended' | 'timed-out' | 'limit' | 'interrupted' | 'stopped';

export interface RunOutcome {
  readonly cause: RunCause;
  /** The exit of the command itself. Both fields are null where it is not known. */
  readonly exit: Exit;
  readonly orphans: number;
  readonly survivors: number;
  /** True when SIGHUP asked for the end, as of a terminal that was closed. Missing: it did not. */
  readonly isHungUp?: boolean;
}

/**
 * The exit code of `devctl run`: the exit code of the command, or 128 + its signal. Survivors, a timeout and a limit
 * have codes of their own, and so has a terminal that was closed: 128 + SIGHUP, because the command may have met SIGHUP or
 * the SIGTERM of the end first. Orphans count only when the command itself succeeded.
 */
export function runExitCode(
  { cause, exit, orphans, survivors, isHungUp = false }: RunOutcome,
  failOnOrphans: boolean,
): number {
  if (survivors > 0) return ExitCode.Survivors;
  if (cause === 'timed-out' || cause === 'limit') return ExitCode.TimedOut;
  if (isHungUp && (cause === 'interrupted' || cause === 'ended')) return exitCodeOf('SIGHUP');
  if (exit.signal !== null) return exitCodeOf(exit.signal);
  const code = exit.code ?? ExitCode.Failed;
  return code === 0 && failOnOrphans && orphans > 0 ? ExitCode.Survivors : code;
}

/**
 * Makes a name from a command: `run-npm`, and `run-npm-2` where that is taken.
 *
 * @param argv the command
 */
export function oneOffName(argv: readonly string[], taken: ReadonlySet<string>): string {
  const program = basename(argv[0] ?? '').replace(/\.[cm]?[jt]s$/, '');
  const word = program.replaceAll(/[^\w.+-]+/g, '-').slice(0, 40);
  const first = isServiceName(`run-${word}`) && word !== '' ? `run-${word}` : 'run';
  let name = first;
  for (let number = 2; taken.has(name); number += 1) name = `${first}-${number}`;
  return name;
}

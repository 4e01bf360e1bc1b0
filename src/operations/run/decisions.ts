import { basename } from 'node:path';
import { ExitCode } from '../../errors.ts';
import { isServiceName } from '../../project/field-checks.ts';
import type { Exit } from '../../project/service-record.ts';

/** The signals that a one-off's holder is told of. */
export type RunSignal = 'SIGINT' | 'SIGQUIT' | 'SIGTERM' | 'SIGHUP';

export interface SignalSituation {
  /** 'ending': the command has ended, or is being ended. */
  readonly phase: 'running' | 'ending';
  /** Who gets the keys of our terminal: we and the command, somebody else, or there is none. */
  readonly terminal: 'ours' | 'elsewhere' | 'none';
  /** How many signals of this kind came before. */
  readonly earlier: number;
}

/**
 * What to do about a signal.
 *
 * A Ctrl-C on the terminal has reached the command as it has reached us: what it means is the command's
 * business (an editor and a REPL go on). Sent by a program, the signal reaches only us.
 *
 * @returns 'leave' it to the command; 'pass-on'; 'end' everything in order; 'force'
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
 * How it came to its end: by itself, or because its time was up, it used too much, we were told to, or another
 * devctl has stopped it.
 */
export type RunCause = 'ended' | 'timed-out' | 'limit' | 'interrupted' | 'stopped';

export interface RunOutcome {
  readonly cause: RunCause;
  /** Of the command itself; both null where it is not known. */
  readonly exit: Exit;
  readonly orphans: number;
  readonly survivors: number;
}

/**
 * The exit code of `devctl run`: that of the command or 128 + its signal, but for what went wrong around
 * it. Orphans count only where the command itself was content.
 */
export function runExitCode(
  { cause, exit, orphans, survivors }: RunOutcome,
  failOnOrphans: boolean,
  signalNumber: (signal: string) => number | undefined,
): number {
  if (survivors > 0) return ExitCode.Survivors;
  if (cause === 'timed-out' || cause === 'limit') return ExitCode.TimedOut;
  if (exit.signal !== null) return 128 + (signalNumber(exit.signal) ?? 0);
  const code = exit.code ?? ExitCode.Failed;
  return code === 0 && failOnOrphans && orphans > 0 ? ExitCode.Survivors : code;
}

/**
 * A name for a one-off without one: `run-npm`, and `run-npm-2` where that is taken.
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

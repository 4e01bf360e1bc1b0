import type { ResolvedService } from '../manifest/resolved.ts';
import type { ExportNote, UnitPart } from './source.ts';
import { execLine, literalWord } from './systemd-words.ts';

/** Threads that a process of Node has, with some to spare: systemd counts threads. */
const THREADS_PER_PROCESS = 16;

type Over = Parameters<typeof execLine>[1];

export function restartLines({ name, oneShot, restart }: ResolvedService): UnitPart {
  const { policy, maxRestarts, windowMs, backoffMs, maxBackoffMs, successExitCodes } = restart;
  const success = successExitCodes.filter((code) => code !== 0);
  const known = success.length > 0 ? [`SuccessExitStatus=${success.join(' ')}`] : [];
  const note = (key: string, text: string): ExportNote => ({
    service: name,
    key: `restart.${key}`,
    text,
  });
  const missingZero = successExitCodes.includes(0)
    ? []
    : [note('successExitCodes', 'systemd takes 0 for success as well')];
  if (policy === 'no') return { lines: known, notes: missingZero };
  const isNever = policy === 'always' && oneShot;
  return {
    lines: [
      `StartLimitIntervalSec=${span(windowMs)}`,
      `StartLimitBurst=${maxRestarts + 1}`,
      ...known,
      `Restart=${isNever ? 'on-failure' : policy}`,
      `RestartSec=${span(backoffMs)}`,
    ],
    notes: [
      ...missingZero,
      ...(isNever ? [note('policy', 'systemd restarts a task only on failure')] : []),
      ...(maxBackoffMs > backoffMs ? [note('backoff', 'the pause does not grow')] : []),
    ],
  };
}

export function stopLines({ stop }: ResolvedService, over: Over): readonly string[] {
  // In systemd a time of 0 is no end at all.
  const graceMs = stop.graceMs === 0 ? 1 : stop.graceMs;
  return [
    ...(stop.command === null ? [] : [`ExecStop=${execLine(stop.command, over)}`]),
    'KillMode=control-group',
    `KillSignal=${stop.graceMs === 0 ? 'SIGKILL' : stop.signal}`,
    `TimeoutStopSec=${span(graceMs)}`,
  ];
}

export function limitLines({
  name,
  oneShot,
  limits,
  resources,
  restart,
}: ResolvedService): UnitPart {
  const lines: string[] = [];
  const notes: ExportNote[] = [];
  const note = (kind: string, text: string): void =>
    void notes.push({ service: name, key: `limits.${kind}`, text });
  for (const { kind, allowed, action } of limits) {
    if (action === 'warn') note(kind, 'no unit only warns');
    else if (kind === 'idle') note(kind, 'systemd has no such limit');
    else if (kind === 'memory') lines.push(`MemoryMax=${allowed}`);
    else if (kind === 'runtime')
      lines.push(`${oneShot ? 'TimeoutStartSec' : 'RuntimeMaxSec'}=${span(allowed)}`);
    else if (kind === 'cpu') {
      lines.push(`CPUQuota=${Math.ceil(allowed)}%`);
      note(kind, 'systemd slows it down, and does not end it');
    } else {
      lines.push(`TasksMax=${allowed * THREADS_PER_PROCESS}`);
      note(kind, `systemd counts threads, so it is ${THREADS_PER_PROCESS} for each process`);
    }
    if (action === 'restart' && restart.policy === 'no')
      note(kind, 'nothing starts it again without restart');
    if (action === 'stop' && restart.policy !== 'no')
      note(kind, 'restart starts it again after that');
  }
  if (resources.openFiles !== null) lines.push(`LimitNOFILE=${resources.openFiles}`);
  const { core } = resources;
  if (core !== null) lines.push(`LimitCORE=${core === 'unlimited' ? 'infinity' : core}`);
  return { lines, notes };
}

/** Has systemd wait for a probe that a shell can make. */
export function readyLines({ name, ready, oneShot }: ResolvedService, over: Over): UnitPart {
  if (ready === null || oneShot) return { lines: [], notes: [] };
  const { check, timeoutMs, intervalMs } = ready;
  const seconds = (ms: number): string => String(ms / 1_000);
  const until = (test: string): string =>
    `until { ${test}\n}; do sleep ${seconds(Math.max(intervalMs, 50))}; done`;
  const waits = (script: string): UnitPart => ({
    lines: [`ExecStartPost=${execLine(script, over)}`, `TimeoutStartSec=${span(timeoutMs)}`],
    notes: [],
  });
  if (check.kind === 'delay') return waits(`sleep ${seconds(check.delayMs)}`);
  if (check.kind === 'file') return waits(until(`test -e ${literalWord(check.path)}`));
  if (check.kind === 'exec') {
    const { command } = check;
    return waits(until(typeof command === 'string' ? command : command.map(literalWord).join(' ')));
  }
  const text = 'systemd does not wait for it: After= counts from the start of the process';
  return { lines: [], notes: [{ service: name, key: `ready.${check.kind}`, text }] };
}

/** A time as systemd has it. */
function span(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

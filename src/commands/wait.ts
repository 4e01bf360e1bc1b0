import { DevctlError, ExitCode } from '../errors.ts';
import { WAITED_EVENTS, type WaitedEvent, type WaitVerdict } from '../operations/wait/verdict.ts';
import { type WaitedResult, waitForServices } from '../operations/wait/wait.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printJson } from '../output/terminal/json.ts';
import { openProgress } from '../output/terminal/open-progress.ts';
import { colorEnabled } from '../output/terminal/theme.ts';
import { printableLines } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import { readPattern } from '../patterns/pattern.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject, requireProject } from '../project/open-project.ts';
import { printLastLines } from './last-lines.ts';
import { durationOption } from './options/duration-option.ts';
import { literally } from './options/log-options.ts';

export interface WaitCommandOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly for?: string;
  readonly timeout?: string;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Runs `devctl wait`. Exits 0 when the event has come for every service, 1 when it can no longer come, 124 when the
 * time is over.
 */
export async function waitCommand(
  names: readonly string[],
  options: WaitCommandOptions,
): Promise<number> {
  const { event, pattern } = eventOption(options.for ?? 'ready');
  const timeoutMs =
    options.timeout === undefined
      ? DEFAULT_TIMEOUT_MS
      : durationOption('--timeout', options.timeout);
  const query = { config: options.config };
  requireProject(openProject(query), false);
  const progress = openProgress({ color: options.color });
  try {
    const result = await waitForServices(openHost(), {
      query,
      names,
      event,
      pattern,
      timeoutMs,
      onOver: (service, verdict) => showVerdict(progress, service, verdict),
    });
    progress.close();
    const { services, timedOut, tookMs } = result;
    const ok = services.every(({ verdict }) => verdict === 'met');
    if (options.json) printJson({ ok, for: options.for ?? 'ready', ...result });
    else {
      const left = services.filter(({ verdict }) => verdict === (timedOut ? 'open' : 'failed'));
      for (const service of left) printMissing(service, timedOut ? tookMs : null, options.color);
    }
    if (ok) return ExitCode.Ok;
    return timedOut ? ExitCode.TimedOut : ExitCode.Failed;
  } finally {
    progress.close();
  }
}

/**
 * Reads `--for`.
 *
 * @throws DevctlError 'usage'
 */
function eventOption(text: string): {
  readonly event: WaitedEvent;
  readonly pattern: string | null;
} {
  const pattern = /^log=(.+)$/s.exec(text)?.[1] ?? null;
  if (pattern !== null) {
    const reading = readPattern(pattern);
    if (reading.kind === 'pattern') return { event: 'log', pattern };
    throw new DevctlError('usage', `--for ${text} ${reading.why}`, literally(reading.kind));
  }
  const event = WAITED_EVENTS.find((known) => known === text && known !== 'log');
  if (event) return { event, pattern: null };
  throw new DevctlError('usage', `--for ${text}: not an event that devctl can wait for`, {
    hint: '--for ready, exited, completed, healthy, port, or log=REGEX',
  });
}

function showVerdict(
  progress: ReturnType<typeof openProgress>,
  service: string,
  { kind, what }: WaitVerdict,
): void {
  if (kind === 'met') progress.succeeded(service, what);
  else progress.failed(service, what);
}

function printMissing(
  { name, what, state, lastLines, log }: WaitedResult,
  afterMs: number | null,
  color: boolean | undefined,
): void {
  const { stderr } = process;
  if (afterMs !== null) {
    stderr.write(`✗ ${name}: after ${formatDuration(afterMs)} it ${printableLines(what)}\n`);
  }
  printLastLines(lastLines, log, colorEnabled(stderr, color));
  if (state === 'stopped') stderr.write(`  → ${DEVCTL} start ${name}\n`);
}

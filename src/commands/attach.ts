import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { readLog } from '../logs/reader.ts';
import { type LogSource, openLogSource } from '../logs/source.ts';
import {
  type Attachment,
  attachTerminal,
  findTerminal,
  type OwnTerminal,
  readModes,
  type ServiceTerminal,
} from '../operations/attach/attach.ts';
import { printJson } from '../output/terminal/json.ts';
import { createLogPrinter } from '../output/terminal/log-printer.ts';
import { colorEnabled, themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject, requireProject } from '../project/open-project.ts';
import { lineToText } from './log-line.ts';

export interface AttachOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/**
 * Runs `devctl attach`: puts the terminal of a service on ours.
 *
 * @returns 0 after Ctrl-]; else the exit code of the service
 */
export async function attachCommand(name: string, options: AttachOptions): Promise<number> {
  const project = openProject({ config: options.config });
  requireProject(project, false);
  const target = await findTerminal(openHost(), project, name);
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new DevctlError('usage', 'attach needs a terminal, and this is none', {
      hint: `${DEVCTL} logs -f ${name} shows its output, ${DEVCTL} send ${name} TEXT types into it`,
    });
  }
  const { service, leader } = target;
  const theme = themeFor(process.stdout, options.color);
  const told = `attached to ${service} (pid ${leader.pid}): Ctrl-] detaches and leaves it running, Ctrl-C goes to it`;
  process.stdout.write(`${theme.dim(printable(told))}\n`);
  const source = openLogSource(project.folder, service, target.record.log);
  const from = source.extent()?.to ?? 0;
  const modes = readModes(project, target, from);
  if (!modes.hasOtherScreen()) printLastLines(source, target, from, options);
  const own = openOwnTerminal();
  let attachment: Attachment;
  try {
    attachment = await attachTerminal(project, target, own, from, modes);
  } finally {
    own.restore();
  }
  const { end, undo } = attachment;
  if (own.signal() === 'SIGHUP' || end.kind === 'closed') {
    return exitCodeOf(own.signal() ?? 'SIGHUP');
  }
  process.stdout.write(undo);
  if (options.json) {
    const exit = end.kind === 'ended' ? end.exit : null;
    printJson({ service, pid: leader.pid, end: end.kind, exit });
  } else process.stdout.write(`\n${theme.dim(printable(inWords(service, end)))}\n`);
  return exitCode(end);
}

function inWords(service: string, end: Attachment['end']): string {
  if (end.kind === 'detached') return `detached from ${service}, which runs on`;
  if (end.kind === 'refused') return `${service}: ${end.why}`;
  if (end.kind === 'closed') return 'the terminal was closed';
  const { code, signal } = end.exit;
  const how =
    signal !== null
      ? `was ended by ${signal}`
      : code === null
        ? 'has ended'
        : `has exited with code ${code}`;
  return `${service} ${how}`;
}

function exitCode(end: Attachment['end']): number {
  if (end.kind === 'detached') return ExitCode.Ok;
  if (end.kind !== 'ended') return ExitCode.Failed;
  const { code, signal } = end.exit;
  return signal === null ? (code ?? ExitCode.Failed) : exitCodeOf(signal);
}

/**
 * Prints the end of what this run has written, without what moves the cursor: a question to the terminal among it would
 * be answered now, to nobody.
 *
 * @param to position in the log
 */
function printLastLines(
  source: LogSource,
  { record }: ServiceTerminal,
  to: number,
  { color }: AttachOptions,
): void {
  const look = { color: colorEnabled(process.stdout, color), prefix: false, times: false };
  const printer = createLogPrinter(look);
  const count = Math.max(1, (process.stdout.rows || 24) - 2);
  for (const line of readLog(source).history({ lines: count, sinceMs: null }, true)) {
    const end = line.position + Buffer.byteLength(line.text);
    const isOfRun = end > (record.logFrom ?? 0) && line.position < to;
    const text = isOfRun ? lineToText(printer, line) : '';
    // A prompt: the answer belongs behind it.
    process.stdout.write(line.partial ? text.replace(/\n$/, '') : text);
  }
}

/** Reads keys until the terminal is closed. */
async function* typedOn(stdin: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* stdin;
  } catch {
    // EIO: the terminal has hung up.
  }
}

/** Takes over our terminal: each key comes at once, and none is a signal. */
function openOwnTerminal(): OwnTerminal & {
  restore(): void;
  signal(): NodeJS.Signals | null;
} {
  const { stdin, stdout } = process;
  const over = new AbortController();
  let ended: NodeJS.Signals | null = null;
  const end = (signal: NodeJS.Signals): void => {
    ended ??= signal;
    over.abort();
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  // The terminal is closed; the next write would fail, too.
  for (const stream of [stdin, stdout]) stream.on('error', () => end('SIGHUP'));
  stdin.setRawMode(true);
  return {
    typed: typedOn(stdin),
    write: (bytes) =>
      new Promise((resolve) => {
        stdout.write(Buffer.from(bytes), () => resolve());
      }),
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    onResize(resized) {
      stdout.on('resize', resized);
      return () => stdout.off('resize', resized);
    },
    over: over.signal,
    signal: () => ended,
    restore() {
      try {
        stdin.setRawMode(false);
      } catch {
        // The terminal is closed.
      }
      // A pending read would keep this process.
      stdin.destroy();
    },
  };
}

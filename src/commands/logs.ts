import { ExitCode, exitCodeOf } from '../errors.ts';
import { followLogs } from '../logs/follow.ts';
import { type LogReader, mergeByTime, readLog, type ServiceLine } from '../logs/reader.ts';
import { logFolders, type ServiceLog, serviceLogs } from '../logs/services.ts';
import { openLogSource } from '../logs/source.ts';
import { tolerantReader } from '../logs/tolerant-reader.ts';
import { createLogPrinter } from '../output/terminal/log-printer.ts';
import { codeOfLostReader } from '../output/terminal/lost-output.ts';
import { openSlowWriter, type SlowWriter } from '../output/terminal/slow-writer.ts';
import { colorEnabled, themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { openProject, requireProject, steadyQuery } from '../project/open-project.ts';
import { lineToJson, lineToText } from './log-line.ts';
import { grepOption, linesOption, sinceOption } from './options/log-options.ts';
import { watchStdout } from './watch-stdout.ts';

export interface LogsOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
  readonly grep?: string;
  readonly ignoreCase?: boolean;
  readonly timestamps?: boolean;
  /** False for --no-prefix. */
  readonly prefix?: boolean;
}

/** Number of lines of each service that `--follow` begins with by default. */
const FOLLOW_LINES = 10;

/** Number of characters to collect before a write. */
const BATCH = 64 * 1024;

/** Runs `devctl logs`: prints what services have written, merged by time. */
export async function logsCommand(names: readonly string[], options: LogsOptions): Promise<number> {
  const follow = options.follow ?? false;
  const matches = grepOption(options.grep, options.ignoreCase ?? false);
  const sinceMs = sinceOption(options.since, Date.now());
  const isBounded = options.lines !== undefined || sinceMs !== null;
  const count = linesOption(options.lines) ?? (follow && !isBounded ? FOLLOW_LINES : null);

  const project = openProject({ config: options.config });
  const query = steadyQuery(project);
  let services = serviceLogs(project, names);
  requireProject(project, services.length > 0);
  const stopped = new AbortController();
  let exitCode: number = ExitCode.Ok;
  const out = openSlowWriter(1, () => {
    exitCode ||= codeOfLostReader();
    stopped.abort();
  });
  const print = lineWriter(out, options, services);
  const unreadable = (why: string): void => {
    exitCode = ExitCode.Failed;
    const theme = themeFor(process.stderr, options.color);
    process.stderr.write(`${theme.red('✗')} ${printable(why)}\n`);
  };
  const readers = new Map<string, LogReader>();
  const readerOf = ({ name, log }: ServiceLog): LogReader => {
    const known =
      readers.get(name) ??
      tolerantReader(readLog(openLogSource(project.folder, name, log)), unreadable);
    readers.set(name, known);
    return known;
  };

  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve(exitCodeOf(signal)));
    }
  });
  void interrupted.then((signalled) => {
    exitCode = signalled;
    stopped.abort();
  });

  const wanted = { lines: count, sinceMs, ...(options.grep === undefined ? {} : { matches }) };
  const history = services.map((service) =>
    filtered(readerOf(service).history(wanted, !follow), matches),
  );
  await print(mergeByTime(history), stopped.signal);
  if (follow && !stopped.signal.aborted) {
    const following = followLogs({
      folders: logFolders(project, services),
      readers() {
        services = currentServices(query, names) ?? services;
        print.widen(services);
        return services.map(readerOf);
      },
      emit: (lines) => print(filtered(lines, matches), new AbortController().signal),
    });
    stopped.signal.addEventListener('abort', () => following.stop());
    const unwatch = watchStdout(1, out);
    await following.done;
    unwatch();
  } else if (!print.any() && !stopped.signal.aborted && exitCode === ExitCode.Ok) {
    explainNothing(services, options);
  }
  return exitCode;
}

/**
 * Finds the logs by the manifest as it is now; null when it cannot be read, because somebody edits it or
 * the records are gone. The logs then stay as they were.
 */
function currentServices(
  query: Parameters<typeof openProject>[0],
  names: readonly string[],
): readonly ServiceLog[] | null {
  try {
    return serviceLogs(openProject(query), names);
  } catch {
    return null;
  }
}

interface LineWriter {
  (lines: Iterable<ServiceLine>, over: AbortSignal): Promise<void>;
  widen(services: readonly ServiceLog[]): void;
  /** True when a line was printed. */
  any(): boolean;
}

function lineWriter(
  out: SlowWriter,
  { json, color, timestamps, prefix }: LogsOptions,
  services: readonly ServiceLog[],
): LineWriter {
  const look = {
    color: colorEnabled(process.stdout, color),
    prefix: prefix ?? true,
    times: timestamps ?? false,
  };
  const printer = createLogPrinter(look);
  let hasLines = false;
  const write = async (lines: Iterable<ServiceLine>, over: AbortSignal): Promise<void> => {
    let batch = '';
    for (const line of lines) {
      hasLines = true;
      batch += json ? lineToJson(line) : lineToText(printer, line);
      if (batch.length < BATCH) continue;
      await out.write(batch);
      batch = '';
      if (over.aborted || out.isClosed()) return;
    }
    if (batch !== '') await out.write(batch);
  };
  const widen = (more: readonly ServiceLog[]): void => printer.widen(more.map(({ name }) => name));
  widen(services);
  return Object.assign(write, { widen, any: () => hasLines });
}

function* filtered(
  lines: Iterable<ServiceLine>,
  matches: (text: string) => boolean,
): Generator<ServiceLine> {
  for (const line of lines) if (matches(line.text)) yield line;
}

/** Explains an empty output: either nothing was written yet, or the name was wrong. */
function explainNothing(services: readonly ServiceLog[], options: LogsOptions): void {
  const isFiltered = options.grep !== undefined || options.since !== undefined;
  if (isFiltered || options.lines === '0') return;
  const names = services.map(({ name }) => printable(name)).join(', ');
  const text = `no output of ${names || 'any service'} yet; devctl start begins it`;
  process.stderr.write(`${themeFor(process.stderr, options.color).yellow('!')} ${text}\n`);
}

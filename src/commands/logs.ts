import type { ContainerLine } from '../containers/logs.ts';
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
import { DEVCTL } from '../own-command.ts';
import {
  type OpenProject,
  openProject,
  requireProject,
  steadyQuery,
} from '../project/open-project.ts';
import { hadContainers } from '../project/place/containers-copy.ts';
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
  /** Only those of containers. */
  readonly containers?: boolean;
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
  const contained = await containerLogs(project, names, options);
  const ofServices = names.filter((name) => !contained.services.includes(name));
  const isAlone = options.containers === true || (names.length > 0 && ofServices.length === 0);
  let services = isAlone ? [] : serviceLogs(project, ofServices);
  requireProject(project, services.length + contained.services.length > 0);
  const stopped = new AbortController();
  let exitCode: number = ExitCode.Ok;
  const out = openSlowWriter(1, () => {
    exitCode ||= codeOfLostReader();
    stopped.abort();
  });
  const print = lineWriter(out, options, [
    ...services.map(({ name }) => name),
    ...contained.services,
  ]);
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
  if (contained.services.length > 0) {
    const before = await contained.history(count, sinceMs);
    history.push(filtered(before[Symbol.iterator](), matches));
  }
  await print(mergeByTime(history), stopped.signal);
  if (follow && !stopped.signal.aborted) {
    const following = followLogs({
      folders: logFolders(project, services),
      readers() {
        services = isAlone ? [] : (currentServices(query, ofServices) ?? services);
        print.widen(services.map(({ name }) => name));
        return services.map(readerOf);
      },
      emit: (lines) => print(filtered(lines, matches), new AbortController().signal),
    });
    stopped.signal.addEventListener('abort', () => following.stop());
    const unwatch = watchStdout(1, out);
    const emit = (line: ServiceLine): void => {
      void print(filtered([line], matches), new AbortController().signal);
    };
    await Promise.all([following.done, contained.follow(emit, stopped.signal)]);
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
  widen(services: readonly string[]): void;
  /** True when a line was printed. */
  any(): boolean;
}

/** The logs of containers beside those of services. */
interface ContainerLogs {
  readonly services: readonly string[];
  history(lines: number | null, sinceMs: number | null): Promise<readonly ServiceLine[]>;
  follow(emit: (line: ServiceLine) => void, over: AbortSignal): Promise<void>;
}

const NO_CONTAINER_LOGS: ContainerLogs = {
  services: [],
  history: async () => [],
  follow: async () => {},
};

/** Finds the containers whose logs are wanted. A project that never had any asks nobody. */
async function containerLogs(
  { folder, outline }: OpenProject,
  names: readonly string[],
  { containers = false, color }: LogsOptions,
): Promise<ContainerLogs> {
  const isDeclared = outline.kind !== 'absent' && outline.hasContainers;
  if (!isDeclared && !hadContainers(folder) && !containers) return NO_CONTAINER_LOGS;
  const { findLoggedContainers } = await import('../containers/logs.ts');
  const found = await findLoggedContainers(folder, process.env);
  if ('why' in found) {
    const mark = themeFor(process.stderr, color).yellow('!');
    process.stderr.write(
      `${mark} the logs of containers cannot be read: ${printable(found.why)}\n`,
    );
    return NO_CONTAINER_LOGS;
  }
  const services = found.services.filter((name) => names.length === 0 || names.includes(name));
  return {
    services,
    history: async (lines, sinceMs) =>
      (await found.history(services, lines, sinceMs)).map(toServiceLine),
    follow: (emit, over) => found.follow(services, (line) => emit(toServiceLine(line)), over),
  };
}

function toServiceLine({ service, atMs, text }: ContainerLine): ServiceLine {
  const time = atMs === null ? null : { atMs, withinMs: 0 };
  return { service, time, text, position: 0, continues: false, partial: false };
}

function lineWriter(
  out: SlowWriter,
  { json, color, timestamps, prefix }: LogsOptions,
  services: readonly string[],
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
  const widen = (more: readonly string[]): void => printer.widen(more);
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
  const text = `no output of ${names || 'any service'} yet; ${DEVCTL} start begins it`;
  process.stderr.write(`${themeFor(process.stderr, options.color).yellow('!')} ${text}\n`);
}

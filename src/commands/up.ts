import { hasSucceeded, type ServiceChange } from '../client/protocol.ts';
import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { warningInWords } from '../limits/words.ts';
import { followLogs } from '../logs/follow.ts';
import { readLog } from '../logs/reader.ts';
import { logFolders, serviceLogs } from '../logs/services.ts';
import { openLogSource } from '../logs/source.ts';
import { tolerantReader } from '../logs/tolerant-reader.ts';
import { loadManifest } from '../manifest/load.ts';
import { choicesOf, selectForStart, selectServices } from '../manifest/select.ts';
import { definedOnly } from '../manifest/variables.ts';
import { upProject } from '../operations/up/up.ts';
import type { UpVerdict } from '../operations/up/verdict.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { jsonLine } from '../output/terminal/json.ts';
import { createLogPrinter } from '../output/terminal/log-printer.ts';
import { readyOutcome } from '../output/terminal/progress.ts';
import { openSlowWriter } from '../output/terminal/slow-writer.ts';
import { colorEnabled, themeFor } from '../output/terminal/theme.ts';
import { printableLines } from '../output/terminal/width.ts';
import { printStopReport } from '../output/text/stop.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject } from '../project/open-project.ts';
import type { StopReport } from '../stopping/report.ts';
import { lineToJson, lineToText } from './log-line.ts';
import { stopProgress } from './stop-progress.ts';
import { watchStdout } from './watch-stdout.ts';
import { yieldLock } from './yield-lock.ts';

export interface UpCommandOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly timestamps?: boolean;
  readonly prefix?: boolean;
  readonly exitCodeFrom?: string;
  readonly abortOnExit?: boolean;
}

/** `devctl up`: start, logs, and stop in one foreground command; see the README for its exit codes. */
export async function upCommand(
  names: readonly string[],
  options: UpCommandOptions,
): Promise<number> {
  const query = { cwd: process.cwd(), config: options.config };
  const manifest = loadManifest(query);
  const choices = choicesOf(manifest);
  const selected = selectForStart(choices, names);
  const { exitCodeFrom = null, json = false } = options;
  if (exitCodeFrom !== null && !selected.includes(exitCodeFrom)) {
    throw new DevctlError('usage', `--exit-code-from ${exitCodeFrom}: it is not started here`, {
      hint: `one of: ${selected.join(', ')}`,
    });
  }
  const project = openProject(query);
  const color = colorEnabled(process.stdout, options.color);
  const look = { color, prefix: options.prefix ?? true, times: options.timestamps ?? false };
  const printer = createLogPrinter(look);
  const notes = themeFor(process.stderr, options.color);
  const notePrinter = createLogPrinter({ ...look, color: notes.enabled });
  for (const one of [printer, notePrinter]) one.widen([...selected, 'devctl']);
  const note = (text: string): void =>
    void process.stderr.write(notePrinter.note('devctl', printableLines(text)));
  const warn = (text: string): void => {
    const line = `${notes.yellow('!')} ${printableLines(text)}`;
    process.stderr.write(notePrinter.note('devctl', line));
  };
  const named = names.length === 0 ? [] : selectServices(choices, names);
  const isOurs = (name: string): boolean => names.length === 0 || named.includes(name);

  const { asked, forced, ask } = listenForEnds(note);
  const out = openSlowWriter(1, (failure) =>
    ask(
      failure === null
        ? { why: 'nobody reads its output', code: ExitCode.Ok }
        : { why: 'its output cannot be written', code: ExitCode.Failed },
    ),
  );
  const unwatch = watchStdout(1, out);
  const over = yieldLock(options);
  const services = serviceLogs(project, selected);
  const readers = services.map(({ name, log }) =>
    tolerantReader(readLog(openLogSource(project.folder, name, log)), warn),
  );
  for (const reader of readers) reader.skip();
  let watch: ReturnType<typeof stopProgress> | undefined;
  const following = followLogs({
    folders: logFolders(project, services),
    readers: () => readers,
    emit: (lines) =>
      out.write(
        lines
          .map((line) => (json ? lineToJson(line, { type: 'line' }) : lineToText(printer, line)))
          .join(''),
      ),
  });
  try {
    const { verdict, report } = await upProject(openHost(), project, manifest, {
      names: selected,
      everything: names.length === 0,
      named,
      exitCodeFrom,
      abortOnExit: options.abortOnExit ?? false,
      env: definedOnly(process.env),
      listen: (change) => {
        following.wake();
        if (json) void out.write(jsonLine(change));
        else tell(note, change);
      },
      breached: (breach) => {
        if (json) void out.write(jsonLine({ type: 'breach', breach }));
        // What is ended or started again says why.
        else if (breach.action === 'warn') warn(`over its limit: ${warningInWords(breach)}`);
      },
      started: ({ services: all }) => {
        if (json) return;
        const running = all.filter(({ alreadyRunning }) => alreadyRunning).map(({ name }) => name);
        const [end, stay] = [running.filter(isOurs), running.filter((name) => !isOurs(name))];
        if (end.length > 0) note(`ran before, ends with this as well: ${end.join(', ')}`);
        if (stay.length > 0) note(`ran before, goes on after this: ${stay.join(', ')}`);
        note(`${all.filter(hasSucceeded).length} of ${all.length} services are up`);
      },
      ending: (why) => note(`${why}: stopping`),
      warn,
      asked,
      forced,
      watch: (living) => {
        // Its time begins with the stop.
        watch ??= stopProgress();
        watch(living);
      },
    });
    over();
    following.stop();
    await following.done;
    const code = codeOf(verdict, report);
    if (json)
      await out.write(jsonLine({ type: 'report', why: verdict.why, exitCode: code, report }));
    else printStopReport(report, options.color, process.stderr);
    return code;
  } finally {
    over();
    following.stop();
    await following.done;
    unwatch();
  }
}

/** What is left counts more than why it ended. */
function codeOf(verdict: UpVerdict, report: StopReport): number {
  if (report.survivors.length > 0) return ExitCode.Survivors;
  return report.ports.some(({ free }) => !free) ? ExitCode.Stranger : verdict.code;
}

/** The first signal asks for a stop; one more, of whichever kind, kills what is left. */
function listenForEnds(note: (text: string) => void) {
  let count = 0;
  let ask = (_: UpVerdict): void => {};
  const asked = new Promise<UpVerdict>((resolve) => {
    ask = resolve;
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      count += 1;
      const code = exitCodeOf(signal);
      // The terminal has shown a ^C.
      if (signal === 'SIGINT' && process.stderr.isTTY) process.stderr.write('\n');
      if (count === 1) ask({ why: signal === 'SIGINT' ? 'interrupted' : signal, code });
      else if (count === 2) note('killing what is left');
    });
  }
  return { asked, ask: (verdict: UpVerdict) => ask(verdict), forced: () => count > 1 };
}

function tell(
  note: (text: string) => void,
  { service, from, to, reason, pid, oneShot, afterMs }: ServiceChange,
): void {
  const after = afterMs > 0 ? ` after ${formatDuration(afterMs)}` : '';
  const number = pid === null ? '' : ` (pid ${pid})`;
  switch (to) {
    case 'ready':
      note(`${service} ${afterMs > 0 ? readyOutcome(afterMs, pid) : `ready${number}`}`);
      return;
    case 'running':
      note(`${service} running${after}${number}`);
      return;
    case 'idle':
      if (from === 'stopping') note(`${service} was stopped`);
      return;
    case 'clearing':
      // Once more with the exit of what is being ended.
      if (from !== 'clearing') note(`${service}: ${reason}`);
      return;
    case 'waiting':
    case 'backoff':
    case 'spawning':
    case 'starting':
    case 'cancelling':
    case 'stopping':
      return;
    case 'exited':
      note(oneShot ? `${service} done${after}` : `${service} exited: ${reason}`);
      return;
    default:
      note(`${service} ${to}${reason === null ? '' : `: ${reason}`}`);
  }
}

import { join } from 'node:path';
import { hasSucceeded, type ServiceChange } from '../client/protocol.ts';
import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { breachInWords, warningInWords } from '../limits/words.ts';
import { followLogs, type LogFollower } from '../logs/follow.ts';
import { readLog, type ServiceLine } from '../logs/reader.ts';
import { logFolders, type ServiceLog, serviceLogs } from '../logs/services.ts';
import { openLogSource } from '../logs/source.ts';
import { tolerantReader } from '../logs/tolerant-reader.ts';
import { loadManifest } from '../manifest/load.ts';
import type { ResolvedManifest } from '../manifest/resolved.ts';
import {
  choicesOf,
  isContainersAlone,
  selectForStart,
  selectServices,
} from '../manifest/select.ts';
import { definedOnly } from '../manifest/variables.ts';
import type { StartResult } from '../operations/start/result.ts';
import type { UpOptions } from '../operations/up/options.ts';
import { upProject } from '../operations/up/up.ts';
import type { UpVerdict } from '../operations/up/verdict.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { jsonLine } from '../output/terminal/json.ts';
import { createLogPrinter, type LogLook, type LogPrinter } from '../output/terminal/log-printer.ts';
import { codeOfLostReader } from '../output/terminal/lost-output.ts';
import { readyOutcome } from '../output/terminal/progress.ts';
import { openSlowWriter, type SlowWriter } from '../output/terminal/slow-writer.ts';
import { colorEnabled, isSeen, themeFor } from '../output/terminal/theme.ts';
import { printableLines } from '../output/terminal/width.ts';
import { printStopReport } from '../output/text/stop.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';
import { logsFolderOf } from '../project/folder.ts';
import { manifestQuery, type OpenProject, openProject } from '../project/open-project.ts';
import { terminalMessage } from '../services/hooks/desktop.ts';
import type { StopReport } from '../stopping/report.ts';
import { failureHints } from './failure-hint.ts';
import { lineToJson, lineToText } from './log-line.ts';
import { changeLines, markedNames } from './start.ts';
import { stopProgress } from './stop-progress.ts';
import { sweepAnnouncement } from './sweep-announcement.ts';
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
  readonly yes?: boolean;
}

/**
 * Runs `devctl up`: starts services, shows their logs, and stops them at its end. docs/up.md has its exit
 * codes.
 */
export async function upCommand(
  names: readonly string[],
  options: UpCommandOptions,
): Promise<number> {
  const query = { config: options.config };
  const project = openProject(query);
  const manifest = await manifestToRun(project, options);
  if (manifest === null) return ExitCode.Failed;
  if (isContainersAlone(manifest)) {
    throw new DevctlError(
      'usage',
      `up stays with services, and ${manifest.file} has containers alone`,
      {
        hint: `bring them up: ${DEVCTL} start; see what they write: ${DEVCTL} logs --follow`,
      },
    );
  }
  const choices = choicesOf(manifest);
  const selected = selectForStart(choices, names);
  const { exitCodeFrom } = options;
  if (exitCodeFrom !== undefined && !selected.includes(exitCodeFrom)) {
    throw new DevctlError('usage', `--exit-code-from ${exitCodeFrom}: it is not started here`, {
      hint: Object.hasOwn(manifest.services, exitCodeFrom)
        ? `start it, too: ${DEVCTL} up ${[...(names.length > 0 ? names : selected), exitCodeFrom].join(' ')} --exit-code-from ${exitCodeFrom}`
        : `one of: ${selected.join(', ')}`,
    });
  }
  const named = names.length === 0 ? null : selectServices(choices, names);
  const announcement = sweepAnnouncement(project);
  return new Up({ project, manifest, selected, named, announcement }, options).run();
}

/** The manifest; where there is none, what is found in the folder. Null: the user does not want that. */
async function manifestToRun(
  project: OpenProject,
  options: UpCommandOptions,
): Promise<ResolvedManifest | null> {
  const { outline, shownBy } = project;
  const query = { config: options.config };
  if (outline.kind !== 'absent' || shownBy !== undefined || options.config !== undefined)
    return loadManifest(manifestQuery(project, query));
  return (await import('./manifests/propose-once.ts')).proposeOnce(project, options);
}

interface UpScope {
  readonly project: OpenProject;
  readonly manifest: ResolvedManifest;
  /** The services to start: the named ones, and what they depend on. */
  readonly selected: readonly string[];
  /** The services that the user named; null when there are none, which means all. */
  readonly named: readonly string[] | null;
  /** Words about the sweep at its end, which only a first session says; null: none. */
  readonly announcement: string | null;
}

class Up {
  readonly #scope: UpScope;
  readonly #options: UpCommandOptions;
  readonly #notes: Notes;
  readonly #printer: LogPrinter;
  readonly #ends: EndRequests;
  readonly #out: SlowWriter;
  readonly #unwatchStdout: () => void;
  readonly #endYield: () => void;
  readonly #following: LogFollower;
  /** Set when the stop begins, because its time counts from there. */
  #stopProgress: ReturnType<typeof stopProgress> | undefined;

  constructor(scope: UpScope, options: UpCommandOptions) {
    this.#scope = scope;
    this.#options = options;
    const look = { prefix: options.prefix ?? true, times: options.timestamps ?? false };
    this.#notes = createNotes(look, options.color);
    const color = colorEnabled(process.stdout, options.color);
    this.#printer = createLogPrinter({ ...look, color });
    const columns = [...scope.selected, 'devctl'];
    this.#printer.widen(columns);
    this.#notes.widen(columns);
    this.#ends = listenForEnds(this.#notes.note);
    this.#out = openSlowWriter(1, (failure) =>
      this.#ends.ask(
        failure === null
          ? { why: 'nobody reads its output', code: codeOfLostReader() }
          : { why: 'its output cannot be written', code: ExitCode.Failed },
      ),
    );
    this.#unwatchStdout = watchStdout(1, this.#out);
    this.#endYield = yieldLock(options);
    this.#following = this.#followNewLines();
  }

  async run(): Promise<number> {
    const { project, manifest } = this.#scope;
    try {
      const { verdict, report } = await upProject(openHost(), project, manifest, this.#upOptions());
      this.#endYield();
      this.#following.stop();
      await this.#following.done;
      return await this.#printEnd(verdict, report);
    } finally {
      this.#endYield();
      this.#following.stop();
      await this.#following.done;
      this.#unwatchStdout();
    }
  }

  #followNewLines(): LogFollower {
    const { project, manifest, selected } = this.#scope;
    const services = logsOf(project, manifest, selected);
    const readers = services.map(({ name, log }) =>
      tolerantReader(readLog(openLogSource(project.folder, name, log)), this.#notes.warn),
    );
    for (const reader of readers) reader.skip();
    return followLogs({
      folders: logFolders(project, services),
      readers: () => readers,
      emit: (lines) => this.#out.write(lines.map((line) => this.#lineToOutput(line)).join('')),
    });
  }

  #lineToOutput(line: ServiceLine): string {
    return this.#options.json
      ? lineToJson(line, { type: 'line' })
      : lineToText(this.#printer, line);
  }

  #upOptions(): UpOptions {
    const { selected, named } = this.#scope;
    const { json = false, exitCodeFrom = null, abortOnExit = false } = this.#options;
    const { note, warn } = this.#notes;
    return {
      names: selected,
      everything: named === null,
      named: named ?? [],
      exitCodeFrom,
      abortOnExit,
      env: definedOnly(process.env),
      onTerminal: isSeen(process.stdout, this.#options.color),
      onChange: (change) => {
        this.#following.wake();
        if (json) void this.#out.write(jsonLine(change));
        else noteChange(note, change);
        const { service, to, reason, blockedBy } = change;
        if (to === 'failed' && blockedBy.length === 0) this.#showMessage('failed', service, reason);
      },
      onBreach: (breach) => {
        if (json) void this.#out.write(jsonLine({ type: 'breach', breach }));
        // The end or the restart of a service says why by itself.
        else if (breach.action === 'warn') warn(`over its limit: ${warningInWords(breach)}`);
        this.#showMessage('limit', breach.service, breachInWords(breach));
      },
      onStarted: (result) => {
        if (!json) this.#noteStarted(result);
      },
      onEnding: (why) => note(`${why}: stopping`),
      warn,
      askedToEnd: this.#ends.asked,
      forced: this.#ends.forced,
      onScan: (living) => {
        this.#stopProgress ??= stopProgress();
        this.#stopProgress(living);
      },
    };
  }

  /** Has the terminal show a message on its desktop, where the manifest wants that. */
  #showMessage(name: 'failed' | 'limit', service: string | null, reason: string | null): void {
    const { notify, name: project } = this.#scope.manifest;
    if (notify !== 'desktop' || !process.stderr.isTTY) return;
    const event = { name, service, reason, exit: null, atMs: Date.now() };
    process.stderr.write(terminalMessage(event, project));
  }

  #noteStarted({ services, changed }: StartResult): void {
    const { named, announcement, manifest } = this.#scope;
    const { note } = this.#notes;
    const running = services.filter(({ alreadyRunning }) => alreadyRunning).map(({ name }) => name);
    const endsWithUp = (name: string): boolean => named === null || named.includes(name);
    const ending = running.filter(endsWithUp);
    const staying = running.filter((name) => !endsWithUp(name));
    if (ending.length > 0)
      note(`ran before, ends with this as well: ${markedNames(ending, changed)}`);
    if (staying.length > 0)
      note(`ran before, goes on after this: ${markedNames(staying, changed)}`);
    for (const line of changeLines(changed)) note(line);
    note(`${services.filter(hasSucceeded).length} of ${services.length} services are up`);
    for (const hint of failureHints({ services }, manifest)) note(`→ ${hint}`);
    if (announcement !== null) note(announcement);
  }

  async #printEnd(verdict: UpVerdict, report: StopReport): Promise<number> {
    const { json, color } = this.#options;
    const exitCode = codeOf(verdict, report);
    if (json)
      await this.#out.write(jsonLine({ type: 'report', why: verdict.why, exitCode, report }));
    else printStopReport(report, color, process.stderr);
    return exitCode;
  }
}

/** The logs of the services. Without a manifest nothing but this session knows them. */
function logsOf(
  project: OpenProject,
  manifest: ResolvedManifest,
  selected: readonly string[],
): readonly ServiceLog[] {
  if (project.outline.kind !== 'absent') return serviceLogs(project, selected);
  const folder = logsFolderOf(project.folder, manifest);
  return selected.map((name) => ({ name, log: join(folder, `${name}.log`) }));
}

/** Prints lines of devctl's own on stderr, beside those of the services. */
interface Notes {
  readonly widen: (names: readonly string[]) => void;
  readonly note: (text: string) => void;
  readonly warn: (text: string) => void;
}

function createNotes(look: Omit<LogLook, 'color'>, color: boolean | undefined): Notes {
  const theme = themeFor(process.stderr, color);
  const printer = createLogPrinter({ ...look, color: theme.enabled });
  const print = (text: string): void => {
    process.stderr.write(printer.note('devctl', text));
  };
  return {
    widen: (names) => printer.widen(names),
    note: (text) => print(printableLines(text)),
    warn: (text) => print(`${theme.yellow('!')} ${printableLines(text)}`),
  };
}

/** Picks the exit code: survivors and taken ports count more than the reason why `up` ended. */
function codeOf(verdict: UpVerdict, report: StopReport): number {
  if (report.survivors.length > 0 || report.containers?.left) return ExitCode.Survivors;
  return report.ports.some(({ free }) => !free) ? ExitCode.Stranger : verdict.code;
}

/** Requests to end `up`, from signals and from its output. */
interface EndRequests {
  /** Resolves with the first request. */
  readonly asked: Promise<UpVerdict>;
  readonly ask: (verdict: UpVerdict) => void;
  /** Answers whether more than one signal has come. */
  readonly forced: () => boolean;
}

/** Listens for signals: the first one asks for a stop, the next one, of whichever kind, kills what is left. */
function listenForEnds(note: (text: string) => void): EndRequests {
  let count = 0;
  let ask = (_: UpVerdict): void => {};
  const asked = new Promise<UpVerdict>((resolve) => {
    ask = resolve;
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      count += 1;
      const code = exitCodeOf(signal);
      // The line break is for the ^C that the terminal has shown.
      if (signal === 'SIGINT' && process.stderr.isTTY) process.stderr.write('\n');
      if (count === 1) ask({ why: signal === 'SIGINT' ? 'interrupted' : signal, code });
      else if (count === 2) note('killing what is left');
    });
  }
  return { asked, ask: (verdict: UpVerdict) => ask(verdict), forced: () => count > 1 };
}

function noteChange(
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
      // A second change to `clearing` brings the exit of the process that is being ended.
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

import { hasSucceeded, type ServiceChange } from '../client/protocol.ts';
import type { StartedService } from '../client/started-service.ts';
import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { readEvents } from '../history/read.ts';
import { usualStartMs } from '../history/usual.ts';
import { warningInWords } from '../limits/words.ts';
import type { ResolvedManifest } from '../manifest/resolved.ts';
import { choicesOf, isContainersAlone, selectForStart } from '../manifest/select.ts';
import { definedOnly } from '../manifest/variables.ts';
import { loadStartable, type StartableProject } from '../operations/start/ad-hoc.ts';
import { toLease } from '../operations/start/lease.ts';
import type { ChangedService, StartResult } from '../operations/start/result.ts';
import { startProject } from '../operations/start/start.ts';
import { type ServiceUrl, startedUrls } from '../operations/status/urls.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printJson } from '../output/terminal/json.ts';
import { canSpin, openProgress } from '../output/terminal/open-progress.ts';
import { type Progress, readyOutcome } from '../output/terminal/progress.ts';
import { colorEnabled, isSeen, themeFor } from '../output/terminal/theme.ts';
import { urlLines } from '../output/terminal/urls.ts';
import { printable, printableLines } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import type { Host } from '../processes/host.ts';
import { openHost } from '../processes/real-host.ts';
import { type OpenProject, openProject } from '../project/open-project.ts';
import { missingProgram } from '../services/launch/spawn-failure.ts';
import { settleTimeMs } from '../services/lifecycle/settle.ts';
import { isUp } from '../services/lifecycle/states.ts';
import { composeNotes, showContainer } from './containers/progress.ts';
import { printHints } from './failure-hint.ts';
import { printLastLines } from './last-lines.ts';
import { type LeaseOptions, leasesInWords, leaseWish } from './options/lease-options.ts';
import { sweepAnnouncement } from './sweep-announcement.ts';
import { yieldLock } from './yield-lock.ts';

export interface StartCommandOptions extends LeaseOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly abortOnFailure?: boolean;
  readonly containers?: boolean;
}

/** Runs `devctl start`. Exits when every requested service is up, or with 1 when one is not. */
export async function startCommand(
  names: readonly string[],
  options: StartCommandOptions,
): Promise<number> {
  refuseAsProcessOne();
  const query = { config: options.config };
  const project = openProject(query);
  const startable = loadStartable(project, query);
  if (names.length === 0 && isContainersAlone(startable.manifest))
    return (await import('./containers/up.ts')).startContainersOnly(names, options);
  refuseCommand(names, startable.manifest);
  const selected = selectForStart(choicesOf(startable.manifest), names);
  const containers = names.length === 0 ? 'all' : 'needed';
  return startSelected(project, startable, selected, { ...options, wanted: containers });
}

/**
 * Refuses the words of a command, where its first one is a program and no service.
 *
 * @throws DevctlError 'service-unknown'
 */
function refuseCommand(
  names: readonly string[],
  { services, groups, root }: ResolvedManifest,
): void {
  const [program = ''] = names;
  const isKnown = Object.hasOwn(services, program) || Object.hasOwn(groups, program);
  const place = { cwd: root, env: definedOnly(process.env) };
  if (names.length < 2 || isKnown || missingProgram([program], place) !== null) return;
  throw new DevctlError('service-unknown', `no service or group is called "${program}"`, {
    hint: `to start that command as a service: ${DEVCTL} start NAME -- ${names.join(' ')}`,
  });
}

/** How `startSelected` differs between its callers. */
interface SelectedOptions extends StartCommandOptions {
  /** The containers that come up before them. Default: those that they need. */
  readonly wanted?: 'all' | 'needed';
  /** Called with the result before it is printed. An error of it is the failure of the command. */
  readonly check?: (result: StartResult) => void;
}

/** Starts services, shows how that goes, and prints the result. */
export async function startSelected(
  project: OpenProject,
  { folder, manifest }: StartableProject,
  selected: readonly string[],
  options: SelectedOptions,
): Promise<number> {
  const host = openHost();
  const announcement = sweepAnnouncement(project);
  const lease = await toLease(host, leaseWish(options));
  const progress = openProgress({ color: options.color });
  const beganAtMs = Date.now();
  progress.expect(selected.length, () => usualStartMs(readEvents(folder), selected, beganAtMs));
  // On a terminal the user has already seen the reason. In a script, the line with the cross must stand
  // beside the log.
  const onTerminal = canSpin(process.stderr, process.env);
  const reasonsShown = new Map<string, string | null>();
  const onInterrupt = (): void => {
    progress.close();
    const message = `interrupted: what was started goes on running; ${DEVCTL} stop ends it`;
    process.stderr.write(`\n${message}\n`);
    if (options.json) printJson({ error: { code: 'interrupted', message, hint: null } });
    process.exit(exitCodeOf('SIGINT'));
  };
  process.once('SIGINT', onInterrupt);
  const endYield = yieldLock(options);
  try {
    const result = await startProject(host, folder, manifest, {
      names: selected,
      abortOnFailure: options.abortOnFailure ?? false,
      containers: options.wanted ?? 'needed',
      onContainer: (change) => showContainer(progress, change),
      onComposeLine: composeNotes(progress),
      lease,
      env: definedOnly(process.env),
      onTerminal: isSeen(process.stdout, options.color),
      onChange(change) {
        if (onTerminal && TROUBLE_STATES.has(change.to))
          reasonsShown.set(change.service, change.reason);
        const service = manifest.services[change.service];
        showChange(progress, change, onTerminal && service ? settleTimeMs(service) : 0);
      },
      warn: (line) => progress.note(`! ${line}`),
    });
    progress.close();
    options.check?.(result);
    const urls = await urlsOfStart(host, project, result);
    if (options.json) printJson({ ok: allUp(result), ...result, urls });
    else {
      printSummary(result, options.color, reasonsShown);
      printUrls(urls, options.color);
      printHints(result, manifest);
      if (announcement !== null) process.stdout.write(`${announcement}\n`);
      if (selected.some((name) => manifest.services[name]?.adHoc))
        process.stdout.write(`to keep it in a manifest: ${DEVCTL} save\n`);
    }
    return allUp(result) ? ExitCode.Ok : ExitCode.Failed;
  } finally {
    progress.close();
    process.off('SIGINT', onInterrupt);
    endYield();
  }
}

/** Finds the URLs of the services that are up after a start. */
export function urlsOfStart(
  host: Host,
  project: OpenProject,
  { services }: StartResult,
): Promise<readonly ServiceUrl[]> {
  const up = services.filter(({ state }) => isUp(state)).map(({ name }) => name);
  return startedUrls(host, project, up);
}

export function printUrls(urls: readonly ServiceUrl[], color: boolean | undefined): void {
  for (const line of urlLines(urls, themeFor(process.stdout, color)))
    process.stdout.write(`  ${line}\n`);
}

/** States for which `showChange` prints a reason. */
const TROUBLE_STATES: ReadonlySet<string> = new Set(['failed', 'exited', 'unhealthy']);

/**
 * Refuses to run as process 1, as in `docker run IMAGE devctl start`, because the kernel ends all services
 * together with process 1.
 */
export function refuseAsProcessOne(): void {
  if (process.pid !== 1) return;
  const what =
    'devctl start is process 1 here: with its end the kernel ends all that it has started';
  throw new DevctlError('start-failed', what, {
    hint: 'let an init or a shell that stays be process 1, for example with "docker run --init"',
  });
}

/**
 * Shows a change of one service while it happens.
 *
 * @param settleMs how long a service must live until it counts as up, for people. Scripts rely on the line without it
 */
export function showChange(
  progress: Progress,
  { service, from, to, reason, answer, pid, oneShot, blockedBy, afterMs }: ServiceChange,
  settleMs = 0,
): void {
  const until = settleMs > 0 ? `, up when it has lasted ${formatDuration(settleMs)}` : '';
  switch (to) {
    case 'spawning':
      progress.pending(service, 'starting');
      return;
    case 'starting':
      if (answer !== null) progress.answered(service, answer);
      else if (from === 'starting' && reason !== null) progress.note(`! ${reason}`);
      else progress.pending(service, 'waiting for');
      return;
    case 'clearing':
      // A second change to `clearing` brings the exit of the process that is being ended.
      if (from !== 'clearing') progress.note(`! ${service}: ${reason}`);
      return;
    case 'running':
      if (oneShot) progress.pending(service, 'running');
      else
        progress.succeeded(
          service,
          `running after ${formatDuration(afterMs)} (pid ${pid})${until}`,
        );
      return;
    case 'ready':
      progress.succeeded(service, readyOutcome(afterMs, pid));
      return;
    case 'failed':
    case 'exited':
    case 'unhealthy':
      if (oneShot && to === 'exited')
        progress.succeeded(service, `done after ${formatDuration(afterMs)}`);
      else
        progress.failed(service, blockedBy.length > 0 ? `blocked (${reason})` : `${to}: ${reason}`);
      return;
    default:
      return;
  }
}

/** True when every requested service is up. */
export function allUp({ services }: StartResult): boolean {
  return services.every(hasSucceeded);
}

/** Prints what the progress has not said: which services ran before, why a service failed, what to do next. */
export function printSummary(
  { services, aborted, abandoned, changed, leases, breaches }: StartResult,
  color: boolean | undefined,
  reasonsShown: ReadonlyMap<string, string | null> = new Map(),
): void {
  const { stderr, stdout } = process;
  const before = services.filter(({ alreadyRunning }) => alreadyRunning);
  const runningBefore = before.filter(({ done }) => !done).map(({ name }) => name);
  const doneBefore = before.filter(({ done }) => done).map(({ name }) => name);
  const marked = (names: readonly string[]): string => markedNames(names, changed);
  if (runningBefore.length > 0) stderr.write(`already running: ${marked(runningBefore)}\n`);
  if (doneBefore.length > 0) stderr.write(`already done: ${marked(doneBefore)}\n`);
  for (const line of changeLines(changed)) stderr.write(`  ${line}\n`);
  for (const breach of breaches)
    stderr.write(`! over its limit: ${printable(warningInWords(breach))}\n`);
  const ends = leasesInWords(leases);
  const failed = services.filter((one) => !hasSucceeded(one));
  for (const service of failed) {
    if (aborted.includes(service.name)) continue;
    const isShown = reasonsShown.get(service.name) === service.reason;
    printFailedService(service, isShown, colorEnabled(stderr, color));
  }
  const up = services.length - failed.length;
  if (failed.length === 0) {
    stdout.write(`${up} of ${services.length} services are up. Stop them with: ${DEVCTL} stop\n`);
    if (ends) stdout.write(`${ends}\n`);
    return;
  }
  if (abandoned) {
    stdout.write(`${up} of ${services.length} services were up when the start was given up\n`);
    stderr.write(`  → ${DEVCTL} status shows what is left\n`);
    return;
  }
  stdout.write(`${up} of ${services.length} services are up\n`);
  if (aborted.length > 0) stderr.write(`stopped again: ${aborted.join(', ')}\n`);
  if (services.some(({ pid, state }) => isUp(state) || (state === 'unhealthy' && pid !== null)))
    stderr.write(`  → what runs goes on running; ${DEVCTL} stop ends it\n`);
  if (failed.some(({ state }) => state === 'clearing' || state === 'backoff'))
    stderr.write(`  → what ends again and again is tried on; ${DEVCTL} status shows how it goes\n`);
}

/** Lists names, with a mark at those that run on as they were defined before. */
export function markedNames(names: readonly string[], changed: readonly ChangedService[]): string {
  return names
    .map((name) => (changed.some((one) => one.service === name) ? `${name} (changed)` : name))
    .join(', ');
}

/** Says what has changed in the manifest since services were started, and what to do; nothing where nothing has. */
export function changeLines(changed: readonly ChangedService[]): readonly string[] {
  if (changed.length === 0) return [];
  const which = changed.map(({ service, keys }) => `${service} (${keys.join(', ')})`).join(', ');
  return [
    `changed since they were started: ${printable(which)}`,
    `→ ${DEVCTL} start --apply restarts what has changed`,
  ];
}

function printFailedService(
  { name, state, reason, blockedBy, lastLines, log }: StartedService,
  isShown: boolean,
  colors: boolean,
): void {
  const { stderr } = process;
  const why = printableLines(reason ?? state);
  if (!isShown) stderr.write(`✗ ${name}: ${blockedBy.length > 0 ? `blocked (${why})` : why}\n`);
  if (state === 'exited') stderr.write('  → if that is its task: "oneShot": true\n');
  printLastLines(lastLines, log, colors);
}

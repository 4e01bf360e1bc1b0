import type { StartedService } from '../../client/started-service.ts';
import type { StopReport } from '../../stopping/report.ts';
import { formatDuration } from '../terminal/durations.ts';
import { formatPort } from '../terminal/port.ts';
import type { Action, Outcome, Verb } from './model.ts';

/** The result of the command that carried out an action. */
export interface CommandResult {
  readonly code: number | null;
  readonly document: unknown;
  readonly lastLine: string;
}

const IN_WORDS: Readonly<Record<Verb, string>> = {
  start: 'starting',
  stop: 'stopping',
  restart: 'restarting',
};

export function actionInWords({ verb, service }: Action): string {
  return `${IN_WORDS[verb]} ${service}`;
}

/** Describes the result of an action in one line: the processes that ended, the proof, and what came up. */
export function outcomeOf({ verb, service }: Action, result: CommandResult): Outcome {
  const document = result.document as Partial<CommandDocument> | undefined;
  if (document?.error) {
    const { message, hint } = document.error;
    return { good: false, text: `${service}: ${message}${hint ? ` → ${hint}` : ''}` };
  }
  if (verb === 'stop' && isReport(document)) return stopOutcome(service, document);
  if (verb === 'start' && document?.services) {
    return startOutcome(service, document.services as readonly StartedService[]);
  }
  if (verb === 'restart' && document?.stop) {
    const stop = stopOutcome(service, document.stop);
    const started = document.start?.services;
    if (!started) return stop;
    const { processes } = document.stop;
    const start = startOutcome(service, started);
    const ended = processes.length > 0 ? endedInWords(document.stop) : 'was not running';
    // The name of the service stands once: `web: 5 ended, 0 left (proof complete); ready after 1.2 s (pid
    // 123)`.
    const up = start.text.startsWith(`${service} `)
      ? start.text.slice(service.length + 1)
      : start.text;
    return { good: start.good && stop.good, text: `${service}: ${ended}; ${up}` };
  }
  const how = result.code === null ? 'was ended' : `ended with exit code ${result.code}`;
  const why = result.lastLine === '' ? '' : `: ${result.lastLine}`;
  return { good: false, text: `${service}: devctl ${verb} ${how}${why}` };
}

/** The documents that the commands print with --json. The same version of devctl wrote them. */
interface CommandDocument {
  readonly error: { readonly message: string; readonly hint: string | null };
  readonly services: unknown;
  readonly stop: StopReport;
  readonly start: { readonly services: readonly StartedService[] } | null;
}

function isReport(value: unknown): value is StopReport {
  return value instanceof Object && 'survivors' in value && 'proof' in value;
}

function stopOutcome(service: string, report: StopReport): Outcome {
  const { survivors, processes, tookMs, ports } = report;
  if (survivors.length > 0) {
    const pids = survivors.map(({ pid }) => pid).join(', ');
    return { good: false, text: `${service}: ${survivors.length} left (pid ${pids})` };
  }
  const taken = ports.find(({ free }) => !free);
  const port = taken ? `, but port ${formatPort(taken)} is not free` : '';
  const what =
    processes.length === 0
      ? `${service} was not running`
      : `${service} stopped in ${formatDuration(tookMs)}: ${endedInWords(report)}`;
  return { good: !taken, text: `${what}${port}` };
}

/** Describes the end of processes: `5 ended, 0 left (proof complete)`. */
function endedInWords({ processes, proof }: StopReport): string {
  const killed = processes.filter(({ endedBy }) => endedBy === 'SIGKILL').length;
  const how = killed > 0 ? ` (${killed} killed)` : '';
  const strength = proof.strength === 'complete' ? 'proof complete' : 'best effort';
  return `${processes.length} ended${how}, 0 left (${strength})`;
}

function startOutcome(service: string, all: readonly StartedService[]): Outcome {
  const failed = all.find(({ state, done }) => !done && state !== 'ready' && state !== 'running');
  if (failed) {
    const why = failed.reason ?? failed.state;
    return { good: false, text: `${failed.name} is not up: ${why.split('\n')[0] ?? ''}` };
  }
  const own = all.find(({ name }) => name === service);
  if (!own) return { good: true, text: `${service} is up` };
  if (own.done) return { good: true, text: `${service} is done` };
  if (own.alreadyRunning) return { good: true, text: `${service} was running already` };
  const pid = own.pid === null ? '' : ` (pid ${own.pid})`;
  return { good: true, text: `${service} ${own.state} after ${formatDuration(own.tookMs)}${pid}` };
}

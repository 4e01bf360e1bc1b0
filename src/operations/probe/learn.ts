import type { ProposedService } from '../../init/proposal.ts';

/** A port that a service has opened, and how it answered a GET of `/`. */
export interface SeenPort {
  readonly port: number;
  /** The status; null: no answer of HTTP. */
  readonly status: number | null;
}

/** The facts that one run of a service has shown. */
export interface ShownByRun {
  /** Null: it came up. Else why not. */
  readonly failure: string | null;
  readonly ports: readonly SeenPort[];
  readonly lines: readonly string[];
  /** How long it took to end after SIGTERM, in ms; null: it had to be killed. */
  readonly endedAfterMs: number | null;
  /** True where SIGTERM ended nothing and SIGINT did. */
  readonly needsInterrupt: boolean;
}

/** Ports that tools open for themselves: debuggers, hot reload, live reload. A start would wait for them. */
const OF_TOOLS: ReadonlySet<number> = new Set([
  5858, 9222, 9229, 9230, 9231, 9232, 24678, 24679, 35729, 35730,
]);

/** The answer of a server that takes WebSockets alone, as hot reload has it (RFC 9110: Upgrade Required). */
const UPGRADE_REQUIRED = 426;

/** A service that takes longer to end is given twice its time. */
const SLOW_END_MS = 1_500;

const READY_LINE =
  /\b(?:ready|listening|started|running (?:at|on)|watching|waiting for|compiled|serving)\b/i;

/**
 * Adds what a run has shown to a proposed service.
 *
 * @param ephemeralFrom the first port that the system gives away by itself: a port from there on is another one at each
 *   start
 */
export function learn(
  service: ProposedService,
  seen: ShownByRun,
  ephemeralFrom: number,
): ProposedService {
  if (seen.failure !== null)
    return withNotes(service, [`probe: it did not come up: ${seen.failure}`]);
  const stop = stopOf(service, seen);
  const withStop = stop === null ? service : { ...service, stop };
  if (service.oneShot) return withNotes(withStop, ['probe: it ended with success']);
  const own = seen.ports.filter(
    (one) => isLasting(one, ephemeralFrom) || service.ports?.includes(one.port),
  );
  const { ports: _ports, ready: _ready, ...bare } = withStop;
  const ports = own.map(({ port }) => port);
  const gone = (service.ports ?? []).filter((port) => !ports.includes(port));
  const notes = [
    ...gone.map((port) => `probe: it did not listen on ${port}`),
    ...(ports.length > 0 ? [`probe: it listened on ${ports.join(', ')}`] : []),
  ];
  if (ports.length === 0) return withNotes({ ...bare, ...readyByLine(service, seen) }, notes);
  const page = own.find(({ status }) => status !== null && status >= 200 && status < 400);
  const kept = service.ready?.http === undefined ? {} : { ready: service.ready };
  const ready = page ? { ready: { http: `http://localhost:${page.port}/` } } : kept;
  return withNotes({ ...bare, ports, ...ready }, notes);
}

function isLasting({ port, status }: SeenPort, ephemeralFrom: number): boolean {
  return !OF_TOOLS.has(port) && port < ephemeralFrom && status !== UPGRADE_REQUIRED;
}

/** True where a line of the output says that the service is ready. */
export function saysReady(lines: readonly string[]): boolean {
  return lines.some((line) => READY_LINE.test(plain(line)));
}

function readyByLine(
  { ready }: ProposedService,
  { lines }: ShownByRun,
): Pick<ProposedService, 'ready'> {
  if (ready !== undefined) return { ready };
  const line = lines.map(plain).find((one) => READY_LINE.test(one));
  const words = line === undefined ? null : steadyPart(line);
  return words === null ? {} : { ready: { log: words } };
}

/** A line without colours and other control sequences. */
function plain(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with ESC.
  return line.replace(/\x1b\[[\d;]*[A-Za-z]/g, '').trim();
}

/** The longest part of a line without digits, which differ from run to run, as a regular expression. */
function steadyPart(line: string): string | null {
  const parts = line.split(/(?<![A-Za-z-])\d[\d:./\\]*|\bhttps?:\S+/).map((part) => part.trim());
  const ready = parts.filter((part) => READY_LINE.test(part) && part.length >= 5);
  const [best] = ready.toSorted((one, other) => other.length - one.length);
  return best === undefined ? null : best.replace(/[*+?^${}()|[\]]/g, '\\$&');
}

function stopOf(
  { stop }: ProposedService,
  { endedAfterMs, needsInterrupt }: ShownByRun,
): NonNullable<ProposedService['stop']> | null {
  if (needsInterrupt) return { ...stop, signal: 'SIGINT' };
  if (endedAfterMs === null || endedAfterMs <= SLOW_END_MS || stop?.grace !== undefined)
    return null;
  return { ...stop, grace: `${Math.ceil((endedAfterMs * 2) / 1_000)}s` };
}

function withNotes(service: ProposedService, notes: readonly string[]): ProposedService {
  return { ...service, notes: [...service.notes, ...notes] };
}

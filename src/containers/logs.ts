import { monotonicMs } from '../processes/clock.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { Engine, FIRST_QUESTION_MS } from './engine.ts';
import { marksOf } from './marks.ts';
import { runLimited } from './program.ts';
import { readContainersRecord } from './record.ts';

/** A line that a container has written. */
export interface ContainerLine {
  /** The compose service. */
  readonly service: string;
  /** By the engine's time stamp, since the epoch; null: the line has none. */
  readonly atMs: number | null;
  readonly text: string;
}

/** The containers of a project whose logs can be read. */
export interface LoggedContainers {
  /** The compose services, each once. */
  readonly services: readonly string[];
  /**
   * Reads what they have written, sorted by time.
   *
   * @param lines only so many of each; null: all
   */
  history(
    services: readonly string[],
    lines: number | null,
    sinceMs: number | null,
  ): Promise<readonly ContainerLine[]>;
  /** Tells each new line, until `over`. */
  follow(
    services: readonly string[],
    emit: (line: ContainerLine) => void,
    over: AbortSignal,
  ): Promise<void>;
}

/** Longest time in which a log is read, in ms. */
const READ_MS = 30_000;

/** Longest time of a Node timer, in ms. */
const FOR_EVER_MS = 2_000_000_000;

/**
 * Finds the containers of a project. Their logs are read by id, by what the engine says in every version.
 *
 * @returns in words why they cannot be read
 */
export async function findLoggedContainers(
  folder: ProjectFolder,
  env: Readonly<Record<string, string | undefined>>,
): Promise<LoggedContainers | { readonly why: string }> {
  const read = readContainersRecord(folder);
  const place = read.kind === 'record' ? read.record.engine : null;
  const untilMs = monotonicMs() + FIRST_QUESTION_MS;
  const engine = new Engine({ env, place, cookie: null, untilMs, nowMs: monotonicMs });
  const found = await engine.findOurs(marksOf(folder));
  if (found.kind === 'failure') return { why: found.failure.why };
  const containers = found.value.map(({ id, service, name }) => ({ id, service: service ?? name }));
  const chosen = (services: readonly string[]) =>
    containers.filter(({ service }) => services.includes(service));
  const run = (id: string, args: readonly string[]) => ['logs', '-t', ...args, id];
  return {
    services: [...new Set(containers.map(({ service }) => service))],
    async history(services, lines, sinceMs) {
      const args = [
        ...(lines === null ? [] : ['--tail', String(lines)]),
        ...(sinceMs === null ? [] : ['--since', new Date(sinceMs).toISOString()]),
      ];
      const all = await Promise.all(
        chosen(services).map(async ({ id, service }) => {
          const end = await runLimited('docker', run(id, args), {
            env: engine.env,
            cwd: '/',
            timeoutMs: READ_MS,
          });
          // One stream for stdout, one for stderr: their time stamps put them in order.
          const texts = end.kind === 'ended' ? [end.stdout, end.stderr] : [];
          return texts
            .flatMap((text) => text.split('\n'))
            .flatMap((line) => toLine(service, line) ?? []);
        }),
      );
      return all.flat().sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0));
    },
    async follow(services, emit, over) {
      await Promise.all(
        chosen(services).map(({ id, service }) =>
          runLimited('docker', run(id, ['-f', '--tail', '0']), {
            env: engine.env,
            cwd: '/',
            timeoutMs: FOR_EVER_MS,
            over,
            keepsOutput: false,
            onLine(text) {
              const line = toLine(service, text);
              if (line) emit(line);
            },
          }),
        ),
      );
    },
  };
}

/** A line of `docker logs -t`: "2026-11-30T02:48:01.123456789Z text". */
function toLine(service: string, line: string): ContainerLine | null {
  if (line === '') return null;
  const found = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) ?(.*)$/.exec(line);
  const atMs = Date.parse(found?.[1] ?? '');
  return Number.isNaN(atMs)
    ? { service, atMs: null, text: line }
    : { service, atMs, text: found?.[2] ?? '' };
}

import { fieldsOf, ownValue, textOfScalar } from '../plain-values.ts';
import {
  type Condition,
  NOTHING,
  type ProposedService,
  type Reading,
  toServiceName,
} from './proposal.ts';
import { below, listOfTexts, type Repository, textsOf } from './repository.ts';

/** Reads process-compose.yaml: `processes`, with their dependencies, probes, restarts and shutdowns. */
export function readProcessCompose(repository: Repository, file: string): Reading {
  const document = fieldsOf(repository.documents.get(file));
  const shared = variablesOf(document.environment);
  // process-compose reads it by itself.
  const envFile = repository.texts.has('.env') ? { envFile: '.env' } : {};
  const notes: string[] = [];
  const processes = Object.entries(fieldsOf(document.processes));
  const taken = processes.filter(([name, value]) => {
    const command = textOfScalar(fieldsOf(value).command);
    if (command === null) notes.push(`${file}: ${name} is not taken: it has no command`);
    return command !== null;
  });
  const names = new Map(taken.map(([name]) => [name, toServiceName(name)]));
  const services = taken.map(([name, value]) => ({
    ...toService(file, name, fieldsOf(value), shared, names),
    ...envFile,
  }));
  return { ...NOTHING, services: withTasks(services), notes };
}

/** A process for whose end another one waits is a task. */
function withTasks(services: readonly ProposedService[]): readonly ProposedService[] {
  const awaited = new Set(
    services.flatMap(({ dependsOn = {} }) =>
      Object.entries(dependsOn).flatMap(([name, condition]) =>
        condition === 'completed' || condition === 'exited' ? [name] : [],
      ),
    ),
  );
  return services.map((one) => (awaited.has(one.name) ? { ...one, oneShot: true as const } : one));
}

function toService(
  file: string,
  name: string,
  process: Readonly<Record<string, unknown>>,
  shared: Readonly<Record<string, string>>,
  names: ReadonlyMap<string, string>,
): ProposedService {
  const command = textOfScalar(process.command) ?? '';
  const folder = textOfScalar(process.working_dir);
  const cwd = folder === null ? null : folder.startsWith('/') ? folder : below('.', folder);
  const env = { ...shared, ...variablesOf(process.environment) };
  const dependsOn = dependenciesOf(process.depends_on, names);
  const ready = readyOf(process);
  const availability = fieldsOf(process.availability);
  const restart = ownValue(RESTARTS, availability.restart);
  const stop = stopOf(fieldsOf(process.shutdown));
  return {
    name: names.get(name) ?? toServiceName(name),
    command,
    ...(cwd === null || cwd === '.' ? {} : { cwd }),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(ready === null ? {} : { ready }),
    ...(Object.keys(dependsOn).length > 0 ? { dependsOn } : {}),
    ...(restart === undefined ? {} : { restart }),
    ...(Object.keys(stop).length > 0 ? { stop } : {}),
    ...(process.disabled === true ? { autostart: false as const } : {}),
    from: `${file}: processes.${name}`,
    notes: process.is_daemon === true ? ['a daemon: devctl goes on with what it leaves'] : [],
    text: command,
  };
}

const RESTARTS: Readonly<Record<string, 'always' | 'on-failure'>> = {
  always: 'always',
  on_failure: 'on-failure',
};

const CONDITIONS: Readonly<Record<string, Condition>> = {
  process_started: 'started',
  process_healthy: 'ready',
  process_log_ready: 'ready',
  process_completed: 'exited',
  process_completed_successfully: 'completed',
};

function dependenciesOf(
  value: unknown,
  names: ReadonlyMap<string, string>,
): Readonly<Record<string, Condition>> {
  const entries = Object.entries(fieldsOf(value)).flatMap(([name, one]) => {
    const known = names.get(name);
    const condition = ownValue(CONDITIONS, fieldsOf(one).condition) ?? 'started';
    return known === undefined ? [] : [[known, condition] as const];
  });
  return Object.fromEntries(entries);
}

function readyOf(
  process: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number>> | null {
  const line = textOfScalar(process.ready_log_line);
  if (line !== null) return { log: line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') };
  const probe = fieldsOf(process.readiness_probe);
  const http = fieldsOf(probe.http_get);
  const port = Number(http.port);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) {
    const host = textOfScalar(http.host) ?? '127.0.0.1';
    const path = (textOfScalar(http.path) ?? '/').replace(/^(?!\/)/, '/');
    return { http: `${textOfScalar(http.scheme) ?? 'http'}://${host}:${port}${path}` };
  }
  const exec = textOfScalar(fieldsOf(probe.exec).command);
  return exec === null ? null : { exec };
}

function stopOf(shutdown: Readonly<Record<string, unknown>>): NonNullable<ProposedService['stop']> {
  const command = textOfScalar(shutdown.command);
  const signal = SIGNALS[Number(shutdown.signal)];
  const seconds = Number(shutdown.timeout_seconds);
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(seconds > 0 && seconds <= 3_600 ? { grace: `${seconds}s` } : {}),
    ...(command === null || command.trim() === '' ? {} : { command }),
  };
}

/** The signals that the manifest knows, by their numbers on Linux and macOS where both agree. */
const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL',
  14: 'SIGALRM',
};

/** Variables as a list of NAME=value, or as an object. */
function variablesOf(value: unknown): Readonly<Record<string, string>> {
  if (!Array.isArray(value)) return textsOf(value);
  const entries = listOfTexts(value).flatMap((line) => {
    const at = line.indexOf('=');
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  return Object.fromEntries(entries);
}

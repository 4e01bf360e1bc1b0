import { COOKIE_VARIABLES } from '../ownership/cookie.ts';
import { asObject, isText, parseJson } from '../project/field-checks.ts';
import { type EngineContainer, type EngineThing, parseContainers, parseThings } from './inspect.ts';
import { type ContainerMarks, filtersOf, isOurs } from './labels.ts';
import { runLimited } from './program.ts';

/** Where an engine is, so that a later command asks the same one, whatever DOCKER_HOST says then. */
export interface EnginePlace {
  /** `unix:///var/run/docker.sock`, `tcp://…`, `ssh://…`, as the docker CLI resolved it. */
  readonly endpoint: string;
  /** The variables of the docker CLI that lead to it. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Why an engine cannot be asked, and the way out. */
export interface EngineFailure {
  readonly kind: 'missing' | 'silent' | 'refused' | 'down' | 'old' | 'failed';
  readonly why: string;
  readonly hint: string;
}

export type EngineAnswer<Value> =
  | { readonly kind: 'answer'; readonly value: Value }
  | { readonly kind: 'failure'; readonly failure: EngineFailure };

/** Longest time for the first question to an engine, in ms: one that accepts and does not answer would hang everything. */
export const FIRST_QUESTION_MS = 3_000;

/** Longest time for a later question, in ms. */
const QUESTION_MS = 10_000;

/** Variables that decide which engine the docker CLI asks, and how. */
const VARIABLES = [
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'DOCKER_TLS_VERIFY',
  'DOCKER_CERT_PATH',
  'DOCKER_API_VERSION',
] as const;

export interface EngineOptions {
  /** The environment of the caller. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The engine of a record; null: the one that the environment leads to. */
  readonly place: EnginePlace | null;
  /** Our mark for the programs that may outlive this command, so that the next stop ends them; null: none. */
  readonly cookie: Readonly<Record<string, string>> | null;
  /** The time when all questions must be over, in the time of `nowMs`. Infinity: none. */
  readonly untilMs: number;
  readonly nowMs: () => number;
}

interface ActLimits {
  readonly limitMs?: number | undefined;
  readonly onLine?: (line: string) => void;
}

/** Asks one Docker engine, through the docker CLI, which says the same in all its versions. */
export class Engine {
  readonly #options: EngineOptions;
  readonly env: NodeJS.ProcessEnv;
  /** Null until the engine has told its id. */
  place: EnginePlace | null;

  constructor(options: EngineOptions) {
    const { env, place, cookie } = options;
    this.#options = options;
    this.place = place;
    const own: Record<string, string | undefined> = { ...env };
    if (place) for (const name of VARIABLES) delete own[name];
    // A supervisor has a mark of its own for its tools.
    if (cookie && own.DEVCTL_ROLE !== 'tool') {
      for (const name of COOKIE_VARIABLES) delete own[name];
      Object.assign(own, cookie);
    }
    this.env = { ...own, ...place?.environment, LC_ALL: 'C' };
  }

  /** Where it is, as far as that is known without asking; null: where the docker CLI looks by itself. */
  get endpoint(): string | null {
    return this.#where() || null;
  }

  /** True where the engine is on another machine, so that its ports are not ours. */
  get isRemote(): boolean {
    const endpoint = this.#where();
    return endpoint !== '' && !/^(unix|npipe):|^tcp:\/\/(127\.|localhost\b|\[::1\])/.test(endpoint);
  }

  /** Asks who it is: the first question. */
  async identify(limitMs = FIRST_QUESTION_MS): Promise<EngineAnswer<string>> {
    const end = await this.#run(['info', '--format', '{{json .}}'], limitMs);
    if (end.kind === 'missing') return failed('missing', this.env);
    if (end.kind === 'silent') return failed('silent', this.env, this.#where());
    if (end.kind === 'failed') return failed('failed', this.env, end.why);
    const info = asObject(parseJson(Buffer.from(end.stdout))) ?? {};
    const id = info.ID;
    const errors = Array.isArray(info.ServerErrors) ? info.ServerErrors.filter(isText) : [];
    if (!isText(id) || id === '') {
      const why = [...errors, end.stderr].join(' ').trim();
      return failed(kindOf(why), this.env, lastLine(why) || this.#where());
    }
    const version = isText(info.ServerVersion) ? info.ServerVersion : '';
    if (Number.parseInt(version, 10) < OLDEST_VERSION) return failed('old', this.env, version);
    this.place ??= await this.#findPlace(limitMs);
    return { kind: 'answer', value: id };
  }

  /** The containers that may be ours, by label, with everything that the engine knows of them. */
  async findOurs(marks: ContainerMarks): Promise<EngineAnswer<readonly EngineContainer[]>> {
    const found = await this.#findContainers(filtersOf(marks));
    return mapAnswer(found, (all) => all.filter(({ labels }) => isOurs(labels, marks)));
  }

  /** Every container that a filter of `docker ps` finds, whoever made it. */
  findBy(filter: string): Promise<EngineAnswer<readonly EngineContainer[]>> {
    return this.#findContainers([filter]);
  }

  /** Finds the networks or volumes that carry our label. */
  async findThings(
    kind: 'network' | 'volume',
    marks: ContainerMarks,
  ): Promise<EngineAnswer<readonly EngineThing[]>> {
    const found = await this.findThingsBy(kind, filtersOf(marks));
    return mapAnswer(found, (all) => all.filter(({ labels }) => isOurs(labels, marks)));
  }

  async findThingsBy(
    kind: 'network' | 'volume',
    filters: readonly string[],
  ): Promise<EngineAnswer<readonly EngineThing[]>> {
    const list = (filter: string) => [
      kind,
      'ls',
      '-q',
      ...(kind === 'network' ? ['--no-trunc'] : []),
      '--filter',
      filter,
    ];
    const ids = await this.#collect(filters.map(list));
    if (ids.kind === 'failure' || ids.value.length === 0) return mapAnswer(ids, () => []);
    return mapAnswer(await this.#inspect([kind, 'inspect', ...ids.value]), parseThings);
  }

  /**
   * Has the engine do something, and tells whether it did all of it.
   *
   * @param limits how long that may take, and a function that is told each line as it is printed
   */
  async act(
    args: readonly string[],
    { limitMs = QUESTION_MS, onLine }: ActLimits = {},
  ): Promise<EngineAnswer<string>> {
    const end = await this.#run(args, limitMs, onLine);
    if (end.kind === 'missing') return failed('missing', this.env);
    if (end.kind === 'silent') return failed('silent', this.env, this.#where());
    if (end.kind === 'failed') return failed('failed', this.env, end.why);
    if (end.exitCode === 0) return { kind: 'answer', value: end.stdout };
    return failed(
      kindOf(end.stderr),
      this.env,
      lastLine(end.stderr) || `exit code ${end.exitCode}`,
    );
  }

  async #findContainers(
    filters: readonly string[],
  ): Promise<EngineAnswer<readonly EngineContainer[]>> {
    const list = (filter: string) => ['ps', '-a', '-q', '--no-trunc', '--filter', filter];
    const ids = await this.#collect(filters.map(list));
    if (ids.kind === 'failure' || ids.value.length === 0) return mapAnswer(ids, () => []);
    const found = await this.#inspect(['inspect', '--type', 'container', ...ids.value]);
    return mapAnswer(found, parseContainers);
  }

  /** Asks several lists, and joins their words. */
  async #collect(
    questions: readonly (readonly string[])[],
  ): Promise<EngineAnswer<readonly string[]>> {
    const words = new Set<string>();
    for (const answer of await Promise.all(questions.map((question) => this.act(question)))) {
      if (answer.kind === 'failure') return answer;
      for (const word of answer.value.split('\n')) if (word.trim() !== '') words.add(word.trim());
    }
    return { kind: 'answer', value: [...words] };
  }

  /** A thing that was removed between the two questions is missing in the answer, and makes the exit code 1. */
  async #inspect(args: readonly string[]): Promise<EngineAnswer<string>> {
    const end = await this.#run(args, QUESTION_MS);
    if (end.kind === 'ended' && (end.exitCode === 0 || /No such|not found/i.test(end.stderr)))
      return { kind: 'answer', value: end.stdout };
    return end.kind === 'ended'
      ? failed(kindOf(end.stderr), this.env, lastLine(end.stderr))
      : failed(end.kind === 'missing' ? 'missing' : 'silent', this.env, this.#where());
  }

  #run(args: readonly string[], limitMs: number, onLine?: ActLimits['onLine']) {
    const { untilMs, nowMs } = this.#options;
    const timeoutMs = Math.max(1, Math.min(limitMs, untilMs - nowMs()));
    return runLimited('docker', args, {
      env: this.env,
      cwd: '/',
      timeoutMs,
      ...(onLine && { onLine }),
    });
  }

  #where(): string {
    return this.place?.endpoint ?? this.env.DOCKER_HOST ?? '';
  }

  /** Pins the engine that was just asked: `docker context use` may lead elsewhere tomorrow. */
  async #findPlace(limitMs: number): Promise<EnginePlace> {
    const given = Object.fromEntries(
      VARIABLES.flatMap((name) => {
        const value = this.env[name];
        return value ? [[name, value] as const] : [];
      }),
    );
    if (given.DOCKER_HOST) return { endpoint: given.DOCKER_HOST, environment: given };
    const answer = await this.#run(['context', 'inspect'], limitMs);
    const [context] = answer.kind === 'ended' ? (parseList(answer.stdout) ?? []) : [];
    const name = isText(context?.Name) ? context.Name : 'default';
    const host = asObject(asObject(context?.Endpoints)?.docker)?.Host;
    const endpoint = isText(host) && host !== '' ? host : 'unix:///var/run/docker.sock';
    const way = name === 'default' ? { DOCKER_HOST: endpoint } : { DOCKER_CONTEXT: name };
    return { endpoint, environment: { ...given, ...way } };
  }
}

/** The engines 1.x are of before 2017. Podman's, which counts otherwise, is not refused. */
const OLDEST_VERSION = 3;

function parseList(text: string): readonly Readonly<Record<string, unknown>>[] | null {
  const value = parseJson(Buffer.from(text));
  return Array.isArray(value) ? value.map((one) => asObject(one) ?? {}) : null;
}

function mapAnswer<From, To>(
  answer: EngineAnswer<From>,
  change: (value: From) => To,
): EngineAnswer<To> {
  return answer.kind === 'answer' ? { kind: 'answer', value: change(answer.value) } : answer;
}

/** Tells from the words of the docker CLI why it could not ask. */
function kindOf(stderr: string): EngineFailure['kind'] {
  if (/permission denied/i.test(stderr)) return 'refused';
  if (
    /cannot connect|connection refused|no such host|is the docker daemon running|error during connect|no such file or directory/i.test(
      stderr,
    )
  )
    return 'down';
  if (/client version .* is too|minimum supported api version/i.test(stderr)) return 'old';
  return 'failed';
}

function failed(
  kind: EngineFailure['kind'],
  env: NodeJS.ProcessEnv,
  detail = '',
): { readonly kind: 'failure'; readonly failure: EngineFailure } {
  const host = env.DOCKER_HOST ? ` at ${env.DOCKER_HOST}` : '';
  return { kind: 'failure', failure: { kind, ...wordsOf(kind, host, detail) } };
}

/** The way to start services without an engine. */
export const OR_WITHOUT = '; or start without it: "containers": {"required": false}';

function wordsOf(
  kind: EngineFailure['kind'],
  host: string,
  detail: string,
): Pick<EngineFailure, 'why' | 'hint'> {
  switch (kind) {
    case 'missing':
      return {
        why: 'docker is not installed',
        hint: 'install Docker (https://docs.docker.com/engine/install/), or set "required": false in "containers"',
      };
    case 'silent':
      return {
        why: `the engine${host} does not answer`,
        hint: 'restart Docker (sudo systemctl restart docker, or Docker Desktop), then try again',
      };
    case 'refused':
      return {
        why: `this user may not ask the engine${host}: permission denied`,
        hint: 'sudo usermod -aG docker $USER, then log in again; or use a rootless Docker',
      };
    case 'down':
      return {
        why: `no Docker engine answers${host}`,
        hint: `start it: sudo systemctl start docker, or Docker Desktop; docker info tells more${OR_WITHOUT}`,
      };
    case 'old':
      return {
        why: `the docker program and the engine${host} do not fit${detail === '' ? '' : `: ${detail}`}`,
        hint: 'update the older one of them; docker version shows both',
      };
    case 'failed':
      return { why: `docker: ${detail}`, hint: 'docker info tells more' };
  }
}

/** The last line of an error: docker-compose 1.29 prints a traceback of a hundred lines before it. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}

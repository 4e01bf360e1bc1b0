import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

type Labels = Readonly<Record<string, string>>;

/** A container of the stand-in, as `docker inspect` prints it. */
export interface StandInContainer {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  State: object;
  readonly Config: { readonly Image: string; readonly Labels: Labels };
  readonly Mounts?: readonly object[];
  readonly NetworkSettings?: object;
}

/** A network has an id, a volume has none. */
interface StandInThing {
  readonly Id?: string;
  readonly Name: string;
  readonly Labels: Labels;
}

/** An engine that is a few lists, for tests. */
export interface StandInState {
  id: string;
  /** Command lines, in their order. */
  asked: string[];
  containers: StandInContainer[];
  networks: StandInThing[];
  volumes: StandInThing[];
  /** 'silent': it accepts and never answers. */
  mode?: 'silent' | 'down' | 'denied' | 'old' | undefined;
  /** Words of a command that fails. */
  fails?: string | undefined;
  /** How often it still fails; undefined: always. */
  failures?: number | undefined;
  /** A compose service whose container comes up again, as another one, whenever it is removed. */
  returns?: string | undefined;
  /** Words of a command that is carried out and never ends. */
  hangs?: string | undefined;
  /** The words of a command, and what it prints before all else, line by line. */
  prints?: readonly [words: string, lines: string];
  /** The words of commands, and how long each takes, in ms. */
  slow?: readonly [words: string, ms: number] | undefined;
  /** A compose service whose container cannot be removed: the command waits for it for ever. */
  stuck?: string | undefined;
  version?: string;
  /** The current context of the docker program, as `docker context inspect` prints it. */
  context?: object;
  /** Compose services, and the port of the host that each publishes. */
  ports?: Readonly<Record<string, string>>;
  /** Compose services, and what each has written to stdout and stderr: lines with their time stamps. */
  logs?: Readonly<Record<string, readonly [stdout: string, stderr: string]>>;
  /** True: compose ends after it has made containers, as one that is killed. */
  interrupt?: boolean;
  /** The state of a new container of these compose services. */
  becomes?: Readonly<Record<string, object>>;
  mounts?: Readonly<Record<string, readonly object[]>>;
}

/** The end of a docker program. */
export interface StandInReply {
  /** Null: it prints that and never ends. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Carries out a command line of docker. */
export function answerOf(state: StandInState, args: readonly string[]): StandInReply {
  const line = args.join(' ');
  state.asked.push(line);
  if (state.mode === 'silent') return NEVER;
  if (state.mode === 'denied')
    return fail('Got permission denied while trying to connect to the Docker daemon socket');
  if (state.mode === 'old')
    return fail('client version 1.52 is too new. Maximum supported API version is 1.24');
  if (state.mode === 'down')
    return fail('Cannot connect to the Docker daemon. Is the docker daemon running?');
  if (state.fails && line.includes(state.fails) && state.failures !== 0) {
    if (state.failures !== undefined) state.failures -= 1;
    return fail(`Error response from daemon: ${state.fails}`);
  }
  const { code, stdout, stderr } = carryOut(state, args);
  const [words, lines] = state.prints ?? [];
  const before = words && line.includes(words) ? lines : '';
  const isOver = !state.hangs || !line.includes(state.hangs);
  return { code: isOver ? code : null, stdout: `${before}${stdout}`, stderr };
}

function carryOut(state: StandInState, args: readonly string[]): StandInReply {
  const [command, sub] = args;
  const isNamed = ({ Id }: StandInContainer): boolean => args.includes(Id);
  switch (command) {
    case 'info':
      return print({ ID: state.id, ServerVersion: state.version ?? '20.10.24' });
    case 'context':
      return state.context ? print([state.context]) : fail('no context');
    case 'ps':
      return list(state.containers.filter(filterOf(args)).map(({ Id }) => Id));
    case 'inspect':
      return print(state.containers.filter(isNamed));
    case 'stop':
    case 'kill':
      for (const one of state.containers.filter(isNamed))
        one.State = { ...one.State, Status: 'exited', ExitCode: 137, Pid: 0 };
      return DONE;
    case 'rm': {
      const named = state.containers.filter(isNamed);
      if (!args.includes('-f') && named.some(isUp))
        return fail('Error response from daemon: You cannot remove a running container');
      const isStuck = ({ Name }: StandInContainer) => Name.endsWith(`_${state.stuck}_1`);
      const gone = named.filter((one) => !isStuck(one));
      const back = gone.filter(({ Name }) => Name.endsWith(`_${state.returns}_1`));
      state.containers = [
        ...state.containers.filter((one) => !gone.includes(one)),
        ...back.map((one) => ({ ...one, Id: newId(one.Name), State: running() })),
      ];
      const printed = list(gone.map(({ Id }) => Id));
      return { ...printed, code: gone.length === named.length ? 0 : null };
    }
    case 'network':
      return things(state, 'networks', sub, args);
    case 'volume':
      return things(state, 'volumes', sub, args);
    case 'logs':
      return logs(state, state.containers.find(isNamed));
    case 'compose':
      return compose(state, args);
    default:
      return fail(`unknown command ${command}`);
  }
}

const DONE = say('');
const NEVER: StandInReply = { code: null, stdout: '', stderr: '' };

function say(stdout: string): StandInReply {
  return { code: 0, stdout, stderr: '' };
}

function print(value: object): StandInReply {
  return say(`${JSON.stringify(value)}\n`);
}

function list(words: readonly string[]): StandInReply {
  return say(words.map((word) => `${word}\n`).join(''));
}

function fail(message: string, code = 1): StandInReply {
  return { code, stdout: '', stderr: `${message}\n` };
}

function logs({ logs }: StandInState, container: StandInContainer | undefined): StandInReply {
  const service = container?.Config.Labels['com.docker.compose.service'] ?? '';
  const [stdout, stderr] = logs?.[service] ?? ['2026-11-30T02:00:00.000000000Z hello\n', ''];
  return { code: 0, stdout, stderr };
}

/** The test that `--filter` stands for. */
function filterOf(
  args: readonly string[],
): (one: Pick<StandInThing, 'Name'> & Partial<StandInContainer & StandInThing>) => boolean {
  const [kind, ...rest] = (args[args.indexOf('--filter') + 1] ?? '').split('=');
  const value = rest.join('=');
  const [name = '', ...text] = rest;
  return ({ Name, Config, Labels, State }) => {
    if (kind === 'status') return State !== undefined && Reflect.get(State, 'Status') === value;
    if (kind === 'name') return new RegExp(value).test(Name);
    return (Config?.Labels ?? Labels)?.[name] === text.join('=');
  };
}

function things(
  state: StandInState,
  kind: 'networks' | 'volumes',
  sub: string | undefined,
  args: readonly string[],
): StandInReply {
  if (sub === 'ls')
    return list(state[kind].filter(filterOf(args)).map(({ Id, Name }) => Id ?? Name));
  const isNamed = ({ Id, Name }: StandInThing): boolean => args.includes(Id ?? Name);
  if (sub === 'inspect') return print(state[kind].filter(isNamed));
  state[kind] = state[kind].filter((one) => !isNamed(one));
  return DONE;
}

interface Override {
  readonly services: Readonly<Record<string, { readonly labels: Labels }>>;
  readonly networks?: { readonly default: { readonly labels: Labels } };
}

function compose(state: StandInState, args: readonly string[]): StandInReply {
  if (args.includes('version')) return say('Docker Compose version v2 (stand-in)\n');
  if (!args.includes('up')) return fail(`stand-in: ${args.join(' ')}`, 16);
  const files = args.flatMap((word, index) => (args[index - 1] === '-f' ? [word] : []));
  const override = JSON.parse(readFileSync(files.at(-1) ?? '', 'utf8')) as Override;
  const project = args[args.indexOf('-p') + 1] ?? basename(dirname(files[0] ?? ''));
  for (const service of args.slice(args.indexOf('-d') + 1)) {
    const name = `/${project}_${service}_1`;
    const known = state.containers.find(({ Name }) => Name === name);
    if (known) known.State = running();
    else state.containers.push(newContainer(state, project, service, override));
  }
  const network = `${project}_default`;
  const labels = override.networks?.default.labels;
  if (labels && !state.networks.some(({ Name }) => Name === network))
    state.networks.push({ Id: `net-${network}`, Name: network, Labels: labels });
  return state.interrupt ? fail('Aborting.') : DONE;
}

function running(): object {
  return { Status: 'running', ExitCode: 0, Pid: 1, StartedAt: new Date().toISOString() };
}

/** Makes an id that begins with the name in hex, so that a test can tell which container a command line names. */
function newId(name: string): string {
  const random = Math.random().toString(16).slice(2, 14);
  return `${Buffer.from(name).toString('hex').slice(0, 52)}${random}`.padEnd(64, '0');
}

function isUp({ State }: StandInContainer): boolean {
  return Reflect.get(State, 'Status') === 'running';
}

function newContainer(
  state: StandInState,
  project: string,
  service: string,
  override: Override,
): StandInContainer {
  const name = `${project}_${service}_1`;
  const port = state.ports?.[service];
  return {
    Id: newId(name),
    Name: `/${name}`,
    Created: new Date().toISOString(),
    State: { ...running(), ...state.becomes?.[service] },
    Config: {
      Image: 'image',
      Labels: {
        ...override.services[service]?.labels,
        'com.docker.compose.project': project,
        'com.docker.compose.service': service,
      },
    },
    Mounts: state.mounts?.[service] ?? [],
    NetworkSettings: { Ports: { '80/tcp': port ? [{ HostPort: port }] : null } },
  };
}

import fc from 'fast-check';
import type { Observation } from '../../../src/operations/status/observe.ts';
import type { ServiceStatus } from '../../../src/operations/status/report.ts';
import type { TreeProcess } from '../../../src/operations/status/tree.ts';
import { initialModel, type Model } from '../../../src/output/monitor/model.ts';
import { update } from '../../../src/output/monitor/update.ts';

export interface Shown {
  readonly name: string;
  readonly state?: ServiceStatus['state'];
  /** The command lines of its processes, one below the other. */
  readonly commands?: readonly string[];
  readonly restarts?: number;
  readonly cpuPercent?: number;
  readonly orphans?: number;
  readonly reason?: string | null;
  readonly changed?: readonly string[];
  readonly undeclared?: boolean;
}

/** Builds the observation of these services. */
export function observation(services: readonly Shown[], atMs = 1_000, sampled = true): Observation {
  let pid = 100;
  const trees = services.map(({ name, commands = [name] }) => {
    const below = commands.reduceRight<readonly TreeProcess[]>((children, command) => {
      pid += 1;
      return [{ ...PROCESS, pid, command, children }];
    }, []);
    return { service: name, processes: commands.length, rssBytes: 4e6, roots: below };
  });
  return {
    status: {
      project: '/p',
      services: services.map(
        ({
          name,
          state = 'ready',
          commands,
          restarts = 0,
          orphans = 0,
          reason = null,
          changed = null,
          undeclared = false,
        }) => ({
          name,
          state,
          reason,
          blockedBy: [],
          listening: null,
          done: false,
          daemon: false,
          exit: null,
          pid: state === 'ready' ? 4711 : null,
          uptimeMs: state === 'ready' ? 65_000 : null,
          processes: commands?.length ?? 1,
          orphans,
          rssBytes: 4e6,
          cpuPercent: 0,
          ports: [],
          udpPorts: [],
          urls: null,
          restarts,
          wanted: true,
          changed,
          undeclared,
          oneOff: false,
          adHoc: false,
        }),
      ),
      orphans: [],
      unattributed: [],
      breaches: [],
      leases: [],
      supervisor: { pid: 99 },
      capabilities: { subreaper: HELD, pidfd: HELD, cgroup: HELD },
      stale: [],
      problems: [],
      containers: null,
      healthy: true,
    },
    trees,
    sample: {
      atMs,
      services: Object.fromEntries(
        services.map(({ name, commands = [name], cpuPercent = 1 }) => [
          name,
          { processes: commands.length, memoryBytes: 4e6, cpuPercent },
        ]),
      ),
    },
    sampled,
    cpuByPid: new Map(),
    exceeded: [],
  };
}

const HELD = { held: true, why: null };
const PROCESS = {
  ppid: 1,
  cpuPercent: 1,
  rssBytes: 4e6,
  ageMs: 65_000,
  state: 'S',
  orphan: false,
  evidence: [
    { kind: 'leader', detail: 'recorded as the leader' },
    { kind: 'cookie', detail: 'DEVCTL_RUN=1' },
  ],
} as const;

/** Returns a screen that has seen these services once. */
export function monitorOf(services: readonly Shown[], columns = 80, rows = 24): Model {
  const model = initialModel({ columns, rows }, 'project', []);
  return update(model, { kind: 'observed', observation: observation(services) }).model;
}

/** Returns the screen after these keys. */
export function pressed(model: Model, ...keys: readonly string[]): Model {
  return keys.reduce((before, key) => update(before, { kind: 'key', key }).model, model);
}

/** Returns the screen after these lines of the chosen service. */
export function written(model: Model, ...texts: readonly string[]): Model {
  const lines = texts.map((text) => ({ text, continues: false }));
  const service = model.chosen ?? '';
  return update(model, { kind: 'lines', service, lines, anew: false }).model;
}

/** Texts of all kinds: wide, combining, coloured, with tabs and sequences that move the cursor. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '日本',
        '👩‍👩‍👧',
        'e\u0301',
        '\u001B[31mred\u001B[0m',
        '\t',
        'abc ',
        '\u001B[2J',
        'ﷺ',
        '\r',
      ),
      { maxLength: 30 },
    )
    .map((parts) => parts.join('')),
);

export const anyServices = fc.uniqueArray(
  fc.record({
    name: fc.oneof(fc.stringMatching(/^[a-z][a-z0-9-]{0,40}$/), anyText),
    state: fc.constantFrom('ready', 'failed', 'stopped', 'unhealthy', 'backoff'),
    commands: fc.array(anyText, { maxLength: 6 }),
    restarts: fc.nat(1e6),
    cpuPercent: fc.double({ min: 0, max: 1e5, noNaN: true }),
    orphans: fc.nat(3),
    reason: fc.option(anyText),
  }),
  { maxLength: 12, selector: ({ name }) => name },
);

export const anyKeys = fc.array(
  fc.constantFrom(
    ...['up', 'down', 'j', 'k', 'tab', 'backtab', 'pageup', 'pagedown', 'home', 'end', 'g', 'G'],
    ...[
      'r',
      's',
      't',
      'enter',
      '/',
      'n',
      'N',
      'f',
      '?',
      'escape',
      'backspace',
      'a',
      '日',
      'paste:x',
    ],
    ...['ctrl-u', 'ctrl-d', 'ctrl-l'],
  ),
  { maxLength: 25 },
);

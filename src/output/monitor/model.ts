import type { Sample } from '../../history/samples.ts';
import type { Observation } from '../../operations/status/observe.ts';
import type { ServiceStatus } from '../../operations/status/status.ts';
import type { TreeProcess } from '../../operations/status/tree.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export const PANES = ['services', 'processes', 'log'] as const;
export type Pane = (typeof PANES)[number];

/** What a key may do to a service: the command of that name. */
export type Verb = 'start' | 'stop' | 'restart';

export interface Action {
  readonly verb: Verb;
  readonly service: string;
}

/** What an action came to. */
export interface Outcome {
  readonly good: boolean;
  readonly text: string;
}

export interface LogEntry {
  /** Counts on while older ones are dropped. */
  readonly number: number;
  /** As it was written, colours included. */
  readonly text: string;
  /** What can be searched. */
  readonly plain: string;
}

export interface LogView {
  readonly lines: readonly LogEntry[];
  /** The number behind the last line that is shown; null: the end, and what comes. */
  readonly end: number | null;
  /** The number of the line that the search stands on. */
  readonly found: number | null;
}

/** A line that is being typed. */
export interface Typing {
  readonly of: 'search' | 'filter';
  readonly text: string;
  /** What Esc goes back to. */
  readonly before: string;
}

export type Message = Outcome & {
  /** ms since the epoch; null: it stays until the action is over. */
  readonly untilMs: number | null;
};

/** Everything that the screen shows. */
export interface Model {
  readonly size: Size;
  /** The project's name, or its folder. */
  readonly title: string;
  readonly nowMs: number;
  readonly seen: Observation | null;
  /** The newest last, one a second. */
  readonly samples: readonly Sample[];
  readonly chosen: string | null;
  readonly pane: Pane;
  readonly filter: string;
  readonly search: string;
  readonly typing: Typing | null;
  readonly help: boolean;
  /** Pid of the process that the arrows stand on. */
  readonly process: number | null;
  /** The most processes that the chosen service has shown: its pane does not jump. */
  readonly mostProcesses: number;
  readonly log: LogView;
  /** The first is under way, the others wait for it. */
  readonly actions: readonly Action[];
  readonly message: Message | null;
}

/** What the world is to do about an event. */
export type Effect =
  | { readonly kind: 'quit'; readonly code: number }
  | { readonly kind: 'follow'; readonly service: string | null }
  | { readonly kind: 'act'; readonly action: Action }
  /** What is under way is to be cut short. */
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'redraw' };

/** Of what is below the supervisor and of no known service. */
export const NO_SERVICE = '(no service)';

export function initialModel(size: Size, title: string, samples: readonly Sample[]): Model {
  return {
    size,
    title,
    nowMs: 0,
    seen: null,
    samples,
    chosen: null,
    pane: 'services',
    filter: '',
    search: '',
    typing: null,
    help: false,
    process: null,
    mostProcesses: 0,
    log: { lines: [], end: null, found: null },
    actions: [],
    message: null,
  };
}

/** A line of the list. */
export type ServiceRow = Pick<
  ServiceStatus,
  | 'name'
  | 'state'
  | 'reason'
  | 'done'
  | 'wanted'
  | 'pid'
  | 'uptimeMs'
  | 'processes'
  | 'orphans'
  | 'restarts'
> & { readonly rssBytes: number };

/** What the list shows: every service that the filter lets through. */
export function serviceRows({ seen, filter }: Model): readonly ServiceRow[] {
  if (!seen) return [];
  const wanted = filter.toLowerCase();
  const unowned = seen.trees.find(({ service }) => service === null);
  const all: ServiceRow[] = [...seen.status.services];
  if (unowned && unowned.processes > 0) {
    all.push({
      name: NO_SERVICE,
      state: 'stopped',
      reason: null,
      done: false,
      wanted: false,
      pid: null,
      uptimeMs: null,
      processes: unowned.processes,
      orphans: seen.status.orphans.filter(({ service }) => service === null).length,
      restarts: 0,
      rssBytes: unowned.rssBytes,
    });
  }
  return all.filter(({ name }) => name.toLowerCase().includes(wanted));
}

/** Why the chosen service is not as it should be, although something of it runs; null where it is. */
export function complaint(model: Model): string | null {
  const row = serviceRows(model).find(({ name }) => name === model.chosen);
  if (!row || row.processes === 0 || row.done) return null;
  return row.reason ?? model.seen?.exceeded.find(({ of }) => of === row.name)?.text ?? null;
}

/** A process of the chosen service, and the branches that lead to it. */
export interface ProcessRow {
  readonly member: TreeProcess;
  /** `│  └─ `. */
  readonly stem: string;
}

export function processRows({ seen, chosen }: Model): readonly ProcessRow[] {
  const service = chosen === NO_SERVICE ? null : chosen;
  const tree = chosen === null ? undefined : seen?.trees.find((one) => one.service === service);
  return (tree?.roots ?? []).flatMap((root) => branch(root, '', ''));
}

function branch(process: TreeProcess, stem: string, below: string): readonly ProcessRow[] {
  const last = process.children.length - 1;
  return [
    { member: process, stem },
    ...process.children.flatMap((child, index) =>
      branch(
        child,
        `${below}${index === last ? '└─ ' : '├─ '}`,
        `${below}${index === last ? '   ' : '│  '}`,
      ),
    ),
  ];
}

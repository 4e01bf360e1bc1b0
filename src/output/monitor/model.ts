/*
 * The files of this folder: the full screen of `devctl monitor`.
 *
 *   model              the state of the screen, and what can be read from it
 *   update             calculates the next model from an event, and the effects to carry out
 *   press              the same for one key
 *   actions            words for actions and their outcomes
 *   keys               cuts the input of a terminal into keys
 *   view               draws the whole screen: header, panes, footer, help
 *   layout             places the panes on the screen
 *   services-pane      draws the list of services
 *   processes-pane     draws the processes of the chosen service
 *   log-pane           draws the log of the chosen service
 *   log-view           adds lines to a log, scrolls and searches it
 *   pane               picks the rows that fit into a pane
 *   cells              fits texts, times and shares into columns
 *   repaint            builds the text that turns one frame into the next
 *   full-screen        has the terminal: raw mode, the alternate screen, signals, Ctrl-Z
 *   terminal-restorer  a shell that restores the terminal when the monitor is killed
 */
import type { Sample } from '../../history/samples.ts';
import type { Observation } from '../../operations/status/observe.ts';
import type { ServiceStatus } from '../../operations/status/report.ts';
import type { TreeProcess } from '../../operations/status/tree.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export const PANES = ['services', 'processes', 'log'] as const;
export type Pane = (typeof PANES)[number];

/** The command that a key runs for a service. */
export type Verb = 'start' | 'stop' | 'restart';

export interface Action {
  readonly verb: Verb;
  readonly service: string;
}

/** The outcome of an action. */
export interface Outcome {
  readonly good: boolean;
  readonly text: string;
}

export interface LogEntry {
  /** The number goes on while older lines are dropped. */
  readonly number: number;
  /** The line as it was written, colours included. */
  readonly text: string;
  /** The text for the search. */
  readonly plain: string;
}

export interface LogView {
  readonly lines: readonly LogEntry[];
  /** The number after the last line on the screen; null: the end of the log, as it grows. */
  readonly end: number | null;
  /** The number of the line with the match of the search. */
  readonly found: number | null;
}

/** Text that is being typed. */
export interface Typing {
  readonly of: 'search' | 'filter';
  readonly text: string;
  /** The text that Esc restores. */
  readonly before: string;
}

export type Message = Outcome & {
  /** ms since the epoch; null: the message stays until the action is over. */
  readonly untilMs: number | null;
};

/** Everything that the screen shows. */
export interface Model {
  readonly size: Size;
  /** The name of the project's folder. */
  readonly title: string;
  readonly nowMs: number;
  readonly seen: Observation | null;
  /** One a second, the newest last. */
  readonly samples: readonly Sample[];
  readonly chosen: string | null;
  readonly pane: Pane;
  readonly filter: string;
  readonly search: string;
  readonly typing: Typing | null;
  readonly help: boolean;
  /** Pid of the selected process. */
  readonly process: number | null;
  /** Most processes that the chosen service has shown, so that its pane does not jump. */
  readonly mostProcesses: number;
  readonly log: LogView;
  /** The first action is under way; the others wait for it. */
  readonly actions: readonly Action[];
  readonly message: Message | null;
}

/** A request to the world outside, because of an event. */
export type Effect =
  | { readonly kind: 'quit'; readonly code: number }
  | { readonly kind: 'follow'; readonly service: string | null }
  | { readonly kind: 'act'; readonly action: Action }
  /** Cuts short the action that is under way. */
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'redraw' };

/** The name in place of a service, for processes below the supervisor that belong to no known service. */
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

/** A row of the list of services. */
export type ServiceRow = Pick<
  ServiceStatus,
  | 'name'
  | 'state'
  | 'reason'
  | 'blockedBy'
  | 'done'
  | 'daemon'
  | 'wanted'
  | 'pid'
  | 'uptimeMs'
  | 'processes'
  | 'orphans'
  | 'restarts'
  | 'changed'
  | 'undeclared'
  | 'adHoc'
> & { readonly rssBytes: number };

/** Lists the services that the filter lets through. */
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
      blockedBy: [],
      done: false,
      daemon: false,
      changed: null,
      undeclared: false,
      adHoc: false,
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

/** Says why the chosen service is not as it should be although it runs; null when it is. */
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

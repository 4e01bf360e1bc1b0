import { DEVCTL } from '../../own-command.ts';
import { actionInWords } from './actions.ts';
import type { Key } from './keys.ts';
import { paneLayout } from './layout.ts';
import { findLine, scrolled } from './log-view.ts';
import {
  type Action,
  type Effect,
  type Model,
  NO_SERVICE,
  PANES,
  processRows,
  serviceRows,
  type Typing,
  type Verb,
} from './model.ts';

interface Pressed {
  readonly model: Model;
  readonly effects: readonly Effect[];
}

/** Handles one key. */
export function press(model: Model, key: Key): Pressed {
  if (key === 'ctrl-c') return withEffect(model, { kind: 'quit', code: 130 });
  if (key === 'ctrl-z') return withEffect(model, { kind: 'suspend' });
  if (key === 'ctrl-l') return withEffect(model, { kind: 'redraw' });
  if (model.typing) return withoutEffects(typeKey(model, model.typing, key));
  if (key.startsWith('paste:')) return withoutEffects(model);
  if (model.help) {
    if (key === 'q') return withEffect(model, { kind: 'quit', code: 0 });
    return withoutEffects({ ...model, help: false });
  }
  switch (key) {
    case 'q':
      return withEffect(model, { kind: 'quit', code: 0 });
    case '?':
      return withoutEffects({ ...model, help: true });
    case 'tab':
      return withoutEffects(withPane(model, 1));
    case 'backtab':
      return withoutEffects(withPane(model, -1));
    case '/':
      return withoutEffects({ ...model, typing: { of: 'search', text: '', before: model.search } });
    case 'f':
      return withoutEffects({
        ...model,
        typing: { of: 'filter', text: model.filter, before: model.filter },
      });
    case 'escape':
      return withoutEffects(undoOne(model));
    case 'n':
      return withoutEffects(searched(model, -1));
    case 'N':
      return withoutEffects(searched(model, 1));
    case 'r':
      return requestAction(model, 'restart');
    case 's':
      return requestAction(model, 'stop');
    case 't':
    case 'enter':
      return requestAction(model, 'start');
    default:
      return withoutEffects(moveSelection(model, key));
  }
}

const withoutEffects = (model: Model): Pressed => ({ model, effects: [] });
const withEffect = (model: Model, one: Effect): Pressed => ({ model, effects: [one] });

function withPane(model: Model, by: number): Model {
  const at = PANES.indexOf(model.pane) + by + PANES.length;
  return { ...model, pane: PANES[at % PANES.length] ?? 'services' };
}

/** Takes back one thing for each Esc: the message, the search, the filter, the scrolling. */
function undoOne(model: Model): Model {
  const { message, search, filter, log } = model;
  if (message && message.untilMs !== null) return { ...model, message: null };
  if (search !== '') return { ...model, search: '', log: { ...log, found: null } };
  if (filter !== '') return { ...model, filter: '' };
  return { ...model, log: { ...log, end: null } };
}

function moveSelection(model: Model, key: Key): Model {
  const by = LINES[key] ?? 0;
  const page = PAGES[key] ?? 0;
  const end = ENDS[key] ?? 0;
  if (by === 0 && page === 0 && end === 0) return model;
  // Page keys scroll the log, unless the processes are marked.
  const pane = by === 0 && model.pane === 'services' ? 'log' : model.pane;
  const height = heightOf(model, pane);
  const lines = end !== 0 ? end * FAR : by + Math.round(page * Math.max(1, height - 1));
  switch (pane) {
    case 'log':
      return { ...model, log: scrolled(model.log, lines, height) };
    case 'services': {
      const names = serviceRows(model).map(({ name }) => name);
      return { ...model, chosen: stepFrom(names, model.chosen, lines) };
    }
    case 'processes': {
      const pids = processRows(model).map(({ member }) => member.pid);
      return { ...model, process: stepFrom(pids, model.process, lines) };
    }
  }
}

/** More lines than any list has. */
const FAR = 1e9;
const LINES: Readonly<Record<Key, number>> = { up: -1, k: -1, down: 1, j: 1 };
const PAGES: Readonly<Record<Key, number>> = {
  pageup: -1,
  pagedown: 1,
  'ctrl-u': -0.5,
  'ctrl-d': 0.5,
};
const ENDS: Readonly<Record<Key, number>> = { home: -1, g: -1, end: 1, G: 1 };

function stepFrom<One>(all: readonly One[], from: One | null, by: number): One | null {
  const at = from === null ? -1 : all.indexOf(from);
  const to = Math.min(all.length - 1, Math.max(0, Math.max(0, at) + by));
  return all[to] ?? from;
}

/** Counts the lines of content that a pane shows; at least one, also for a pane that is not on the screen. */
function heightOf(model: Model, pane: 'services' | 'processes' | 'log'): number {
  return Math.max(1, (paneLayout(model).panes[pane]?.height ?? 2) - 1);
}

function typeKey(model: Model, typing: Typing, key: Key): Model {
  if (key === 'escape') return withText({ ...model, typing: null }, typing, typing.before);
  if (key === 'enter') return { ...model, typing: null };
  const pasted = key.startsWith('paste:') ? firstLine(key.slice('paste:'.length)) : null;
  const added = pasted ?? ([...key].length === 1 ? key : null);
  const text =
    key === 'backspace'
      ? [...typing.text].slice(0, -1).join('')
      : key === 'ctrl-u'
        ? ''
        : added === null
          ? typing.text
          : typing.text + added;
  if (text === typing.text) return model;
  return withText({ ...model, typing: { ...typing, text } }, typing, text);
}

function firstLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it cuts at
  return text.split(/[\u0000-\u001F\u007F]/)[0] ?? '';
}

/** Applies typed text at once. */
function withText(model: Model, { of }: Typing, text: string): Model {
  if (of === 'filter') return { ...model, filter: text };
  const fresh = { ...model, search: text, log: { ...model.log, found: null } };
  const found = findLine(fresh.log, text, -1, heightOf(fresh, 'log'), false);
  return found ? { ...fresh, log: found } : fresh;
}

function searched(model: Model, way: -1 | 1): Model {
  if (model.search === '') return model;
  const found = findLine(model.log, model.search, way, heightOf(model, 'log'), true);
  return found ? { ...model, log: found } : model;
}

/**
 * Requests an action. Actions run one at a time, because they would wait for each other's lock. A second
 * stop of the same service cuts the first one short.
 */
function requestAction(model: Model, verb: Verb): Pressed {
  const { chosen, actions } = model;
  if (chosen === null) return withoutEffects(model);
  if (chosen === NO_SERVICE) {
    const text = `of no known service: ${DEVCTL} stop ends them`;
    return withoutEffects({
      ...model,
      message: { good: false, text, untilMs: model.nowMs + NOTE_MS },
    });
  }
  const action: Action = { verb, service: chosen };
  const [running] = actions;
  if (!running) {
    const message = { good: true, text: actionInWords(action), untilMs: null };
    return withEffect({ ...model, actions: [action], message }, { kind: 'act', action });
  }
  if (verb === 'stop' && running.verb === 'stop' && running.service === chosen) {
    const message = {
      good: true,
      text: `${actionInWords(running)}: killing what is left`,
      untilMs: null,
    };
    return withEffect({ ...model, message }, { kind: 'interrupt' });
  }
  const isWaiting = actions.some((one) => one.verb === verb && one.service === chosen);
  return withoutEffects(isWaiting ? model : { ...model, actions: [...actions, action] });
}

const NOTE_MS = 10_000;

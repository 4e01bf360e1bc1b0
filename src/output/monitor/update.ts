import type { Observation } from '../../operations/status/observe.ts';
import { type CommandResult, doing, outcomeOf } from './actions.ts';
import type { Key } from './keys.ts';
import { EMPTY_LOG, type NewLine, withLines } from './log-view.ts';
import { type Effect, type Model, processRows, type Size, serviceRows } from './model.ts';
import { press } from './press.ts';

/** What can happen to the screen. */
export type MonitorEvent =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'resized'; readonly size: Size }
  | { readonly kind: 'observed'; readonly observation: Observation }
  /** `anew`: what was there before is of another log, or much was left out since. */
  | {
      readonly kind: 'lines';
      readonly service: string;
      readonly lines: readonly NewLine[];
      readonly anew: boolean;
    }
  /** A line of the command that is under way. */
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'ended'; readonly result: CommandResult };

export interface Updated {
  readonly model: Model;
  readonly effects: readonly Effect[];
}

/** So many samples are kept: a minute, and what the first step of the bars may hold more. */
export const MOST_SAMPLES = 80;
/** A result is shown for so long. */
const SHOWN_MS = 20_000;

/** The next state of the screen, and what the world is to do. */
export function update(model: Model, event: MonitorEvent): Updated {
  switch (event.kind) {
    case 'key':
      return settled(model, press(model, event.key));
    case 'resized':
      return { model: { ...model, size: event.size }, effects: [{ kind: 'redraw' }] };
    case 'observed':
      return settled(model, { model: observed(model, event.observation), effects: [] });
    case 'lines': {
      if (event.service !== model.chosen) return { model, effects: [] };
      const log = event.anew ? EMPTY_LOG : model.log;
      return { model: { ...model, log: withLines(log, event.lines) }, effects: [] };
    }
    case 'progress': {
      const [action] = model.actions;
      if (!action) return { model, effects: [] };
      const line = event.line.replace(/^devctl: /, '');
      const message = { good: true, text: `${doing(action)}: ${line}`, untilMs: null };
      return { model: { ...model, message }, effects: [] };
    }
    case 'ended':
      return ended(model, event.result);
  }
}

function ended(model: Model, result: CommandResult): Updated {
  const [done, next] = model.actions;
  if (!done) return { model, effects: [] };
  const message = { ...outcomeOf(done, result), untilMs: model.nowMs + SHOWN_MS };
  return {
    model: { ...model, actions: model.actions.slice(1), message },
    effects: next ? [{ kind: 'act', action: next }] : [],
  };
}

function observed(model: Model, observation: Observation): Model {
  const { sample, sampled } = observation;
  const message = model.message;
  const isOver = message?.untilMs != null && message.untilMs <= sample.atMs;
  return {
    ...model,
    nowMs: sample.atMs,
    seen: observation,
    samples: sampled ? [...model.samples, sample].slice(-MOST_SAMPLES) : model.samples,
    message: isOver ? null : message,
  };
}

/** What is chosen must be there; another choice has another log. */
function settled(before: Model, { model, effects }: Updated): Updated {
  const names = serviceRows(model).map(({ name }) => name);
  const isThere = model.chosen !== null && names.includes(model.chosen);
  const chosen = isThere ? model.chosen : (names[0] ?? null);
  if (chosen !== before.chosen) {
    const other = { ...model, chosen, process: null, mostProcesses: 0, log: EMPTY_LOG };
    const follow: Effect = { kind: 'follow', service: chosen };
    return { model: withProcesses(other), effects: [...effects, follow] };
  }
  return { model: withProcesses({ ...model, chosen }), effects };
}

function withProcesses(model: Model): Model {
  const rows = processRows(model);
  const isThere = rows.some(({ member }) => member.pid === model.process);
  return {
    ...model,
    process: isThere ? model.process : (rows[0]?.member.pid ?? null),
    mostProcesses: Math.max(model.mostProcesses, rows.length),
  };
}

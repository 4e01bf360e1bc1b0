import type { Observation } from '../../operations/status/observe.ts';
import { actionInWords, type CommandResult, outcomeOf } from './actions.ts';
import type { Key } from './keys.ts';
import { EMPTY_LOG, type NewLine, withLines } from './log-view.ts';
import { type Effect, type Model, processRows, type Size, serviceRows } from './model.ts';
import { press } from './press.ts';

/** An event for the screen. */
export type MonitorEvent =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'resized'; readonly size: Size }
  | { readonly kind: 'observed'; readonly observation: Observation }
  /** `anew`: the earlier lines are of another log, or many lines were left out since. */
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

/** Most samples to keep: a minute, and the samples that the first step of the bars may hold beyond it. */
export const MOST_SAMPLES = 80;
/** Time for which a result is shown. */
const SHOWN_MS = 20_000;

/** Calculates the next state of the screen, and the effects to carry out. */
export function update(model: Model, event: MonitorEvent): Updated {
  switch (event.kind) {
    case 'key':
      return withValidChoice(model, press(model, event.key));
    case 'resized':
      return { model: { ...model, size: event.size }, effects: [{ kind: 'redraw' }] };
    case 'observed':
      return withValidChoice(model, {
        model: withObservation(model, event.observation),
        effects: [],
      });
    case 'lines': {
      if (event.service !== model.chosen) return { model, effects: [] };
      const log = event.anew ? EMPTY_LOG : model.log;
      return { model: { ...model, log: withLines(log, event.lines) }, effects: [] };
    }
    case 'progress': {
      const [action] = model.actions;
      if (!action) return { model, effects: [] };
      const line = event.line.replace(/^devctl: /, '');
      const message = { good: true, text: `${actionInWords(action)}: ${line}`, untilMs: null };
      return { model: { ...model, message }, effects: [] };
    }
    case 'ended':
      return withResult(model, event.result);
  }
}

function withResult(model: Model, result: CommandResult): Updated {
  const [done, next] = model.actions;
  if (!done) return { model, effects: [] };
  const message = { ...outcomeOf(done, result), untilMs: model.nowMs + SHOWN_MS };
  return {
    model: { ...model, actions: model.actions.slice(1), message },
    effects: next ? [{ kind: 'act', action: next }] : [],
  };
}

function withObservation(model: Model, observation: Observation): Model {
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

/** Makes sure that the chosen service exists. Another choice begins with an empty log. */
function withValidChoice(before: Model, { model, effects }: Updated): Updated {
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

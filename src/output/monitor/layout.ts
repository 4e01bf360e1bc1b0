import type { Model, Pane, Size } from './model.ts';
import { complaint, processRows, serviceRows } from './model.ts';

export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  /** At least 1, because the first line is the title. */
  readonly height: number;
}

/** The places of the parts of the screen. A pane without room is missing. */
export interface Layout {
  readonly header: boolean;
  readonly footer: boolean;
  readonly panes: Readonly<Partial<Record<Pane, Rectangle>>>;
}

/** Columns from which on the log stands beside the lists: half of them is the width of a usual terminal. */
const WIDE = 150;
/** Fewest lines of a pane: with fewer it shows nothing that is worth its title. */
const LEAST = 3;

/** Places the panes on a screen of any size, however small. */
export function paneLayout(model: Model): Layout {
  const { size } = model;
  const header = size.rows >= 1;
  const footer = size.rows >= 3;
  const top = header ? 1 : 0;
  const room = Math.max(0, size.rows - top - (footer ? 1 : 0));
  const wants = {
    services: 1 + Math.max(1, serviceRows(model).length),
    processes:
      1 +
      (complaint(model) === null ? 0 : 1) +
      Math.max(1, model.mostProcesses, processRows(model).length),
  };
  const { columns } = size;
  if (columns >= WIDE && room >= 2 * LEAST) return wide(model, { columns, rows: room }, top, wants);
  const heights = stacked(model, room, wants);
  let next = top;
  const panes: Partial<Record<Pane, Rectangle>> = {};
  for (const [pane, height] of heights) {
    if (height < 1) continue;
    panes[pane] = { left: 0, top: next, width: columns, height };
    next += height;
  }
  return { header, footer, panes };
}

interface Wants {
  readonly services: number;
  readonly processes: number;
}

function wide({ size }: Model, { columns, rows }: Size, top: number, wants: Wants): Layout {
  // The gap between the two halves takes three columns.
  const width = Math.floor((columns - 3) / 2);
  const services = Math.min(wants.services + 1, rows - LEAST, Math.ceil(rows * 0.6));
  return {
    header: true,
    footer: size.rows >= 3,
    panes: {
      services: { left: 0, top, width, height: services },
      processes: { left: 0, top: top + services, width, height: rows - services },
      log: { left: width + 3, top, width: columns - width - 3, height: rows },
    },
  };
}

/** Stacks the panes. The lists get the lines they need, up to a share; the log gets the rest. */
function stacked(
  { pane }: Model,
  room: number,
  wants: Wants,
): readonly (readonly [Pane, number])[] {
  if (room < 2 * LEAST) return [[pane, room]];
  if (room < 3 * LEAST + 1) {
    const other: Pane = pane === 'services' ? 'log' : pane;
    const services = Math.min(wants.services, Math.max(LEAST, Math.floor(room / 2)));
    return [
      ['services', services],
      [other, room - services],
    ];
  }
  // A blank line under each list, where there is room for it.
  const gap = room >= 20 ? 1 : 0;
  const services = Math.min(wants.services + gap, Math.max(LEAST, Math.floor(room * 0.42)));
  const left = room - services;
  const processes = Math.min(wants.processes + gap, Math.max(LEAST, Math.floor(left * 0.45)));
  return [
    ['services', services],
    ['processes', processes],
    ['log', left - processes],
  ];
}

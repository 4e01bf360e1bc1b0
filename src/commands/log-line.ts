import type { ServiceLine } from '../logs/reader.ts';
import { jsonLine } from '../output/terminal/json.ts';
import type { LogPrinter } from '../output/terminal/log-printer.ts';
import { finalText } from '../output/terminal/width.ts';

/** Uncertainty of a time from which on it is marked with `~`. */
const VAGUE_MS = 1_000;

/** Formats a line of a service's log for people. */
export function lineToText(printer: LogPrinter, line: ServiceLine): string {
  const { service, text, time, continues } = line;
  const vague = time !== null && (time.withinMs === null || time.withinMs > VAGUE_MS);
  const atMs = time?.atMs ?? null;
  return printer.format({ service, text: finalText(text), atMs, vague, continues });
}

/** Formats a line of a service's log for programs, as one JSON document. */
export function lineToJson(line: ServiceLine, extraFields: object = {}): string {
  const { service, text, time, continues, partial } = line;
  return jsonLine({
    ...extraFields,
    service,
    time: time === null ? null : new Date(time.atMs).toISOString(),
    withinMs: time?.withinMs ?? null,
    line: text,
    continues,
    partial,
  });
}

import { lstatSync } from 'node:fs';
import { isoTime } from '../processes/clock.ts';
import { refusalOf } from './safe-file.ts';

/**
 * Something in the records folder that was not obeyed. Readers return these instead of throwing:
 * one bad file must not hide the services of the good ones.
 */
export interface RecordProblem {
  /** Absolute path of the file. */
  readonly path: string;
  /** The service that the file name speaks of, null where it names none. */
  readonly service: string | null;
  /**
   * - corrupt: does not parse or says what cannot be; set it aside.
   * - newer: written by a later devctl; leave it.
   * - foreign: belongs to another project folder that still exists (a copied `.pids`).
   * - refused: a symbolic link, not a file, another user's or too large, all to be set aside too; or
   *   not readable.
   * - future: its time lies ahead, so that nothing can be told from its age.
   * - partial: some lines were ignored, all others were used.
   */
  readonly kind: 'corrupt' | 'newer' | 'foreign' | 'refused' | 'future' | 'partial';
  /** For people, without the path: `field "leader" is missing or malformed`. */
  readonly reason: string;
}

/** Is something at the path of a file of ours that none of our files is? For those that nobody has to read. */
export function refusedFile(path: string): readonly RecordProblem[] {
  const reason = refusalOf(path);
  return reason === null ? [] : [{ path, service: null, kind: 'refused', reason }];
}

/** Was this file set aside earlier? */
export function isSetAside(path: string): boolean {
  return /\.corrupt-\d{8}T\d{9}Z(-\d+)?$/.test(path);
}

/** A free name beside `path` for what is not obeyed: `NAME.corrupt-TIME`. */
export function asideName(path: string): string {
  // ISO 8601 in its basic form, which holds no colon: Finder forbids it in names.
  const wanted = `${path}.corrupt-${isoTime().replaceAll(/[-:.]/g, '')}`;
  let name = wanted;
  // rename(2) replaces what is there, and two files can be set aside within one millisecond.
  for (let count = 1; lstatSync(name, { throwIfNoEntry: false }); count += 1) {
    name = `${wanted}-${count}`;
  }
  return name;
}

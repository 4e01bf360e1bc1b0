import { lstatSync } from 'node:fs';
import { isoTime } from '../processes/clock.ts';
import { whyRefused } from './safe-file.ts';

/**
 * Something in the records folder that devctl did not obey. Readers return problems instead of throwing
 * them, because one bad file must not hide the services of the good ones.
 */
export interface RecordProblem {
  /** Absolute path of the file. */
  readonly path: string;
  /** The service that the file name names, null when it names none. */
  readonly service: string | null;
  /**
   * - corrupt: it does not parse, or says something impossible; set it aside.
   * - newer: a later devctl wrote it; leave it.
   * - foreign: it belongs to another project (a copied `.pids`, or a shared one).
   * - refused: it is a symbolic link, not a file, another user's or too large (set it aside), or it is
   *   not readable (leave it).
   * - unbelieved: its time does not say which processes its numbers mean; leave it.
   * - outdated: its numbers are those of an earlier boot of this machine.
   * - partial: some lines were ignored, all others were used.
   */
  readonly kind:
    | 'corrupt'
    | 'newer'
    | 'foreign'
    | 'refused'
    | 'unbelieved'
    | 'outdated'
    | 'partial';
  /** For people, without the path: `field "leader" is missing or malformed`. */
  readonly reason: string;
}

/** Reports a link, a folder or a file of another user at a path of ours that no reader has to open. */
export function refusedFileProblems(path: string): readonly RecordProblem[] {
  const reason = whyRefused(path);
  return reason === null ? [] : [{ path, service: null, kind: 'refused', reason }];
}

/** True for the name of a file that was set aside. */
export function isSetAside(path: string): boolean {
  return /\.corrupt-\d{8}T\d{9}Z(-\d+)?$/.test(path);
}

/** Returns a free name beside `path` for a file to set aside: `NAME.corrupt-TIME`. */
export function asideName(path: string): string {
  // ISO 8601 in its basic form, without colons, because Finder forbids them in names.
  const wanted = `${path}.corrupt-${isoTime().replaceAll(/[-:.]/g, '')}`;
  let name = wanted;
  // rename(2) replaces an existing file, and two files can be set aside within one millisecond.
  for (let count = 1; lstatSync(name, { throwIfNoEntry: false }); count += 1) {
    name = `${wanted}-${count}`;
  }
  return name;
}

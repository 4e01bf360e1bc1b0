import { hash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { asObject, isLabel } from '../field-checks.ts';
import { readJsonFields } from '../json-record.ts';
import { hasContainersRecord } from '../names.ts';
import { readOwnFile } from '../safe-file.ts';
import { type Place, readPlace, readProjectRecord } from './project-file.ts';
import { mayLiveElsewhere } from './same-project.ts';

/** The folder in `.pids` for the records of other places than the one that came first. */
const PLACES = 'places';

/** Which folder holds the records of this place, and which ones hold those of others. */
export interface RecordsFolder {
  /** Absolute path. */
  readonly folder: string;
  /** Absolute paths of folders whose records may speak of processes that live at other places. */
  readonly elsewhere: readonly string[];
}

/**
 * Chooses the records folder for this place. Where the usual one is in use from another machine or another PID
 * namespace, this place has a folder of its own in it, `places/<hash>`.
 *
 * @param usual absolute path of the records folder that the manifest names
 */
export function recordsFolderAt(usual: string, here: Place): RecordsFolder {
  const places = listPlaces(usual);
  const own = placeFolder(usual, here);
  const others = [usual, ...places].filter((folder) => folder !== own && isElsewhere(folder, here));
  const isOwnInUse = places.includes(own) && namesSomething(own);
  const folder = others.includes(usual) || isOwnInUse ? own : usual;
  return { folder, elsewhere: others };
}

/**
 * Tells whether the records of a folder name something: then they are not overwritten from another place. Empty
 * folders name nothing.
 */
export function namesSomething(pidsDir: string): boolean {
  if (existsSync(join(pidsDir, 'supervisor.json'))) return true;
  if (hasContainersRecord(pidsDir)) return true;
  return ['services', 'ledger'].some((part) => fileNames(join(pidsDir, part)).length > 0);
}

/** Removes the records of places that are gone: they are those of an earlier boot of this machine. */
export function removePastPlaces(usual: string): void {
  const here = readPlace();
  for (const folder of listPlaces(usual)) {
    const written = writtenAt(folder);
    if (written === null || written.place.bootId === here.bootId) continue;
    if (!mayLiveElsewhere(written.place, here, written.sinceBootMs)) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** When a folder's latest record was written, in ms since the epoch; null: it has none. */
export function latestRecordMs(pidsDir: string): number | null {
  const files = ['services', 'ledger'].flatMap((part) =>
    fileNames(join(pidsDir, part)).map((name) => join(pidsDir, part, name)),
  );
  const paths = [...files, join(pidsDir, 'supervisor.json'), join(pidsDir, 'project.json')];
  return paths.reduce<number | null>((latest, path) => later(latest, modifiedMs(path)), null);
}

/** The later of two times; null stands for none. */
export function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** When a file was last written, in ms since the epoch; null where there is none. */
export function modifiedMs(path: string): number | null {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return null;
  }
}

/** When this machine was booted, in ms since the epoch, as its clock is now. */
export function bootedAtMs(): number {
  return Date.now() - uptime() * 1_000;
}

/** The names of the services of which a folder has records. */
export function recordedNames(pidsDir: string): readonly string[] {
  return fileNames(join(pidsDir, 'services'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length));
}

/** The run ids that the records in a folder name, read without believing anything else of them. */
export function namedRunIds(pidsDir: string): readonly string[] {
  return ['services', 'ledger'].flatMap((part) =>
    fileNames(join(pidsDir, part)).flatMap((name) => {
      const read = readOwnFile(join(pidsDir, part, name));
      return read.kind === 'content' ? (read.bytes.toString('latin1').match(RUN_IDS) ?? []) : [];
    }),
  );
}

const RUN_IDS = /\b[0-9a-f]{32}\b/g;

function isElsewhere(pidsDir: string, here: Place): boolean {
  const written = writtenAt(pidsDir);
  if (written === null || !mayLiveElsewhere(written.place, here, written.sinceBootMs)) return false;
  return namesSomething(pidsDir);
}

/** The place that the records in a folder were written at; null where nothing says so. */
function writtenAt(pidsDir: string): { place: Place; sinceBootMs: () => number } | null {
  const place = placeIn(pidsDir);
  if (place === null) return null;
  return {
    place,
    // Not the time of `project.json`, because that file is written again only when something in it changes.
    sinceBootMs: () => (latestRecordMs(pidsDir) ?? Number.NEGATIVE_INFINITY) - bootedAtMs(),
  };
}

function placeIn(pidsDir: string): Place | null {
  const read = readProjectRecord(pidsDir);
  if (read.kind === 'record') return read.record;
  // Written by an early devctl, or the file is damaged: the supervisor's record says the place, but not the machine.
  const supervisor = readJsonFields(join(pidsDir, 'supervisor.json'));
  const { bootId, pidNamespace } = asObject(supervisor?.identity) ?? {};
  return isLabel(bootId) && isLabel(pidNamespace)
    ? { machineId: null, bootId, pidNamespace }
    : null;
}

function listPlaces(usual: string): readonly string[] {
  const folder = join(usual, PLACES);
  return fileNames(folder).map((name) => join(folder, name));
}

function placeFolder(usual: string, { machineId, bootId, pidNamespace }: Place): string {
  // The namespace number is given away again after a boot, and without a machine id nothing else tells machines apart.
  const machine = machineId ?? bootId;
  const name = hash('sha256', JSON.stringify([machine, bootId, pidNamespace])).slice(0, 12);
  return join(usual, PLACES, name);
}

/** The names of the visible files in a folder; none where it cannot be read. */
export function fileNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
}

import { stripVTControlCharacters } from 'node:util';
import { openLogSource } from '../../logs/source.ts';
import type { OutlinedService } from '../../manifest/outline.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { readRecords } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import { lookAtProject } from '../../tracking/look.ts';
import { listeningSockets } from './listening.ts';

/** A URL of this machine that a service has named in its log. */
export interface NamedUrl {
  readonly url: string;
  readonly port: number;
}

/** The URL at which a service can be opened. */
export interface ServiceUrl {
  readonly service: string;
  readonly url: string;
}

/** Reads the URLs that the run of a record has named in its log. */
export type UrlReader = (record: ServiceRecord) => readonly NamedUrl[];

/** The part of a log that is searched, from the beginning of the run: servers name their URL when they begin. */
const SEARCHED_BYTES = 64 * 1024;

/** Only ASCII, and neither quotes nor brackets: it is printed as it is. */
const NAMED_URL =
  /\bhttps?:\/\/(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{1,5})(?!\w)(?:[/?#][\w/?#!$%&*+,\-.:;=@~]*)?/gi;
/** The end of a sentence, not of a URL. */
const TRAILING = /[,.;:!*]+$/;

/** Finds the URLs of this machine in a text, the first one of each port. */
export function urlsIn(text: string): readonly NamedUrl[] {
  const found = new Map<number, NamedUrl>();
  for (const [whole, host = '', digits = ''] of stripVTControlCharacters(text).matchAll(
    NAMED_URL,
  )) {
    const port = Number(digits);
    const origin = whole.slice(0, whole.indexOf(`:${digits}`) + digits.length + 1);
    // A browser cannot open the address that means every address.
    const opened = /^(0\.0\.0\.0|\[::\])$/.test(host) ? origin.replace(host, 'localhost') : origin;
    const url = `${opened}${whole.slice(origin.length).replace(TRAILING, '')}`;
    if (port > 0 && port <= 65_535 && !found.has(port)) found.set(port, { url, port });
  }
  return [...found.values()];
}

/**
 * Picks the URLs at which a service can be opened: those that it has named for a port of its own, and the origins of its
 * http probes for the other ports. devctl asks none of them.
 *
 * @param probed the URLs of its http probes
 * @param own the ports that it declares or listens on
 */
export function urlsOf(
  probed: readonly string[],
  named: readonly NamedUrl[],
  own: ReadonlySet<number>,
): readonly string[] {
  const byPort = new Map(
    named.filter(({ port }) => own.has(port)).map((one) => [one.port, one.url]),
  );
  for (const text of probed) {
    const port = portOfUrl(text);
    if (port !== null && !byPort.has(port)) byPort.set(port, new URL(text).origin);
  }
  return [...byPort.values()];
}

/** Opens a reader that searches each byte of a log once. */
export function openUrlReader(folder: ProjectFolder): UrlReader {
  const runs = new Map<string, { position: number; text: string; urls: readonly NamedUrl[] }>();
  // One for all logs, because there may be hundreds, most of them empty.
  const space = Buffer.alloc(SEARCHED_BYTES);
  return (record) => {
    const { runId, service, log, logFrom } = record;
    if (logFrom === undefined) return [];
    const known = runs.get(runId) ?? { position: logFrom, text: '', urls: [] };
    runs.set(runId, known);
    const room = logFrom + SEARCHED_BYTES - known.position;
    const into = space.subarray(0, Math.max(room, 0));
    const bytes = readLog(folder, service, log, known.position, into);
    if (bytes.length > 0) {
      known.position += bytes.length;
      known.text += bytes.toString('latin1');
      known.urls = urlsIn(known.text);
    }
    return known.urls;
  };
}

/**
 * Finds the URLs of services that have just been started. The process table is read only where a service has named a port
 * that it does not declare.
 */
export async function startedUrls(
  host: Pick<Host, 'snapshot' | 'self'>,
  { folder, outline }: OpenProject,
  names: readonly string[],
): Promise<readonly ServiceUrl[]> {
  const read = openUrlReader(folder);
  const manifest = outline.kind === 'absent' ? [] : outline.services;
  const { records } = readRecords(folder);
  const services = names
    .flatMap((name) => records.find(({ service }) => service === name) ?? [])
    .map((record) => {
      const planned = manifest.find(({ name }) => name === record.service);
      return { record, planned, named: read(record), own: ownPorts(record, planned) };
    });
  const isUndeclared = services.some(({ named, own }) => named.some(({ port }) => !own.has(port)));
  const sockets = isUndeclared ? await listeningSockets(await lookAtProject(host, folder)) : null;
  return services.flatMap(({ record: { service }, planned, named, own }) => {
    const listened = sockets?.byService.get(service)?.map(({ port }) => port) ?? [];
    const urls = urlsOf(planned?.http ?? [], named, new Set([...own, ...listened]));
    return urls.map((url) => ({ service, url }));
  });
}

/** The ports that a service declares, or is asked on. */
export function ownPorts(
  record: Pick<ServiceRecord, 'ports' | 'readyPorts'>,
  planned: Pick<OutlinedService, 'ports' | 'http'> | undefined,
): ReadonlySet<number> {
  const { ports = [], http = [] } = planned ?? {};
  const probed = http.flatMap((url) => portOfUrl(url) ?? []);
  return new Set([...record.ports, ...(record.readyPorts ?? []), ...ports, ...probed]);
}

/** The port of an http URL; null for a Unix socket, and for text that is no URL. */
function portOfUrl(text: string): number | null {
  if (text.startsWith('http://unix:') || !URL.canParse(text)) return null;
  const { protocol, port } = new URL(text);
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

function readLog(
  folder: ProjectFolder,
  service: string,
  path: string,
  position: number,
  into: Buffer,
): Buffer {
  if (into.length === 0) return into;
  try {
    const source = openLogSource(folder, service, path);
    // A URL is not worth the wait for a rotation.
    if (source.isMoving()) return Buffer.alloc(0);
    const found = source.read(position, into);
    return found?.position === position ? found.bytes : Buffer.alloc(0);
  } catch {
    return Buffer.alloc(0);
  }
}

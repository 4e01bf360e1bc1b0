import { DevctlError } from '../../errors.ts';
import { loadManifest } from '../../manifest/load.ts';
import type { ManifestQuery } from '../../manifest/locate.ts';
import { bareManifest, resolveAdHoc } from '../../manifest/resolve.ts';
import type { ResolvedManifest, ResolvedService } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import { folderOfManifest, type ProjectFolder } from '../../project/folder.ts';
import { manifestQuery, type OpenProject } from '../../project/open-project.ts';
import { whySeveralProjects } from '../../project/place/several-projects.ts';
import { readRecords } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';

/** A project with the services that can be started in it. */
export interface StartableProject {
  readonly folder: ProjectFolder;
  /** The manifest and the ad hoc services of the records. Where there is no manifest, these alone. */
  readonly manifest: ResolvedManifest;
}

/**
 * Loads what can be started in a project: its manifest, and the services that the command line has defined.
 *
 * @throws DevctlError as `loadManifest`, and 'manifest-not-found' where there is neither
 */
export function loadStartable(project: OpenProject, query: ManifestQuery): StartableProject {
  const records = adHocRecords(project);
  if (project.outline.kind === 'absent' && records.length > 0) {
    const { folder } = project;
    return { folder, manifest: withAdHoc(bareManifest(folder.root, folder.pidsDir), records) };
  }
  const manifest = loadManifest(manifestQuery(project, query));
  return { folder: folderOfManifest(manifest), manifest: withAdHoc(manifest, records) };
}

/** The records of services that the command line alone has defined, and the manifest of today does not. */
export function adHocRecords({ folder, outline }: OpenProject): readonly ServiceRecord[] {
  const declared = outline.kind === 'absent' ? [] : outline.services.map(({ name }) => name);
  return readRecords(folder).records.filter(
    (record) => isAdHocService(record) && !declared.includes(record.service),
  );
}

/** True where the record is all that there is to know of a service. */
export function isAdHocService({ adHoc, once, oneOff }: ServiceRecord): boolean {
  return adHoc === true && !once && !oneOff;
}

/** Adds ad hoc services. Where there is a manifest, a start without names leaves them alone. */
function withAdHoc(
  manifest: ResolvedManifest,
  records: readonly ServiceRecord[],
): ResolvedManifest {
  const isAlone = Object.keys(manifest.services).length === 0;
  const services = records.map((record) => {
    const service = serviceOfRecord(manifest, record);
    return [record.service, { ...service, autostart: isAlone }] as const;
  });
  return { ...manifest, services: { ...manifest.services, ...Object.fromEntries(services) } };
}

/** The service that a record was made of. */
export function serviceOfRecord(
  manifest: Pick<ResolvedManifest, 'root' | 'env'>,
  { service, command, cwd }: Pick<ServiceRecord, 'service' | 'command' | 'cwd'>,
): ResolvedService {
  return resolveAdHoc(manifest, service, command, cwd);
}

/** A service as the command line defines it. */
export interface AdHocWish {
  readonly name: string;
  readonly command: readonly string[];
  /** Absolute path. */
  readonly cwd: string;
}

/**
 * Prepares the start of a service that the command line defines. Where a manifest lies above, it is a service of that
 * project.
 *
 * @throws DevctlError 'usage' where the name is taken, or the folder holds more than one project; as `loadManifest`
 */
export function startableWith(
  project: OpenProject,
  query: ManifestQuery,
  { name, command, cwd }: AdHocWish,
): StartableProject {
  const found = openStartable(project, query);
  const { manifest, folder } = found;
  const recorded = readRecords(folder).records.find(({ service }) => service === name);
  const isDefined =
    Object.hasOwn(manifest.services, name) && manifest.services[name]?.adHoc !== true;
  if (isDefined || Object.hasOwn(manifest.groups, name))
    throw nameTaken(
      `the manifest has a service or a group called ${name}`,
      `${DEVCTL} start ${name} starts that; or give this one another name`,
    );
  if (recorded?.oneOff || (recorded && !recorded.adHoc))
    throw nameTaken(`${name} is recorded here as another service`);
  const service = resolveAdHoc(manifest, name, command, cwd);
  return {
    folder,
    manifest: { ...manifest, services: { ...manifest.services, [name]: service } },
  };
}

function openStartable(project: OpenProject, query: ManifestQuery): StartableProject {
  const { folder, outline, shownBy } = project;
  const isBare = outline.kind === 'absent' && query.config === undefined;
  if (!isBare || adHocRecords(project).length > 0) return loadStartable(project, query);
  // Services of a manifest that is gone are left: it has to be written again, or they have to end.
  const records = readRecords(folder).records.filter(({ oneOff }) => !oneOff);
  if (shownBy !== undefined && records.length > 0) return loadStartable(project, query);
  requireOneProject(project);
  return { folder, manifest: bareManifest(folder.root, folder.pidsDir) };
}

/**
 * Refuses a folder that may hold more than one project, where no manifest says what the project is.
 *
 * @throws DevctlError 'usage'
 */
export function requireOneProject({ folder, outline }: OpenProject): void {
  if (outline.kind !== 'absent') return;
  const why = whySeveralProjects(folder.root);
  if (why === null) return;
  throw new DevctlError('usage', `${why}, so nothing is started there without a manifest`, {
    hint: 'go to the folder of one project',
  });
}

function nameTaken(what: string, hint = 'give this one another name'): DevctlError {
  return new DevctlError('usage', what, { hint });
}

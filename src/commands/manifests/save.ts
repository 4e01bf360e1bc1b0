import { dirname, join, relative } from 'node:path';
import { DevctlError, ExitCode } from '../../errors.ts';
import { diffLines } from '../../init/line-diff.ts';
import { toInline, toManifestText } from '../../init/manifest-text.ts';
import { NOTHING, type ProposedService } from '../../init/proposal.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { examineManifest } from '../../manifest/load.ts';
import type { ManifestQuery } from '../../manifest/locate.ts';
import { parseText, withProperty } from '../../manifest/parse.ts';
import { formatProblem } from '../../manifest/problem.ts';
import { type Tree, valueAt } from '../../manifest/tree.ts';
import { adHocRecords } from '../../operations/start/ad-hoc.ts';
import { printJson } from '../../output/terminal/json.ts';
import { themeFor } from '../../output/terminal/theme.ts';
import { printable } from '../../output/terminal/width.ts';
import { DEVCTL } from '../../own-command.ts';
import { openHost } from '../../processes/real-host.ts';
import { USUAL_MANIFEST } from '../../project/names.ts';
import { type OpenProject, openProject } from '../../project/open-project.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import { printDiff, schemaPath } from './init.ts';
import { changeManifest, writeManifest } from './write.ts';

export interface SaveOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl save`: writes services that the command line has defined into the manifest, and changes no other line. */
export async function saveCommand(names: readonly string[], options: SaveOptions): Promise<number> {
  const query = { config: options.config };
  const { project } = chosen(query, names);
  const warn = (line: string): void => void process.stderr.write(`! ${printable(line)}\n`);
  const lock = await takeLockToStart(openHost(), project.folder, 'save', warn);
  try {
    // Once more: another save may have written the manifest before this one had the lock.
    return save(chosen(query, names), options);
  } finally {
    lock.release();
  }
}

/** A project, and the services of its command line that are to be saved. */
interface Chosen {
  readonly project: OpenProject;
  readonly records: readonly ServiceRecord[];
}

function save({ project: { outline, folder }, records }: Chosen, options: SaveOptions): number {
  const services = records.map((record) => toProposed(record, folder.root));
  const file = outline.kind === 'absent' ? join(folder.root, USUAL_MANIFEST) : outline.file;
  const { before, after } =
    outline.kind === 'absent'
      ? { before: '', after: toManifestText({ ...NOTHING, services }, schemaPath(folder.root)) }
      : changeManifest(file, (text) => withServices(text, file, services));
  if (outline.kind === 'absent') writeManifest(file, after);
  const problems = examineManifest({ file }).problems.map((one) => formatProblem(one, folder.root));
  const saved = services.map(({ name }) => name);
  if (options.json) printJson({ ok: problems.length === 0, file, saved, problems });
  else {
    const theme = themeFor(process.stdout, options.color);
    printDiff(diffLines(before, after), theme);
    process.stdout.write(`${theme.green('✓')} ${file} has ${saved.join(', ')} now\n`);
    for (const found of problems) process.stderr.write(`✗ ${printable(found)}\n`);
  }
  return problems.length === 0 ? ExitCode.Ok : ExitCode.Usage;
}

/** @throws DevctlError 'manifest-invalid', and 'service-unknown' or 'usage' where there is nothing to save */
function chosen(query: ManifestQuery, names: readonly string[]): Chosen {
  const project = openProject(query);
  if (project.outline.kind === 'broken') throw broken(project.outline.why);
  const records = adHocRecords(project);
  const known = records.map(({ service }) => service);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new DevctlError('service-unknown', `${unknown} is no service of the command line here`, {
      hint: known.length > 0 ? `one of: ${known.join(', ')}` : NONE,
    });
  if (records.length === 0)
    throw new DevctlError(
      'usage',
      'there is nothing to save: no service was started with a command',
      {
        hint: NONE,
      },
    );
  const isChosen = ({ service }: ServiceRecord): boolean =>
    names.length === 0 || names.includes(service);
  return { project, records: records.filter(isChosen) };
}

function broken(why: string): DevctlError {
  return new DevctlError('manifest-invalid', why, { hint: `mend it first: ${DEVCTL} check` });
}

const NONE = `start one: ${DEVCTL} start web -- npm run dev; a stop forgets it`;

function toProposed({ service, command, cwd }: ServiceRecord, root: string): ProposedService {
  const text = typeof command === 'string' ? command : command.join(' ');
  const folder = relative(root, cwd);
  return {
    name: service,
    command,
    // A folder elsewhere has a path that leads up and down again.
    ...(folder === '' ? {} : { cwd: folder.startsWith('..') ? cwd : folder }),
    from: `devctl start ${service} -- ${text}`,
    notes: [],
    text,
  };
}

/**
 * Adds services to the text of a manifest. Comments and all other lines stay as they are.
 *
 * @throws DevctlError 'manifest-invalid' where the text is half of one, because somebody writes it; 'usage' where it has
 *   such a service by now
 */
export function withServices(
  text: string,
  file: string,
  services: readonly ProposedService[],
): string {
  const { tree, problems } = parseText(text, file);
  const [problem] = problems;
  if (problem) throw broken(formatProblem(problem, dirname(file)));
  const isObject = (part: Tree | undefined): boolean =>
    part === undefined || part.kind === 'object';
  if (tree === null || !isObject(tree) || !isObject(valueAt(tree, 'services')))
    throw broken(`${file}: the manifest or its "services" is no object`);
  const taken = services.find(({ name }) => valueAt(tree, 'services', name));
  if (taken)
    throw new DevctlError('usage', `${file} has a service called ${taken.name} already`, {
      hint: 'nothing was changed',
    });
  return services.reduce(withService, text);
}

function withService(text: string, { name, command, cwd }: ProposedService): string {
  const value = { command, ...(cwd === undefined ? {} : { cwd }) };
  return withProperty(text, 'services', name, toInline(value));
}

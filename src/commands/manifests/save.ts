import {
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { DevctlError, ExitCode } from '../../errors.ts';
import { diffLines } from '../../init/line-diff.ts';
import { toInline, toManifestText } from '../../init/manifest-text.ts';
import { NOTHING, type ProposedService } from '../../init/proposal.ts';
import { examineManifest } from '../../manifest/load.ts';
import { withProperty } from '../../manifest/parse.ts';
import { formatProblem } from '../../manifest/problem.ts';
import { adHocRecords } from '../../operations/start/ad-hoc.ts';
import { printJson } from '../../output/terminal/json.ts';
import { themeFor } from '../../output/terminal/theme.ts';
import { printable } from '../../output/terminal/width.ts';
import { DEVCTL } from '../../own-command.ts';
import { USUAL_MANIFEST } from '../../project/names.ts';
import { type OpenProject, openProject } from '../../project/open-project.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import { printDiff, schemaPath, writeManifest } from './init.ts';

export interface SaveOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl save`: writes services that the command line has defined into the manifest, and changes no other line. */
export async function saveCommand(names: readonly string[], options: SaveOptions): Promise<number> {
  const project = openProject({ config: options.config });
  const { outline, folder } = project;
  if (outline.kind === 'broken')
    throw new DevctlError('manifest-invalid', outline.why, {
      hint: `mend it first: ${DEVCTL} check`,
    });
  const services = chosen(project, names).map((record) => toProposed(record, folder.root));
  const file = outline.kind === 'absent' ? join(folder.root, USUAL_MANIFEST) : outline.file;
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const after =
    before === ''
      ? toManifestText({ ...NOTHING, services }, schemaPath(folder.root))
      : services.reduce(withService, before);
  if (outline.kind === 'absent') writeManifest(file, after);
  else replaceFile(file, after);
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

function chosen(project: OpenProject, names: readonly string[]): readonly ServiceRecord[] {
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
  return names.length === 0 ? records : records.filter(({ service }) => names.includes(service));
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

/** Adds one service to the text of a manifest. Comments and all other lines stay as they are. */
function withService(text: string, { name, command, cwd }: ProposedService): string {
  const value = { command, ...(cwd === undefined ? {} : { cwd }) };
  return withProperty(text, 'services', name, toInline(value));
}

/** Writes beside and renames, so that nobody reads half of a manifest. A link stays a link. */
function replaceFile(file: string, text: string): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  const mode = existsSync(target) ? statSync(target).mode & 0o777 : 0o666;
  const fresh = `${target}.${process.pid}.tmp`;
  try {
    writeFileSync(fresh, text, { flag: 'wx', mode });
    renameSync(fresh, target);
  } catch (error) {
    throw new DevctlError('init-failed', `${file} cannot be written: ${error}`, {
      hint: 'nothing was changed',
    });
  }
}

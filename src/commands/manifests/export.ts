import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DevctlError, ExitCode, errnoOf } from '../../errors.ts';
import { collectExport } from '../../export/collect.ts';
import { toProcfile } from '../../export/procfile.ts';
import {
  type Exported,
  type ExportedFile,
  type ExportNote,
  noteInWords,
} from '../../export/source.ts';
import { toUnits } from '../../export/systemd.ts';
import { printJson } from '../../output/terminal/json.ts';
import { printable } from '../../output/terminal/width.ts';
import { DEVCTL } from '../../own-command.ts';
import { currentFolder } from '../../processes/working-folder.ts';
import { manifestQuery, openProject } from '../../project/open-project.ts';

export interface ExportOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly output?: string;
  readonly force?: boolean;
}

/** Runs `devctl export`: prints the manifest in the words of another program, or writes it; starts nothing. */
export async function exportCommand(format: string, options: ExportOptions): Promise<number> {
  const query = { config: options.config };
  const source = collectExport(manifestQuery(openProject(query), query));
  if (source.services.length === 0)
    throw new DevctlError('usage', 'nothing to export: the manifest has no services');
  const exported = format === 'systemd' ? toUnits(source) : toProcfile(source);
  const folder = options.output === undefined ? null : resolve(currentFolder(), options.output);
  if (folder !== null) writeFiles(folder, exported.files, options.force === true);
  if (options.json === true) printJson(inJson(format, exported, folder));
  else print(exported, folder);
  return ExitCode.Ok;
}

function inJson(format: string, { files, notes }: Exported, folder: string | null): object {
  return {
    ok: true,
    format,
    files: files.map(({ name, text }) => ({
      name,
      file: folder === null ? null : join(folder, name),
      text,
    })),
    notes,
  };
}

function print({ files, notes }: Exported, folder: string | null): void {
  for (const { name, text } of files) {
    if (folder !== null) process.stdout.write(`✓ ${printable(join(folder, name))} is written\n`);
    // As `systemctl cat` shows several.
    else process.stdout.write(files.length === 1 ? text : `# ${name}\n${text}\n`);
  }
  for (const line of new Set(notes.map((note) => withServices(note, notes))))
    process.stderr.write(`! ${printable(line)}\n`);
}

/** Says the same note of several services once. */
function withServices(note: ExportNote, notes: readonly ExportNote[]): string {
  const same = notes.filter(({ key, text }) => key === note.key && text === note.text);
  const names = same.flatMap(({ service }) => service ?? []);
  return noteInWords({ ...note, service: names.length === 0 ? null : names.join(', ') });
}

/**
 * Writes all files, or none where one is there with another text.
 *
 * @throws DevctlError 'export-failed'
 */
function writeFiles(folder: string, files: readonly ExportedFile[], force: boolean): void {
  try {
    makeFolder(folder);
    const fresh = files.filter(({ name, text }) => textOf(join(folder, name)) !== text);
    const there = fresh.filter(({ name }) => textOf(join(folder, name)) !== null);
    if (there.length > 0 && !force)
      throw failed(
        `${there.map(({ name }) => join(folder, name)).join(', ')}: there already, with another text`,
        'nothing was written; --force overwrites',
      );
    // A file that has come meanwhile stays, unless it was to be overwritten.
    for (const { name, text } of fresh)
      writeFileSync(join(folder, name), text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if (error instanceof DevctlError) throw error;
    throw failed(
      `${folder} cannot be written: ${error}`,
      `another folder: ${DEVCTL} export --output FOLDER`,
    );
  }
}

/** Makes a folder with those above it. Node's own way never ends in a file system that makes no folders, such as /proc. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) !== 'ENOENT' || existsSync(dirname(folder))) throw error;
    makeFolder(dirname(folder));
    mkdirSync(folder);
  }
}

/** The text of a file; null where there is none. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function failed(message: string, hint: string): DevctlError {
  return new DevctlError('export-failed', message, { hint });
}

import { fieldsOf, textOfScalar } from '../plain-values.ts';

/** The texts that `init` has read of a repository; nothing was run. All paths are relative to its folder, with `/`. */
export interface Repository {
  /** The name of the folder. */
  readonly name: string;
  /** Folders in which something may be run: `.` first, then workspaces and folders with programs of their own. */
  readonly folders: readonly string[];
  readonly texts: ReadonlyMap<string, string>;
  /** The values of JSON and YAML files. */
  readonly documents: ReadonlyMap<string, unknown>;
  /** Files and folders that exist, also those that were not read. */
  readonly present: ReadonlySet<string>;
  /** Files that could not be read, with the reason. */
  readonly problems: readonly string[];
}

/** Joins paths relative to the repository. */
export function below(folder: string, path: string): string {
  const steps: string[] = [];
  for (const step of `${folder}/${path}`.split('/')) {
    if (step === '' || step === '.') continue;
    if (step === '..' && steps.length > 0 && steps.at(-1) !== '..') steps.pop();
    else steps.push(step);
  }
  return steps.join('/') || '.';
}

/** The last part of a path; the name of the repository for its own folder. */
export function nameOfFolder(repository: Pick<Repository, 'name'>, folder: string): string {
  return folder === '.' ? repository.name : (folder.split('/').at(-1) ?? folder);
}

/** The first of these files of a folder that was read. */
export function firstText(
  { texts }: Pick<Repository, 'texts'>,
  folder: string,
  names: readonly string[],
): { readonly path: string; readonly text: string } | null {
  for (const name of names) {
    const path = below(folder, name);
    const text = texts.get(path);
    if (text !== undefined) return { path, text };
  }
  return null;
}

/** The fields that are texts. Numbers and truth values count as their text. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(fieldsOf(value)).flatMap(([key, one]) => {
    const text = textOfScalar(one);
    return text === null ? [] : [[key, text] as const];
  });
  return Object.fromEntries(entries);
}

/** The texts of a list; empty for any other value. */
export function listOfTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.flatMap((one) => textOfScalar(one) ?? []) : [];
}

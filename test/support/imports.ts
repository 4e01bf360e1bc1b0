import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One import of a source file. */
export interface Import {
  /** Path from src/ for our own files, the specifier itself for packages and `node:` modules. */
  readonly target: string;
  /** True for `import type` and `export type`, which are gone when the program runs. */
  readonly typeOnly: boolean;
  /** True for `import('…')`, which is loaded when it is needed. */
  readonly lazy: boolean;
}

export interface SourceFile {
  /** Path from src/, with slashes. */
  readonly file: string;
  /** The text without comments and without text in quotes. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** Every TypeScript file below `folder`. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.split(path.sep).join('/'))
    .sort()
    .map((name) => parseSource(name, readFileSync(path.join(folder, name), 'utf8')));
}

/**
 * Reads the imports of one file. Regular expressions will do: Biome's formatter leaves only a few
 * shapes, and the test that uses this checks that every shape is found.
 */
export function parseSource(file: string, text: string): SourceFile {
  const uncommented = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
  const imports = [
    ...[...uncommented.matchAll(STATIC)].map(([, typeKeyword, specifier = '']) => ({
      target: resolveTarget(file, specifier),
      typeOnly: typeKeyword !== undefined,
      lazy: false,
    })),
    ...[...uncommented.matchAll(DYNAMIC)].map(([, specifier = '']) => ({
      target: resolveTarget(file, specifier),
      typeOnly: false,
      lazy: true,
    })),
  ];
  return { file, code: uncommented.replace(QUOTED, "''"), imports };
}

function resolveTarget(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return path.posix.join(path.posix.dirname(file), specifier);
}

const STATIC = /^(?:import|export)\s+(?:(type)\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\b(?:import|require|createRequire\([^)]*\))\(\s*'([^']+)'\s*\)/g;
const QUOTED = /'(?:[^'\\\n]|\\.)*'/g;

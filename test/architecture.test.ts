import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseSource, readSources, type SourceFile } from './support/imports.ts';

const sources = readSources(fileURLToPath(new URL('../src', import.meta.url)));

/** Each folder may import from the ones below its own line, and from itself. */
const LAYERS: readonly (readonly string[])[] = [
  ['main.ts', 'quick-main.ts'],
  ['cli.ts', 'index.ts'],
  ['quick.ts', 'commands'],
  ['output', 'supervisor'],
  ['account'],
  ['stopping', 'services', 'containers'],
  ['ownership'],
  ['project'],
  ['manifest'],
  ['processes'],
  ['errors.ts'],
];

/** Decisions without the world: the same input always gives the same answer. */
const PURE: readonly RegExp[] = [
  /^ownership\//,
  /^account\//,
  /^stopping\/(plan|waves)\.ts$/,
  /^services\/(lifecycle|dependencies|restart-policy|leases|use|thinning|look-pace|limits|branch|breach-words)\.ts$/,
  /^quick\.ts$/,
  /^output\/(monitor\/|repaint\.ts$)/,
  /^processes\/(identity|snapshot|linux-stat)\.ts$/,
];

/** Each takes longer to load than `status` may take in all. */
const HEAVY_PACKAGES = ['zod', 'execa', 'ora', 'chalk', 'ps-list', 'pidtree', 'tree-kill', 'koffi'];
const HOT_PATHS = ['quick-main.ts', 'cli.ts', 'commands/status.ts', 'commands/stop.ts'];

describe('who may import whom', () => {
  test.each(sources.map((source) => [source.file, source] as const))('%s', (_file, source) => {
    expect(importBreaches(source)).toEqual([]);
  });
});

describe('pure modules', () => {
  // What a pure module loads must be pure as well, wherever it lives.
  const roots = sources.filter(({ file }) => PURE.some((pattern) => pattern.test(file)));
  const reached = new Set(roots.flatMap(({ file }) => [...eagerlyLoaded(file, sources)]));
  const pure = sources.filter(({ file }) => reached.has(file));

  test('there are some', () => {
    expect(pure.length).toBeGreaterThan(2);
  });

  test.each(pure.map((source) => [source.file, source] as const))('%s', (_file, source) => {
    expect(impurities(source)).toEqual([]);
  });
});

describe('what status and stop load', () => {
  const present = HOT_PATHS.filter((file) => sources.some((source) => source.file === file));

  test.each(present)('%s loads no heavy package', (file) => {
    const loaded = eagerlyLoaded(file, sources);
    expect(HEAVY_PACKAGES.filter((name) => loaded.has(name))).toEqual([]);
  });
});

describe('the rules bite', () => {
  test.each([
    ['upwards', 'processes/linux.ts', "import { x } from '../manifest/parse.ts';"],
    ['upwards, types too', 'manifest/parse.ts', "import type { X } from '../project/lock.ts';"],
    ['upwards, lazily', 'project/lock.ts', "const x = await import('../supervisor/client.ts');"],
    ['upwards, re-exported', 'errors.ts', "export * from './manifest/parse.ts';"],
    ['sideways', 'stopping/engine.ts', "import { x } from '../services/launch.ts';"],
    ['into commands', 'supervisor/main.ts', "import {\n  a,\n  b,\n} from '../commands/stop.ts';"],
    ['into output', 'services/launch.ts', "import { x } from '../output/theme.ts';"],
    ['into output from the top', 'index.ts', "import { x } from './output/theme.ts';"],
    ['output decides nothing', 'output/table.ts', "import { x } from '../ownership/claims.ts';"],
    ['a folder that nobody planned', 'utils/x.ts', "import { x } from '../errors.ts';"],
  ])('%s', (_name, file, text) => {
    expect(importBreaches(parseSource(file, text))).toHaveLength(1);
  });

  test.each([
    ['downwards', 'stopping/engine.ts', "import { x } from '../ownership/claims.ts';"],
    ['itself', 'stopping/engine.ts', "import { x } from './plan.ts';"],
    [
      'supervisor uses services',
      'supervisor/main.ts',
      "import { x } from '../services/launch.ts';",
    ],
    ['output knows shapes', 'output/x.ts', "import type { X } from '../stopping/report.ts';"],
    ['a comment is no import', 'errors.ts', "// import { x } from './cli.ts';"],
  ])('and let through: %s', (_name, file, text) => {
    expect(importBreaches(parseSource(file, text))).toEqual([]);
  });

  test.each([
    ['a node module', "import fs from 'node:fs';"],
    ['a package', "import * as z from 'zod';"],
    ['the clock', 'const now = Date.now();'],
    ['another clock', 'const now = performance.now();'],
    ['chance', 'const x = Math.random();'],
    ['the environment', 'const x = process.env;'],
    ['a lazy import', "const x = await import('./y.ts');"],
    ['a timer', 'setTimeout(next, 10);'],
    ['the console', 'console.log(1);'],
  ])('%s is not pure', (_name, text) => {
    expect(impurities(parseSource('ownership/x.ts', text))).toHaveLength(1);
  });

  test.each([
    ['a type', "import type { X } from '../project/service-record.ts';"],
    ['a pure module', "import { x } from '../processes/identity.ts';"],
    ['a variable named process', 'for (const process of processes) use(process.identity.pid);'],
    ['a word in a text', "const why = 'Date is not known';"],
  ])('%s is pure', (_name, text) => {
    expect(impurities(parseSource('ownership/x.ts', text))).toEqual([]);
  });

  test('a heavy package is found behind several files, not behind a lazy import', () => {
    const files = [
      parseSource('a.ts', "import { b } from './b.ts';\nconst d = await import('./d.ts');"),
      parseSource('b.ts', "export { c } from './c.ts';"),
      parseSource('c.ts', "import * as z from 'zod';"),
      parseSource('d.ts', "import ora from 'ora';"),
    ];
    const loaded = eagerlyLoaded('a.ts', files);
    expect(loaded).toContain('zod');
    expect(loaded).not.toContain('ora');
  });
});

/** Every import that goes up, or sideways where only `supervisor` may. */
function importBreaches({ file, imports }: SourceFile): string[] {
  const from = folderOf(file);
  return imports.flatMap(({ target, typeOnly }) => {
    const to = folderOf(target);
    if (!target.endsWith('.ts') || to === from) return [];
    return mayImport(from, to, typeOnly) ? [] : [`${file} must not import ${target}`];
  });
}

function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  const isEntry = ['cli.ts', 'main.ts', 'quick-main.ts'].includes(from);
  if (to === 'output') return isEntry || from === 'commands';
  if (to === 'commands') return isEntry;
  // What is printed has a shape, which the folder that made it defines.
  if (from === 'output') return to === 'errors.ts' || typeOnly;
  const level = LAYERS.findIndex((folders) => folders.includes(from));
  const below = LAYERS.findIndex((folders) => folders.includes(to));
  return level !== -1 && level < below;
}

/** `manifest/parse.ts` → `manifest`, `errors.ts` → `errors.ts`. */
function folderOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** What a file takes from the world; what it takes from other files of ours is judged there. */
function impurities({ file, code, imports }: SourceFile): string[] {
  const loaded = imports
    .filter(({ target, typeOnly, lazy }) => !typeOnly && (lazy || !target.endsWith('.ts')))
    .map(({ target }) => `${file} loads ${target}`);
  const used = [...code.matchAll(WORLD)].map(([name]) => `${file} uses ${name}`);
  return [...loaded, ...used];
}

// `process` alone is a fine name for a row of the process table; these are Node's.
const WORLD =
  /\bDate\b|\bMath\.random\b|\bperformance\b|\bprocess\.(?:env|argv|cwd|kill|hrtime|exit|exitCode|on|once|platform|std(?:in|out|err)|uptime|nextTick|pid)\b|\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bglobalThis\b|\bconsole\.|\bfetch\(/g;

/** Files and packages that are loaded as soon as `entry` is. */
function eagerlyLoaded(entry: string, files: readonly SourceFile[]): ReadonlySet<string> {
  const loaded = new Set<string>();
  const queue = [entry];
  for (const target of queue) {
    if (loaded.has(target)) continue;
    loaded.add(target);
    const source = files.find(({ file }) => file === target);
    const eager = source?.imports.filter(({ typeOnly, lazy }) => !typeOnly && !lazy) ?? [];
    queue.push(...eager.map((found) => found.target));
  }
  return loaded;
}

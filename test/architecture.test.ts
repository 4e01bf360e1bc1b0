import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseSource, readSources, type SourceFile } from './support/imports.ts';
import { repositoryRoot } from './support/paths.ts';
import { commentsOf, sentencesWithoutNoun } from './support/wording.ts';

const sources = readSources(fileURLToPath(new URL('../src', import.meta.url)));

/** Each folder may import from the ones below its own line, and from itself. */
const LAYERS: readonly (readonly string[])[] = [
  ['main.ts', 'quick-main.ts'],
  ['cli.ts', 'index.ts'],
  ['command-line'],
  ['quick.ts', 'commands'],
  ['output', 'supervisor'],
  ['operations'],
  ['lock'],
  ['client'],
  ['tracking'],
  ['report'],
  ['history'],
  ['services'],
  ['limits', 'leases', 'logs', 'stopping'],
  ['init', 'export'],
  ['containers'],
  ['ownership'],
  ['project'],
  ['manifest'],
  ['processes', 'patterns'],
  ['errors.ts', 'own-command.ts', 'package-root.ts', 'yaml.ts', 'compiled-code.ts'],
  ['plain-values.ts'],
];

/** The same inside a folder: a room may import from the rooms after it. A file beside the rooms is above them. */
const ROOMS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  supervisor: [['api'], ['policies'], ['services']],
  operations: [['up', 'wait', 'probe'], ['start', 'run'], ['stop'], ['status', 'doctor', 'attach']],
  output: [['monitor', 'html'], ['text'], ['terminal']],
  services: [['probes', 'hooks'], ['launch'], ['lifecycle']],
};

/** Decisions without the world: the same input always gives the same answer. */
const PURE: readonly RegExp[] = [
  /^ownership\//,
  /^report\//,
  /^patterns\//,
  /^services\/lifecycle\//,
  /^services\/hooks\/gate\.ts$/,
  /^stopping\/(plan|waves|state|asking|killing)\.ts$/,
  /^limits\/(check-breach|evaluate|growth-branch|words)\.ts$/,
  /^leases\/evaluate\.ts$/,
  /^history\/(usage|buckets)\.ts$/,
  /^tracking\/scan-pace\.ts$/,
  /^containers\/(compose-file|labels|project-name|override|readiness|report|plan)\.ts$/,
  /^quick\.ts$/,
  /^command-line\/(mistakes|other-tools)\.ts$/,
  /^init\/(?!collect)/,
  /^export\/(?!collect)/,
  /^output\/monitor\/(?!full-screen|terminal-restorer)/,
  /^processes\/(identity|snapshot)\.ts$/,
  /^processes\/linux\/stat\.ts$/,
  /^operations\/attach\/(keys|modes)\.ts$/,
  /^operations\/probe\/learn\.ts$/,
];

/** More files than this in one folder, and nobody finds anything. */
const MOST_FILES_IN_A_FOLDER = 30;

/** Each takes longer to load than `status` may take in all. */
const HEAVY_PACKAGES = [
  'zod/mini',
  'execa',
  'ora',
  'chalk',
  'ps-list',
  'pidtree',
  'tree-kill',
  'koffi',
  'yaml',
];
const CONTAINERS_ONLY = /^(yaml(\.ts)?|containers\/(up|down|engine|compose))/;
/** The one file of the supervisor that makes processes, so that each is known as a child of Node's. */
const SPAWNER = 'processes/spawn.ts';
const HOT_PATHS = ['quick-main.ts', 'cli.ts', 'commands/status.ts', 'commands/stop.ts'];

describe('who may import whom', () => {
  test.each(sources.map((source) => [source.file, source] as const))('%s', (_file, source) => {
    expect(importBreaches(source)).toEqual([]);
  });
});

describe('the house', () => {
  test('there is no circle of files, type imports included', () => {
    expect(circles(sources)).toEqual([]);
  });

  test('an exported name is given once', () => {
    expect(namesGivenTwice(sources)).toEqual([]);
  });

  test('of zod only zod/mini is taken: the package would be 13 kB larger, and each start slower', () => {
    const targets = sources.flatMap(({ imports }) => imports.map(({ target }) => target));
    const ofZod = targets.filter((target) => /^zod(\/|$)/.test(target));
    expect(new Set(ofZod)).toEqual(new Set(['zod/mini']));
  });

  test('no folder holds too many files', () => {
    const folders = groupBy(sources, ({ file }) => posix.dirname(file));
    const full = [...folders].filter(([, files]) => files.length > MOST_FILES_IN_A_FOLDER);
    expect(full.map(([folder, files]) => `${folder}: ${files.length} files`)).toEqual([]);
  });
});

test('no sentence of a comment begins with "What", "Who" or "Whoever"', () => {
  const found = commentedFiles().flatMap((file) =>
    sentencesWithoutNoun(file, commentsOf(file, readFileSync(join(repositoryRoot, file), 'utf8'))),
  );
  expect(found).toEqual([]);
});

describe('pure modules', () => {
  // A file that a pure module loads must be pure as well, wherever it lives.
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

describe('what the supervisor loads', () => {
  const loaded = reachedFrom('supervisor/resident.ts', sources);

  test('spawns in one file', () => {
    expect(spawners(loaded)).toEqual([SPAWNER]);
  });
});

describe('what status and stop load', () => {
  const present = HOT_PATHS.filter((file) => sources.some((source) => source.file === file));

  test.each(present)('%s loads no heavy package', (file) => {
    const loaded = eagerlyLoaded(file, sources);
    expect(HEAVY_PACKAGES.filter((name) => loaded.has(name))).toEqual([]);
  });

  test('start and the supervisor load what containers need only for a project that has some', () => {
    for (const file of ['commands/apply.ts', 'commands/up.ts', 'supervisor/resident.ts'])
      expect([...eagerlyLoaded(file, sources)].filter((one) => CONTAINERS_ONLY.test(one))).toEqual(
        [],
      );
  });
});

describe('the rules bite', () => {
  test.each([
    ['upwards', 'processes/host.ts', "import { x } from '../manifest/parse.ts';"],
    ['upwards, types too', 'manifest/parse.ts', "import type { X } from '../project/folder.ts';"],
    ['upwards, lazily', 'lock/lock.ts', "const x = await import('../operations/send.ts');"],
    ['upwards, re-exported', 'errors.ts', "export * from './manifest/parse.ts';"],
    ['sideways', 'stopping/engine.ts', "import { x } from '../logs/reader.ts';"],
    ['into commands', 'supervisor/main.ts', "import {\n  a,\n  b,\n} from '../commands/stop.ts';"],
    ['into the supervisor', 'commands/stop.ts', "import { x } from '../supervisor/log.ts';"],
    ['into the supervisor, lazily', 'cli.ts', "const x = await import('./supervisor/log.ts');"],
    ['into output', 'services/launch/launch.ts', "import { x } from '../../output/text/stop.ts';"],
    ['into output from the top', 'index.ts', "import { x } from './output/terminal/theme.ts';"],
    [
      'output decides nothing',
      'output/terminal/table.ts',
      "import { x } from '../../ownership/claims.ts';",
    ],
    ['upwards between rooms', 'operations/stop/stop.ts', "import { x } from '../up/up.ts';"],
    ['sideways between rooms', 'operations/run/run.ts', "import { x } from '../start/start.ts';"],
    ['from a room to a file beside it', 'operations/up/up.ts', "import { x } from '../send.ts';"],
    ['a room that nobody planned', 'operations/misc/x.ts', "import { x } from '../stop/stop.ts';"],
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
      "import { x } from '../services/launch/launch.ts';",
    ],
    ['downwards between rooms', 'operations/up/up.ts', "import { x } from '../stop/stop.ts';"],
    ['a room of another folder', 'commands/up.ts', "import { x } from '../operations/up/up.ts';"],
    ['a file beside the rooms', 'operations/send.ts', "import { x } from './stop/stop.ts';"],
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

  test('a circle is found, also of types and behind other files', () => {
    const files = [
      parseSource('a.ts', "import { b } from './b.ts';"),
      parseSource('b.ts', "import type { C } from './c.ts';"),
      parseSource('c.ts', "const a = await import('./a.ts');"),
      parseSource('d.ts', "import { a } from './a.ts';"),
    ];
    expect(circles(files)).toEqual(['a.ts, b.ts, c.ts']);
    expect(circles(files.slice(0, 2))).toEqual([]);
  });

  test('a name that two files export is found; a re-export is none', () => {
    const files = [
      parseSource('a.ts', 'export function look() {}\nexport const LOOK_MS = 5;'),
      parseSource('b.ts', 'export async function look() {}\nconst LOOK_MS = 5;'),
      parseSource('c.ts', "export { look } from './a.ts';"),
    ];
    expect(namesGivenTwice(files)).toEqual(['look: a.ts, b.ts']);
  });

  test('a spawn is found behind lazy imports, not in a type', () => {
    const files = [
      parseSource('a.ts', "const b = await import('./b.ts');"),
      parseSource('b.ts', "const { execa } = await import('execa');"),
      parseSource('c.ts', "import { spawn } from 'node:child_process';"),
      parseSource('d.ts', "import { c } from './c.ts';"),
      parseSource('e.ts', "import type { ChildProcess } from 'node:child_process';"),
      parseSource('f.ts', "import { e } from './e.ts';"),
    ];
    expect(spawners(reachedFrom('a.ts', files))).toEqual(['b.ts']);
    expect(spawners(reachedFrom('d.ts', files))).toEqual(['c.ts']);
    expect(spawners(reachedFrom('f.ts', files))).toEqual([]);
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

/** The files of this repository that have comments, as paths from its root. */
function commentedFiles(): readonly string[] {
  return ['src', 'bin', 'scripts', 'bench', 'test', 'fixtures'].flatMap((folder) =>
    readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:[cm]?[jt]s|pl|pm|sh)$/.test(name) && !name.includes('node_modules'))
      .map((name) => posix.join(folder, name)),
  );
}

/** Every import that goes up or sideways. */
function importBreaches({ file, imports }: SourceFile): string[] {
  return imports
    .filter(({ target }) => target.endsWith('.ts'))
    .filter(({ target, typeOnly }) => !mayImport(file, target, typeOnly))
    .map(({ target }) => `${file} must not import ${target}`);
}

function mayImport(file: string, target: string, typeOnly: boolean): boolean {
  const from = folderOf(file);
  const to = folderOf(target);
  if (to === from) return isDownwards(ROOMS[from], roomOf(file), roomOf(target));
  const isEntry = ['cli.ts', 'main.ts', 'quick-main.ts'].includes(from);
  if (to === 'output') return isEntry || from === 'commands';
  if (to === 'commands') return isEntry || from === 'command-line';
  // Only the build and the tests begin there: it is a program of its own.
  if (to === 'supervisor') return false;
  // Printed data has a shape, which the folder that made the data defines.
  if (from === 'output') return ['errors.ts', 'own-command.ts'].includes(to) || typeOnly;
  return LAYERS.some((names) => names.includes(from)) && isDownwards(LAYERS, from, to);
}

/** @param from null for a file that stands above all levels */
function isDownwards(
  levels: readonly (readonly string[])[] | undefined,
  from: string | null,
  to: string | null,
): boolean {
  if (!levels || from === to) return true;
  const level = from === null ? -1 : levels.findIndex((names) => names.includes(from));
  const below = to === null ? -1 : levels.findIndex((names) => names.includes(to));
  return below > level && (from === null || level !== -1);
}

/** `manifest/parse.ts` → `manifest`, `errors.ts` → `errors.ts`. */
function folderOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** `operations/stop/sweep.ts` → `stop`, `operations/send.ts` → null. */
function roomOf(file: string): string | null {
  const [, room, inside] = file.split('/');
  return inside === undefined ? null : (room ?? null);
}

/** Sets of files that each reach the others (Tarjan's strongly connected components). */
function circles(files: readonly SourceFile[]): string[] {
  const byName = new Map(files.map((source) => [source.file, source]));
  const reach = new Map<string, ReadonlySet<string>>();
  for (const { file } of files) {
    const seen = new Set<string>();
    const queue = [file];
    for (const name of queue) {
      for (const { target } of byName.get(name)?.imports ?? []) {
        if (!byName.has(target) || seen.has(target)) continue;
        seen.add(target);
        queue.push(target);
      }
    }
    reach.set(file, seen);
  }
  const inCircle = [...reach].filter(([file, seen]) => seen.has(file)).map(([file]) => file);
  const sets = inCircle.map((file) =>
    inCircle.filter((other) => reach.get(file)?.has(other) && reach.get(other)?.has(file)),
  );
  return [...new Set(sets.map((set) => set.sort().join(', ')))];
}

/** Names that more than one file exports. */
function namesGivenTwice(files: readonly SourceFile[]): string[] {
  const given = files.flatMap(({ file, code }) => {
    // A value and its type may share one name.
    const names = new Set([...code.matchAll(EXPORTED)].map(([, name = '']) => name));
    return [...names].map((name) => ({ name, file }));
  });
  return [...groupBy(given, ({ name }) => name)]
    .filter(([, places]) => places.length > 1)
    .map(([name, places]) => `${name}: ${places.map(({ file }) => file).join(', ')}`)
    .sort();
}

function groupBy<Value>(
  values: readonly Value[],
  keyOf: (value: Value) => string,
): Map<string, Value[]> {
  const groups = new Map<string, Value[]>();
  for (const value of values) {
    groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  }
  return groups;
}

const EXPORTED =
  /^export (?:async )?(?:function\*?|const|class|interface|type|abstract class) (\w+)/gm;

/** Lists what a file takes from the world; what it takes from other files of ours is judged there. */
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

/** Files that `entry` may ever load, lazily too. */
function reachedFrom(entry: string, files: readonly SourceFile[]): readonly SourceFile[] {
  const names = new Set([entry]);
  // A set is walked in the order in which it grows.
  for (const name of names) {
    const source = files.find(({ file }) => file === name);
    for (const { target, typeOnly } of source?.imports ?? []) if (!typeOnly) names.add(target);
  }
  return files.filter(({ file }) => names.has(file));
}

/** Those of `files` that can make a process. */
function spawners(files: readonly SourceFile[]): readonly string[] {
  const isSpawn = ({ target, typeOnly }: SourceFile['imports'][number]): boolean =>
    !typeOnly && /^(execa|(node:)?child_process)$/.test(target);
  return files.filter(({ imports }) => imports.some(isSpawn)).map(({ file }) => file);
}

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

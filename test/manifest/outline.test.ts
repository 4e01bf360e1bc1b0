import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readManifestOutline } from '../../src/manifest/outline.ts';
import { readSources } from '../support/imports.ts';
import { folderWith, write } from './folder.ts';

const NOTHING = {
  local: null,
  services: [],
  groups: {},
  // The unread part may hold an `off` or a `protect`.
  sweep: { patterns: [], scope: 'off', protect: [] },
};

function outlineOf(manifest: unknown, files: Readonly<Record<string, unknown>> = {}) {
  const cwd = folderWith({ '.devctl.json': manifest, ...files });
  const outline = readManifestOutline({ cwd });
  return outline.kind === 'absent' ? expect.fail('not found') : outline;
}

test('an outline has what stop and status need, with the local file merged over it', () => {
  const outline = outlineOf(
    {
      name: 'shop',
      pidsDir: 'run',
      services: {
        db: { command: 'x', autostart: false, ports: [5432] },
        web: { command: 'x', dependsOn: { db: 'ready' }, unknown: 1 },
        api: { dependsOn: ['db', 'web'], http: [] },
      },
      groups: { all: ['db', 'web'] },
      sweep: { patterns: ['turbo'], scope: 'user', protect: ['vim'] },
    },
    {
      '.devctl.local.json': { services: { web: { ports: [1, '53/udp'] } }, logs: { dir: 'logs' } },
    },
  );
  expect(outline).toEqual({
    kind: 'found',
    file: join(outline.root, '.devctl.json'),
    root: outline.root,
    local: join(outline.root, '.devctl.local.json'),
    trusted: true,
    name: 'shop',
    pidsDir: join(outline.root, 'run'),
    logsDir: join(outline.root, 'logs'),
    services: [
      {
        name: 'db',
        autostart: false,
        ports: [5432],
        udpPorts: [],
        portNames: new Map(),
        dependsOn: [],
        http: [],
      },
      {
        name: 'web',
        autostart: true,
        ports: [1],
        udpPorts: [53],
        portNames: new Map(),
        dependsOn: ['db'],
        http: [],
      },
      {
        name: 'api',
        autostart: true,
        ports: [],
        udpPorts: [],
        portNames: new Map(),
        dependsOn: ['db', 'web'],
        http: [],
      },
    ],
    groups: { all: ['db', 'web'] },
    sweep: { patterns: ['turbo'], scope: 'user', protect: ['vim'] },
    protection: { patterns: [], byEnvironment: false },
    hasContainers: false,
    startsWithoutContainers: false,
    notifiesDesktop: false,
  });
});

test.each<[manifest: string, why: string]>([
  ['', '.devctl.json:1:1  is empty.'],
  ['{', '.devctl.json:1:2  expected "}" before the end of the file'],
  ['[]', '.devctl.json:1:1  expected an object'],
  ['\0', '.devctl.json:1:1  '],
])('a manifest of %j is broken, and the project is still known', (manifest, why) => {
  const outline = outlineOf(manifest);
  expect(outline).toMatchObject({
    kind: 'broken',
    why: expect.stringContaining(why),
    name: basename(outline.root),
    pidsDir: join(outline.root, '.pids'),
    ...NOTHING,
  });
});

test('of a manifest that ends too early, the part before the end is read', () => {
  expect(outlineOf('{"services": {"web": {"ports": [80], "command": "x"}, "api": {')).toMatchObject(
    {
      kind: 'broken',
      services: [
        { name: 'web', ports: [80] },
        { name: 'api', ports: [] },
      ],
    },
  );
});

test('the manifest is still read when the local file is broken', () => {
  expect(outlineOf({ services: { web: {} } }, { '.devctl.local.json': '}' })).toMatchObject({
    kind: 'broken',
    why: '.devctl.local.json:1:1  expected a value before "}"',
    services: [{ name: 'web' }],
  });
});

test('a folder in the place of the manifest is broken', () => {
  const cwd = folderWith({});
  mkdirSync(join(cwd, '.devctl.json'));
  expect(readManifestOutline({ cwd })).toMatchObject({
    kind: 'broken',
    why: '.devctl.json:1:1  is a folder, not a file',
    root: cwd,
  });
});

test.each<[sweep: unknown, why: string, expected: object]>([
  [{ scope: 'usr' }, 'sweep.scope: expected', { scope: 'project' }],
  [
    { scope: 'user', patterns: ['('] },
    'sweep.patterns: "(" is not a regular expression',
    { scope: 'project', patterns: [] },
  ],
  [{ patterns: ['.*', 'ok'] }, 'sweep.patterns: ".*" matches every', { patterns: ['ok'] }],
  [
    { patterns: ['(a+)+\\1', 'ok'] },
    'sweep.patterns: "(a+)+\\\\1" may take for ever',
    { patterns: ['ok'] },
  ],
  [{ protect: ['(a+)+\\1'] }, 'may take for ever', { scope: 'off', protect: [] }],
  [{ patterns: 5 }, 'sweep.patterns: expected', { patterns: [] }],
  // The broken pattern may have protected any process.
  [{ protect: ['(', 'vim'] }, 'sweep.protect: "(" is not a', { scope: 'off', protect: ['vim'] }],
  [{ scope: 'off', protect: 5 }, 'sweep.protect: expected', { scope: 'off' }],
])('a broken sweep never sweeps more: %j', (sweep, why, expected) => {
  expect(outlineOf({ sweep })).toMatchObject({
    kind: 'broken',
    why: expect.stringContaining(why),
    sweep: expected,
  });
});

test.each([
  ['the last } is missing', '{"services": {}, "sweep": {"scope": "user", "patterns": ["x"]}'],
  ['a comma is missing', '{"services": {} "sweep": {"scope": "user"}}'],
  ['a comma is missing before protect', '{"sweep": {"patterns": ["x"] "protect": ["vim"]}}'],
  ['a string is not closed', '{"name": "shop, "sweep": {"scope": "off"}}'],
  ['a } too many', '{"services": {}}, "sweep": {"scope": "off"}}'],
  ['a key is given twice', '{"sweep": {"scope": "off"}, "sweep": {"scope": "user"}}'],
])('where %s, nothing is swept', (_name, manifest) => {
  const off = { kind: 'broken', sweep: { scope: 'off' } };
  expect(outlineOf(manifest)).toMatchObject(off);
  expect(outlineOf({ services: {} }, { '.devctl.local.json': manifest })).toMatchObject(off);
});

test('records are never looked for in the folder of the project itself', () => {
  for (const pidsDir of ['.', '..', '/', 'a/..', '']) {
    const outline = outlineOf({ pidsDir });
    expect(outline.pidsDir).toBe(join(outline.root, '.pids'));
  }
});

test('without a manifest the outline is absent', () => {
  const cwd = folderWith({});
  expect(readManifestOutline({ cwd })).toMatchObject({ kind: 'absent', root: cwd });
});

test('reading any files never throws, and always knows the project', () => {
  const cwd = folderWith({});
  const key = fc.constantFrom(
    'services',
    'web',
    'ports',
    'dependsOn',
    'groups',
    'sweep',
    'patterns',
  );
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 0 }),
      fc.dictionary(key, tie('json'), { noNullPrototype: false }),
      fc.array(tie('json')),
    ),
  }));
  const content = fc.oneof(
    json.map((value) => JSON.stringify(value)),
    fc.tuple(json, fc.nat()).map(([value, end]) => {
      const text = JSON.stringify(value);
      return text.slice(0, end % (text.length + 1));
    }),
    fc.uint8Array(),
  );
  fc.assert(
    fc.property(content, content, (manifest, local) => {
      write(join(cwd, '.devctl.json'), manifest);
      write(join(cwd, '.devctl.local.json'), local);
      expect(readManifestOutline({ cwd })).toMatchObject({ root: cwd });
    }),
    { numRuns: 300 },
  );
});

test('it does not load zod, which would take longer than everything else', () => {
  const sources = readSources(fileURLToPath(new URL('../../src', import.meta.url)));
  const loaded = new Set(['manifest/outline.ts']);
  for (const file of loaded)
    for (const { target, typeOnly } of sources.find((source) => source.file === file)?.imports ??
      [])
      if (!typeOnly) loaded.add(target);
  expect(loaded).toContain('jsonc-parser');
  expect(loaded).not.toContain('zod/mini');
});

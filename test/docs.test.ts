import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { repositoryRoot } from './support/paths.ts';
import { listedTitles } from './support/titles.ts';
import { proseOf, sentencesWithoutNoun } from './support/wording.ts';

const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...readdirSync(join(repositoryRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const read = (page: string): string => readFileSync(join(repositoryRoot, page), 'utf8');

/** A page without its code, in which a bracket is no link and a # no heading. */
function prose(page: string): string {
  return read(page)
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()#]/g, ''));
}

/** The anchors of a page, as GitHub makes them of its headings. */
function anchors(page: string): readonly string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('every link of a page leads to a file, and to a heading of it', () => {
  const dead = pages.flatMap((page) =>
    [...prose(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
      ([link, file = '', heading]) => {
        const target = file === '' ? page : join(dirname(page), file);
        const isThere = existsSync(join(repositoryRoot, target));
        const isFound =
          isThere &&
          (heading === undefined || (target.endsWith('.md') && anchors(target).includes(heading)));
        return isFound ? [] : [`${page}: ${link}`];
      },
    ),
  );
  expect(dead).toEqual([]);
});

const sources = readdirSync(join(repositoryRoot, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => read(`src/${name}`));

test('docs/environment.md has every variable of devctl that the code reads or sets', () => {
  const names = new Set(sources.flatMap((text) => text.match(/\bDEVCTL_[A-Z_]*[A-Z]\b/g) ?? []));
  expect(names.size).toBeGreaterThan(5);
  const page = read('docs/environment.md');
  expect([...names].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('docs/troubleshooting.md quotes messages that devctl still has', () => {
  // A row that begins with the name of another program quotes that one.
  const rows = read('docs/troubleshooting.md').match(/^\| (?!npm: )[^|]+/gm) ?? [];
  const quoted = rows.flatMap((row) =>
    [...row.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text),
  );
  expect(quoted.length).toBeGreaterThan(15);
  const code = sources.join('\n').replaceAll(/\$\{MANIFEST_NAME\}/g, '.devctl.json');
  expect(quoted.filter((text) => !code.includes(text))).toEqual([]);
});

test('docs/manifest.md and docs/cli.md have every key and option (npm run reference writes them)', async () => {
  const script = join(repositoryRoot, 'scripts', 'reference.mjs');
  const { all, exitCode } = await execa('node', [script, '--check'], { all: true, reject: false });
  expect({ all, exitCode }).toEqual({
    all: 'docs/cli.md is up to date\ndocs/manifest.md is up to date',
    exitCode: 0,
  });
});

test('docs/founding-plan.md names tests that exist', () => {
  const named = [...read('docs/founding-plan.md').matchAll(/`(test\/\S+) › ([^`\n]+)`/g)];
  expect(named.length).toBeGreaterThan(40);
  const all = listedTitles();
  const missing = named.flatMap(([, file = '', title = '']) =>
    Object.values(all[file] ?? {})
      .flat()
      .includes(title)
      ? []
      : [`${file} › ${title}`],
  );
  expect(missing).toEqual([]);
});

test('the README stays short, and its index leads to every page', () => {
  const readme = read('README.md');
  expect(readme.length).toBeLessThan(12_000);
  expect(readme.split('\n').length).toBeLessThan(250);
  expect(readme).toContain('(docs/README.md)');
  const index = read('docs/README.md');
  const inside = pages.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
  expect(inside.filter((page) => !index.includes(`(${page.slice(5)})`))).toEqual([]);
});

test('no sentence of a page or of the schema begins with "What", "Who" or "Whoever"', () => {
  const others = ['fixtures/README.md', 'schema/devctl.schema.json', '.devctl.example.json'];
  const found = [...pages, ...others].flatMap((page) =>
    sentencesWithoutNoun(page, proseOf(read(page))),
  );
  expect(found).toEqual([]);
});

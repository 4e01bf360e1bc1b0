// Collects the licence of every package whose code is bundled, because most licences ask that their text goes along.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * @param root folder of the project
 * @param metafiles esbuild's, with paths relative to `root`
 * @returns the bundled packages by name: { name, version, licence, text }
 */
export async function bundledPackages(root, metafiles) {
  const folders = new Set();
  for (const output of metafiles.flatMap(({ outputs }) => Object.values(outputs))) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
      if (folder && bytesInOutput > 0) folders.add(folder);
    }
  }
  const packages = await Promise.all([...folders].map((folder) => readPackage(root, folder)));
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readPackage(root, folder) {
  const absolute = path.join(root, folder);
  const manifest = JSON.parse(await readFile(path.join(absolute, 'package.json'), 'utf8'));
  const file = (await readdir(absolute)).find((name) => /^licen[cs]e/i.test(name));
  if (!file) throw new Error(`${manifest.name} is bundled but has no licence file`);
  return {
    name: manifest.name,
    version: manifest.version,
    licence: manifest.license,
    text: (await readFile(path.join(absolute, file), 'utf8')).trim(),
  };
}

/** Writes the licences, with terms that several packages share once below all of their copyright lines. */
export function licenceText(packages) {
  const byTerms = new Map();
  for (const { name, version, licence, text } of packages) {
    const begin = text.search(/^(Permission|Redistribution) /m);
    const [heading, terms] = begin < 0 ? ['', text] : [text.slice(0, begin), text.slice(begin)];
    const key = terms.replaceAll(/[\s*]+/g, ' ');
    const group = byTerms.get(key) ?? { terms, packages: [] };
    byTerms.set(key, group);
    const lines = heading.split('\n').filter((line) => line.trim() !== '');
    group.packages.push([`${name} ${version} (${licence})`, ...lines].join('\n'));
  }
  const sections = [...byTerms.values()].map(
    ({ terms, packages: named }) => `${named.join('\n\n')}\n\n${terms}\n`,
  );
  return ['devctl contains code of these packages.\n', ...sections].join(`\n${'-'.repeat(80)}\n\n`);
}

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { envFilesAt, envProblems, readEnvFiles } from '../manifest/env-file.ts';
import { loadManifest, manifestInvalid } from '../manifest/load.ts';
import { locateManifest, type ManifestQuery } from '../manifest/locate.ts';
import { readTree } from '../manifest/read.ts';
import { entriesOf, type Tree, valueAt } from '../manifest/tree.ts';
import type { ExportedService, ExportSource, Layer } from './source.ts';

/**
 * Reads a manifest for an export.
 *
 * @throws DevctlError as `loadManifest`; 'manifest-invalid' also where an env file cannot be read
 */
export function collectExport(query: ManifestQuery): ExportSource {
  const place = locateManifest(query);
  const manifest = loadManifest(query);
  const problems = envProblems(manifest, 'problem', null);
  const { tree } = readTree(place);
  if (problems.length > 0 || tree === null) throw manifestInvalid(problems, place.root);
  const { files } = readEnvFiles(tree, place.root);
  const layersAt = (...path: readonly string[]): readonly Layer[] => [
    ...envFilesAt(tree, [...path, 'envFile'], place.root).map((file) => ({
      kind: 'file' as const,
      file,
      shown: relative(place.root, file),
      text: readFileSync(file, 'utf8'),
      names: (files.get(file)?.assignments ?? []).map(({ name }) => name),
    })),
    envLayer(valueAt(tree, ...path, 'env'), place.local),
  ];
  const ofProject = layersAt();
  return {
    name: manifest.name,
    path: process.env.PATH ?? '',
    projectLimits: manifest.limits.flatMap(({ kind, action }) => (action === 'warn' ? [] : kind)),
    services: Object.values(manifest.services).map(
      (service): ExportedService => ({
        service,
        folder: relative(place.root, service.cwd),
        layers: [...ofProject, ...layersAt('services', service.name)],
        containers: Object.keys(manifest.containers?.needs[service.name] ?? {}),
      }),
    ),
  };
}

function envLayer(env: Tree | undefined, local: string | null): Layer {
  const entries = [...entriesOf(env)];
  return {
    kind: 'env',
    names: entries.map(([name]) => name),
    local: entries.flatMap(([name, { value }]) => (value.at.file === local ? name : [])),
  };
}

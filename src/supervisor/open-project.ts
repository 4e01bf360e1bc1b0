import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ManifestQuery } from '../manifest/locate.ts';
import { type ManifestOutline, readManifestOutline } from '../manifest/outline.ts';
import type { SweepSettings } from '../manifest/resolved.ts';
import type { SweepRules } from '../ownership/sweep.ts';
import { type ProjectFolder, projectFolder } from '../project/folder.ts';

/** A project as far as it can be known without a valid manifest. */
export interface OpenProject {
  readonly folder: ProjectFolder;
  readonly outline: ManifestOutline;
}

/**
 * Finds the project of a folder: by its manifest, broken or not; else by the nearest records folder;
 * else it is the folder itself, so that an emergency stop works after both were deleted.
 */
export function openProject(query: ManifestQuery): OpenProject {
  const outline = readManifestOutline(query);
  if (outline.kind !== 'absent') {
    return { folder: projectFolder(outline.root, outline.pidsDir), outline };
  }
  const root = outline.root ?? nearestRecords(query.cwd) ?? query.cwd;
  return { folder: projectFolder(root), outline };
}

function nearestRecords(cwd: string): string | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.pids'))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

const DEFAULT_SWEEP: SweepSettings = { patterns: [], scope: 'project', protect: [] };

export function sweepSettingsOf(outline: ManifestOutline): SweepSettings {
  return outline.kind === 'absent' ? DEFAULT_SWEEP : outline.sweep;
}

/** What the sweep of a full stop may do in this project; null when the manifest turns it off. */
export function sweepRulesOf(outline: ManifestOutline): SweepRules | null {
  return toSweepRules(sweepSettingsOf(outline));
}

export function toSweepRules({ patterns, protect, scope }: SweepSettings): SweepRules | null {
  if (scope === 'off') return null;
  const compile = (sources: readonly string[]): RegExp[] => sources.map((one) => new RegExp(one));
  return { patterns: compile(patterns), protect: compile(protect), scope };
}

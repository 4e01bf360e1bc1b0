import { homedir } from 'node:os';
import type { SweepSettings } from '../../manifest/resolved.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import type { OpenProject } from '../../project/open-project.ts';

const DEFAULT_SWEEP: SweepSettings = { patterns: [], scope: 'project', protect: [] };

/**
 * What the sweep of a full stop may do here. Without a manifest nobody has said that this folder is a
 * project: then it takes --force, and a folder that holds more than one project by its nature is
 * never swept.
 */
export function sweepSettingsOf({ folder, outline }: OpenProject, force: boolean): SweepSettings {
  if (outline.kind !== 'absent') {
    const { sweep, trusted } = outline;
    // "user" is this user: another one's manifest may say what is swept in his folder, not everywhere.
    return !trusted && sweep.scope === 'user' ? { ...sweep, scope: 'project' } : sweep;
  }
  const home = homedir();
  const holdsHome = home === folder.root || home.startsWith(`${folder.root.replace(/\/$/, '')}/`);
  return { ...DEFAULT_SWEEP, scope: force && !holdsHome ? 'project' : 'off' };
}

/**
 * What `devctl sweep` may do here. It is asked for by name, so `"scope": "off"`, which is about the sweep
 * of `stop`, does not turn it off; what would make it dangerous does.
 */
export function sweepCommandRules(
  project: OpenProject,
):
  | { readonly kind: 'allowed'; readonly rules: SweepRules }
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string } {
  const { folder, outline } = project;
  const settings = sweepSettingsOf(project, true);
  const isOff = settings.scope === 'off';
  if (isOff && outline.kind === 'absent') {
    const why = `${folder.root} is, or holds, the home folder, and has no manifest`;
    return { kind: 'refused', why, hint: 'go to the folder of the project' };
  }
  if (isOff && outline.kind === 'broken') {
    const why = `what the manifest protects cannot be read: ${outline.why}`;
    return { kind: 'refused', why, hint: 'devctl check names each mistake' };
  }
  return {
    kind: 'allowed',
    rules: compile(settings, settings.scope === 'user' ? 'user' : 'project'),
  };
}

export function toSweepRules(settings: SweepSettings): SweepRules | null {
  return settings.scope === 'off' ? null : compile(settings, settings.scope);
}

function compile({ patterns, protect }: SweepSettings, scope: SweepRules['scope']): SweepRules {
  const all = (sources: readonly string[]): RegExp[] => sources.map((one) => new RegExp(one));
  return { patterns: all(patterns), protect: all(protect), scope };
}

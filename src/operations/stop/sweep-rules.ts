import type { SweepSettings } from '../../manifest/resolved.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import { compilePattern } from '../../patterns/pattern.ts';
import { homeFolder } from '../../processes/home-folder.ts';
import type { OpenProject } from '../../project/open-project.ts';

const DEFAULT_SWEEP: SweepSettings = { patterns: [], scope: 'project', protect: [] };

/**
 * The sweep settings for a stop of everything.
 *
 * Without a manifest nobody has said that the folder is a project. Then only --force sweeps it, and a folder that holds
 * the home folder is never swept, because it holds more than one project.
 */
export function sweepSettingsOf({ folder, outline }: OpenProject, force: boolean): SweepSettings {
  if (outline.kind !== 'absent') {
    const { sweep, trusted } = outline;
    // The scope "user" means all processes of this user. A manifest of another user may choose what is swept in its
    // folder, but not everywhere.
    return !trusted && sweep.scope === 'user' ? { ...sweep, scope: 'project' } : sweep;
  }
  return {
    ...DEFAULT_SWEEP,
    scope: force && whyTooLarge(folder.root) === null ? 'project' : 'off',
  };
}

/** Says why a folder without a manifest may hold more than one project; null where it is one project. */
function whyTooLarge(root: string): string | null {
  const home = homeFolder();
  if (home === null) return `nobody knows whether ${root} holds the home folder`;
  const holdsHome = home === root || home.startsWith(`${root.replace(/\/$/, '')}/`);
  return holdsHome ? `${root} is, or holds, the home folder` : null;
}

/**
 * The rules for `devctl sweep`, or why it is refused.
 *
 * `"scope": "off"` concerns the sweep of `stop`, so it does not refuse a sweep that the user asks for by name. A home
 * folder without a manifest and a broken manifest do, because they make a sweep dangerous.
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
    const why = `${whyTooLarge(folder.root)}, and it has no manifest`;
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

/** Compiles the patterns of the settings. Null: no sweep. */
export function toSweepRules(settings: SweepSettings): SweepRules | null {
  return settings.scope === 'off' ? null : compile(settings, settings.scope);
}

function compile({ patterns, protect }: SweepSettings, scope: SweepRules['scope']): SweepRules {
  return { patterns: patterns.map(compilePattern), protect: protect.map(compilePattern), scope };
}

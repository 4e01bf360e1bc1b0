import type { SweepSettings } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import { compilePattern } from '../../patterns/pattern.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { whySeveralProjects } from '../../project/place/several-projects.ts';
import { readRecords } from '../../project/records.ts';

const DEFAULT_SWEEP: SweepSettings = { patterns: [], scope: 'project', protect: [] };

/**
 * The sweep settings for a stop of everything.
 *
 * Without a manifest nobody has said that the folder is a project. Then only --force sweeps it, and never where the
 * command line has started services, or where the folder may hold more than one project.
 */
export function sweepSettingsOf({ folder, outline }: OpenProject, force: boolean): SweepSettings {
  if (outline.kind !== 'absent') {
    const { sweep, trusted } = outline;
    // The scope "user" means all processes of this user. A manifest of another user may choose what is swept in its
    // folder, but not everywhere.
    return !trusted && sweep.scope === 'user' ? { ...sweep, scope: 'project' } : sweep;
  }
  const isSwept = force && whyNotSwept(folder) === null;
  return { ...DEFAULT_SWEEP, scope: isSwept ? 'project' : 'off' };
}

/**
 * Says why a folder without a manifest is never swept. Services that the command line has started may be anywhere: below
 * `~/code`, a sweep would end every dev tool of every repository.
 */
function whyNotSwept(folder: ProjectFolder): string | null {
  const isAdHoc = readRecords(folder).records.some(({ adHoc }) => adHoc);
  if (isAdHoc) return `the services of ${folder.root} were started with a command`;
  return whySeveralProjects(folder.root);
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
    const why = `${whyNotSwept(folder)}, and it has no manifest`;
    return { kind: 'refused', why, hint: 'go to the folder of the project' };
  }
  if (isOff && outline.kind === 'broken') {
    const why = `what the manifest protects cannot be read: ${outline.why}`;
    return { kind: 'refused', why, hint: `${DEVCTL} check names each mistake` };
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

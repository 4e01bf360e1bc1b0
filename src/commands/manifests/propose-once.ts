import { DevctlError } from '../../errors.ts';
import { collectRepository } from '../../init/collect.ts';
import { diffLines } from '../../init/line-diff.ts';
import { toManifestText } from '../../init/manifest-text.ts';
import { propose } from '../../init/propose.ts';
import { examineText, manifestInvalid } from '../../manifest/load.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { requireOneProject } from '../../operations/start/ad-hoc.ts';
import { themeFor } from '../../output/terminal/theme.ts';
import { printable } from '../../output/terminal/width.ts';
import { DEVCTL } from '../../own-command.ts';
import { COOKIE_VARIABLES } from '../../ownership/cookie.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { canAsk, nothingFound, printDiff } from './init.ts';

export interface ProposeOnceOptions {
  readonly json?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
}

/**
 * Proposes services for a folder without a manifest, shows them, and asks whether to run them this once. Nothing is
 * written.
 *
 * @returns null where the user does not want it
 * @throws DevctlError 'usage' inside a service, where nobody can be asked, and where the folder holds more than one
 *   project; 'init-failed' where nothing to run was found
 */
export async function proposeOnce(
  project: OpenProject,
  { json = false, color, yes = false }: ProposeOnceOptions,
): Promise<ResolvedManifest | null> {
  // `"dev": "devctl up"`, started as a service of another project, would start itself for ever.
  if (COOKIE_VARIABLES.some((name) => process.env[name] !== undefined))
    throw new DevctlError(
      'usage',
      'devctl up runs inside a service, and there is no manifest here',
      {
        hint: `write one: ${DEVCTL} init`,
      },
    );
  requireOneProject(project);
  const { root } = project.folder;
  const proposal = propose(collectRepository(root));
  if (proposal.services.length === 0) throw nothingFound(root, proposal);
  const text = toManifestText(proposal, null);
  // stdout is for the output of the services.
  const write = (line: string): void => void process.stderr.write(`${line}\n`);
  if (!json) {
    write(`there is no manifest here; ${DEVCTL} init would write:`);
    printDiff(diffLines('', text), themeFor(process.stderr, color), write);
    if (proposal.install !== null) write(`install first: ${printable(proposal.install)}`);
  }
  if (!yes && !(await isWanted(json))) return null;
  const { manifest, problems } = examineText(text, root);
  if (manifest === null || problems.length > 0) throw manifestInvalid(problems, root);
  return once(manifest);
}

async function isWanted(json: boolean): Promise<boolean> {
  if (json || !canAsk())
    throw new DevctlError(
      'usage',
      'nothing was started: there is no manifest, and no terminal to ask on',
      {
        hint: `run what was found: ${DEVCTL} up --yes; or write it: ${DEVCTL} init --yes`,
      },
    );
  const { askWhether } = await import('../../output/terminal/questions.ts');
  return askWhether('Run this once?');
}

/** Marks the services as those of no manifest: no sweep and no port evidence, and no restart from their records. */
function once(manifest: ResolvedManifest): ResolvedManifest {
  const services = Object.entries(manifest.services).map(
    ([name, service]) => [name, { ...service, adHoc: true, once: true }] as const,
  );
  return {
    ...manifest,
    services: Object.fromEntries(services),
    sweep: { ...manifest.sweep, scope: 'off' },
  };
}

import { DevctlError } from '../../errors.ts';
import { toManifestText } from '../../init/manifest-text.ts';
import type { Proposal } from '../../init/proposal.ts';
import { examineText, manifestInvalid } from '../../manifest/load.ts';
import { definedOnly } from '../../manifest/variables.ts';
import { learn } from '../../operations/probe/learn.ts';
import { firstEphemeralPort, probeServices } from '../../operations/probe/probe.ts';
import { themeFor } from '../../output/terminal/theme.ts';
import { printable } from '../../output/terminal/width.ts';
import { DEVCTL } from '../../own-command.ts';
import { openHost } from '../../processes/real-host.ts';
import { projectFolder } from '../../project/folder.ts';

export interface ProbeCommandOptions {
  readonly color?: boolean;
  readonly yes?: boolean;
}

/**
 * Runs the services of a proposal, one after the other, and adds what they have shown. It shows each command, and asks
 * which may be run; with `yes` it runs all.
 *
 * @returns null where the user does not want any of them to run
 * @throws DevctlError 'usage' while the project runs; 'survivors' where a process is left
 */
export async function probeProposal(
  proposal: Proposal,
  root: string,
  { color, yes = false }: ProbeCommandOptions,
): Promise<Proposal | null> {
  const { manifest, problems } = examineText(toManifestText(proposal, null), root);
  if (manifest === null || problems.length > 0) throw manifestInvalid(problems, root);
  const note = (line: string): void => void process.stderr.write(`${printable(line)}\n`);
  const choices = proposal.services.map(({ name, command, cwd }) => {
    const line = typeof command === 'string' ? command : command.join(' ');
    return { name, hint: printable(`${line}${cwd === undefined ? '' : `  (in ${cwd})`}`) };
  });
  for (const { name, hint } of choices) note(`  ${name}: ${hint}`);
  if (proposal.containers !== null)
    note('! no containers are started for the probe: a service that needs one may end');
  const names = yes ? choices.map(({ name }) => name) : await askWhichToRun(choices);
  if (names === null || names.length === 0) return null;

  let isInterrupted = false;
  const onInterrupt = (): void => {
    isInterrupted = true;
    note('interrupted: stopping everything');
  };
  process.on('SIGINT', onInterrupt);
  try {
    const { seen, stop } = await probeServices(openHost(), projectFolder(root), manifest, names, {
      env: definedOnly(process.env),
      onService: (name) => note(`devctl: probing ${name}`),
      interrupted: () => isInterrupted,
      warn: (line) => note(`! ${line}`),
    });
    if (stop.survivors.length > 0)
      throw new DevctlError('survivors', 'a process of the probe is left, so nothing was written', {
        hint: `${DEVCTL} stop tries again; ${DEVCTL} tree shows it`,
      });
    if (isInterrupted)
      throw new DevctlError('init-failed', 'the probe was interrupted, and nothing is left of it', {
        hint: 'nothing was written',
      });
    const { strength, why } = stop.proof;
    const proof = strength === 'complete' ? 'proof complete' : `proof best effort: ${why}`;
    note(`${themeFor(process.stderr, color).green('✓')} all of the probe is stopped (${proof})`);
    const ephemeralFrom = firstEphemeralPort();
    const services = proposal.services.map((service) => {
      const observation = seen.get(service.name);
      return observation ? learn(service, observation, ephemeralFrom) : service;
    });
    return { ...proposal, services };
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function askWhichToRun(
  choices: readonly { readonly name: string; readonly hint: string }[],
): Promise<readonly string[] | null> {
  const { askWhichNames } = await import('../../output/terminal/questions.ts');
  const message = 'The probe runs each for up to 60 s, and stops it. Which may it run?';
  return askWhichNames(message, choices);
}

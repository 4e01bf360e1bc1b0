import { DevctlError } from '../../errors.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { loadTerminals } from '../../processes/native/native.ts';
import { whyNoTerminal } from '../../services/launch/terminal.ts';

/** Finds the services that need a terminal where none can be made, and says why; null: all of them can be started. */
export async function findWithoutTerminal(
  { services }: Pick<ResolvedManifest, 'services'>,
  names: readonly string[],
): Promise<{ readonly names: readonly string[]; readonly why: string } | null> {
  const needing = names.filter((name) => services[name]?.tty);
  if (needing.length === 0) return null;
  const terminals = await loadTerminals();
  return 'why' in terminals ? { names: needing, why: whyNoTerminal(terminals.why) } : null;
}

/** How to go on where there are no terminals. */
export const WITHOUT_TERMINAL =
  'npm install koffi (Linux), or take "tty" out: its output is a file then, and it gets no keys';

/**
 * Refuses to start services on terminals where none can be made, because without one they would get no keys in silence.
 *
 * @throws DevctlError 'manifest-unsupported'
 */
export async function requireTerminals(
  manifest: Pick<ResolvedManifest, 'services'>,
  names: readonly string[],
): Promise<void> {
  const found = await findWithoutTerminal(manifest, names);
  if (!found) return;
  const places = found.names.map((name) => `${name} (${manifest.services[name]?.definedAt})`);
  throw new DevctlError('manifest-unsupported', `${places.join(', ')}: ${found.why}`, {
    hint: WITHOUT_TERMINAL,
  });
}

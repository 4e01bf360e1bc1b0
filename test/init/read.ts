import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { collectRepository } from '../../src/init/collect.ts';
import type { Proposal, ProposedService } from '../../src/init/proposal.ts';
import { propose } from '../../src/init/propose.ts';
import { currentRunFolder } from '../support/run-folder.ts';

/** Proposes services for a repository of these files. A file may be given as the value of its JSON. */
export function proposeFor(files: Readonly<Record<string, unknown>>): Proposal {
  const root = mkdtempSync(join(currentRunFolder(), 'shop-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(root, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    }
    return propose({ ...collectRepository(root), name: 'shop' });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The services by their names, without the text that only readers need. */
export function byName({ services }: Proposal): Readonly<Record<string, Partial<ProposedService>>> {
  return Object.fromEntries(
    services.map(({ name, text: _text, notes: _notes, from: _from, ...rest }) => [name, rest]),
  );
}

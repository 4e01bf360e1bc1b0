import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { collectExport } from '../../src/export/collect.ts';
import type { ExportSource } from '../../src/export/source.ts';
import { currentRunFolder } from '../support/run-folder.ts';

/** Reads a manifest for an export, with other files beside it. */
export function sourceOf(
  manifest: object,
  files: Readonly<Record<string, string>> = {},
): ExportSource & { readonly root: string } {
  const root = realpathSync(mkdtempSync(join(currentRunFolder(), 'shop-')));
  try {
    for (const [name, text] of Object.entries({
      ...files,
      '.devctl.json': JSON.stringify({ name: 'shop', ...manifest }),
    })) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return { ...collectExport({ file: join(root, '.devctl.json') }), path: '/usr/bin', root };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

import { join } from 'node:path';
import { themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { recordedOtherManifest } from '../tracking/other-manifest.ts';

/** Says that another manifest of this folder has records: what runs of it is not shown and not ended here. */
export function noteOtherManifest(folder: ProjectFolder, color: boolean | undefined): void {
  const other = recordedOtherManifest(folder);
  if (!other) return;
  const { id, manifest } = other;
  const stop = manifest === null ? `--project ${id}` : `--config ${join(folder.root, manifest)}`;
  const line = `${manifest ?? 'another manifest'} has services here as well: ${DEVCTL} stop ${stop}`;
  process.stderr.write(`${themeFor(process.stderr, color).yellow('!')} ${printable(line)}\n`);
}

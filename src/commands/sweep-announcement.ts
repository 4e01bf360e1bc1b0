import { hasHistory } from '../history/files.ts';
import { sweepSettingsOf } from '../operations/stop/sweep-rules.ts';
import type { OpenProject } from '../project/open-project.ts';

/**
 * Says, before the first start in a project, that a stop ends more than the services. Null where a supervisor has begun
 * here before, and where nothing is swept.
 */
export function sweepAnnouncement(project: OpenProject): string | null {
  const { scope } = sweepSettingsOf(project, false);
  if (scope === 'off' || hasHistory(project.folder)) return null;
  const where = scope === 'user' ? 'anywhere' : 'here';
  // It fits into a terminal of 80 columns.
  return `stop also ends dev tools started by hand ${where}; off: "sweep": {"scope": "off"}`;
}

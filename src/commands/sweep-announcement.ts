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
  const where = scope === 'user' ? 'anywhere' : 'in this project';
  return `devctl stop also ends dev tools that you start by hand ${where} (npm test, vite …); to turn that off: "sweep": {"scope": "off"}`;
}

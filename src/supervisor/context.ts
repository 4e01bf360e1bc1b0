import type { Capabilities } from '../processes/capabilities.ts';
import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import type { Native } from '../processes/native/native.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { MovableFolder } from '../project/place/movable-folder.ts';
import type { ProjectState } from '../tracking/project-state.ts';
import type { Reaper } from '../tracking/reaper.ts';
import type { RunGroups } from '../tracking/run-groups.ts';

/** The project, the machine and this process, as the supervisor found them when it began. */
export interface SupervisionContext {
  readonly folder: MovableFolder;
  readonly host: Host;
  readonly table: ProcessTable;
  readonly self: Identity;
  /** The subreaper above this process; null: there is none. */
  readonly guard: Identity | null;
  /** The native calls, if they made this process a subreaper; else null. */
  readonly native: Native | null;
  /** Reaps what this process adopts; null where it is no subreaper. */
  readonly reaper: Reaper | null;
  readonly capabilities: Capabilities;
  /** Null when no control groups can be made; `capabilities` says why. */
  readonly groups: RunGroups | null;
  readonly version: string;
  readonly log: (line: string) => void;
  /** The records as earlier supervisors left them. */
  readonly initialState: ProjectState;
  /** True when an earlier supervisor had a process below it when it was ended, recorded or not. */
  readonly inheritsProcesses: boolean;
  /** Called when the project has another path, to write that into the record of this process. */
  readonly onMoved: () => void;
  /** Ends this process. */
  readonly end: () => void;
}

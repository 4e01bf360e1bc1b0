import type { ServiceChange } from '../../client/protocol.ts';
import type { Breach } from '../../limits/breach.ts';
import type { StartResult } from '../start/result.ts';
import type { StopOptions } from '../stop/options.ts';
import type { UpRules, UpVerdict } from './verdict.ts';

export interface UpOptions extends UpRules {
  /** The services to start, with all their dependencies among them. */
  readonly names: readonly string[];
  /** True when the user named no services. Then the end is a stop of everything. */
  readonly everything: boolean;
  /** The services that the user named. They end with this `up` even if they ran before. */
  readonly named: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** True where a person looks at a terminal, so that services may use colours. */
  readonly onTerminal: boolean;
  readonly onChange: (change: ServiceChange) => void;
  /** Called for each limit that one of these services, or all services together, exceed. */
  readonly onBreach: (breach: Breach) => void;
  readonly onStarted: (result: StartResult) => void;
  /** Called with the reason of the end, before anything is stopped. */
  readonly onEnding: (why: string) => void;
  readonly warn: (line: string) => void;
  /** Resolves when the user wants it to end: by a signal, or by closing the terminal. */
  readonly askedToEnd: Promise<UpVerdict>;
  readonly forced: () => boolean;
  readonly onScan: StopOptions['onScan'];
}

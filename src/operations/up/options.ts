import type { ServiceChange } from '../../client/protocol.ts';
import type { Breach } from '../../limits/evaluate.ts';
import type { StartResult } from '../start/start.ts';
import type { StopOptions } from '../stop/options.ts';
import type { UpRules, UpVerdict } from './verdict.ts';

export interface UpOptions extends UpRules {
  /** What is started: services, with all that they depend on. */
  readonly names: readonly string[];
  /** Was everything meant? Then the end is a whole `devctl stop`. */
  readonly everything: boolean;
  /** Services that were named: they end with this `up` even if they ran before. */
  readonly named: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly listen: (change: ServiceChange) => void;
  /** Told of each limit that is exceeded, of those services and of everything. */
  readonly breached: (breach: Breach) => void;
  readonly started: (result: StartResult) => void;
  /** Told why it ends, before anything is stopped. */
  readonly ending: (why: string) => void;
  readonly warn: (line: string) => void;
  /** Resolves when somebody wants it to end: a signal, a closed terminal. */
  readonly asked: Promise<UpVerdict>;
  readonly forced: () => boolean;
  readonly watch: StopOptions['onScan'];
}

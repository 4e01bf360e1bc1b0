import type { ReportedPort } from '../processes/describe.ts';

/** How the stop of one container ended. */
export interface StoppedContainer {
  readonly id: string;
  readonly name: string;
  /** The compose service. */
  readonly service: string;
  /**
   * 'removed'; 'kept': it is stopped and kept, because a volume that nobody has named holds data; 'left': it could not
   * be stopped or removed.
   */
  readonly outcome: 'removed' | 'kept' | 'left';
  readonly why: string | null;
}

/** A network or a volume of ours, and whether it is gone. */
export interface StoppedThing {
  readonly name: string;
  readonly removed: boolean;
  readonly why: string | null;
}

/** The outcome of a stop for the containers of the project. */
export interface ContainersStop {
  /** The endpoint of the engine; null: it is not known. */
  readonly engine: string | null;
  readonly containers: readonly StoppedContainer[];
  readonly networks: readonly StoppedThing[];
  readonly volumes: readonly StoppedThing[];
  /** Ports of this machine that the containers published until they ended. One that is held is exit code 5. */
  readonly ports: readonly ReportedPort[];
  /** Why nobody can tell what is left: "2 containers: not known, the engine does not answer". Null: it is known. */
  readonly unknown: string | null;
  /** True where a container, network or volume of ours is left, or where that cannot be known: exit code 4. */
  readonly left: boolean;
  readonly tookMs: number;
}

/** Tells whether a stop has left something, or cannot tell. */
export function isSomethingLeft(
  stop: Pick<ContainersStop, 'unknown' | 'containers' | 'networks' | 'volumes'>,
): boolean {
  return (
    stop.unknown !== null ||
    stop.containers.some(({ outcome }) => outcome === 'left') ||
    [...stop.networks, ...stop.volumes].some(({ removed }) => !removed)
  );
}

/** One container in `status`. */
export interface ContainerStatus {
  /** The compose service. */
  readonly service: string;
  /** The name of the container. */
  readonly name: string;
  readonly id: string;
  /** As the engine has it: running, exited, restarting … */
  readonly state: string;
  readonly health: string | null;
  readonly exitCode: number | null;
  readonly uptimeMs: number | null;
  /** Ports of the engine's machine: "5432", "53/udp". */
  readonly ports: readonly string[];
  /** The pid of its first process, on the engine's machine. */
  readonly pid: number | null;
  /** False: somebody else started it, and devctl uses it only ("adopt": "use"). */
  readonly ours: boolean;
  /** True where the engine started it after a boot, and no start of devctl. */
  readonly restartedByEngine: boolean;
}

/** The containers of a project in `status`. */
export interface ContainersStatus {
  readonly engine: string | null;
  readonly remote: boolean;
  /** Age of the answer in ms; 0: it is of now. */
  readonly ageMs: number;
  /** Why there is no answer of now; null: there is. */
  readonly why: string | null;
  readonly list: readonly ContainerStatus[];
  /** True where every container that should be up is up. */
  readonly healthy: boolean;
}

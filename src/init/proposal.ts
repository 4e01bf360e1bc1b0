/** A service that `init` proposes. Its keys are those of the manifest. */
export interface ProposedService {
  readonly name: string;
  readonly command: string | readonly string[];
  /** Relative to the manifest. Missing: its folder. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly envFile?: string;
  readonly ports?: readonly number[];
  readonly ready?: Readonly<Record<string, string | number>>;
  readonly dependsOn?: Readonly<Record<string, Condition>>;
  readonly restart?: 'on-failure' | 'always';
  readonly stop?: {
    readonly signal?: string;
    readonly grace?: string;
    readonly command?: string;
  };
  readonly autostart?: false;
  readonly oneShot?: true;
  /** The file and the place in it from which the service was taken: `apps/web/package.json: scripts.dev`. */
  readonly from: string;
  /** Facts about it that the reader of the manifest should know. */
  readonly notes: readonly string[];
  /** The words that its command runs in the end, with the scripts that it calls. */
  readonly text: string;
}

export type Condition = 'started' | 'ready' | 'completed' | 'exited';

/** A command that is run now and then, under `devctl run`. */
export interface ProposedOneOff {
  readonly command: string;
  readonly from: string;
}

/** The answer of one reader. */
export interface Reading {
  readonly services: readonly ProposedService[];
  readonly oneOffs: readonly ProposedOneOff[];
  /** Things that were seen and not taken, and the way to have them. */
  readonly notes: readonly string[];
}

/** The containers that `init` proposes: the key `containers` of the manifest. */
export interface ProposedContainers {
  /** Missing: compose finds it by itself. */
  readonly file?: string;
  /** Missing: all that compose starts. */
  readonly services?: readonly string[];
  /** The compose files. */
  readonly from: string;
  /** The compose services that are started. */
  readonly names: readonly string[];
  /** The ports of this machine that they publish, each with its compose service. */
  readonly ports: ReadonlyMap<number, string>;
}

/** All that `init` would write. */
export interface Proposal extends Reading {
  readonly containers: ProposedContainers | null;
  /** The files that were read and say something about what to run. */
  readonly sources: readonly string[];
  /** The command that installs what a start needs: `npm ci`. Null: nothing is missing, as far as devctl can see. */
  readonly install: string | null;
}

export const NOTHING: Reading = { services: [], oneOffs: [], notes: [] };

/** Joins what several readers say. */
export function joined(readings: readonly Reading[]): Reading {
  return {
    services: readings.flatMap(({ services }) => services),
    oneOffs: readings.flatMap(({ oneOffs }) => oneOffs),
    notes: readings.flatMap(({ notes }) => notes),
  };
}

/** Makes a name that the manifest accepts of any text. */
export function toServiceName(text: string): string {
  const name = text
    .replace(/^@[^/]+\//, '')
    .replace(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^[^a-zA-Z0-9]+|[-.]+$/g, '')
    .slice(0, 63);
  return name === '' ? 'app' : name;
}

/** Gives each service a name of its own; references to a name that was changed follow it only within its reading. */
export function withUniqueNames(services: readonly ProposedService[]): readonly ProposedService[] {
  const taken = new Set<string>();
  return services.map((service) => {
    let name = service.name;
    for (let count = 2; taken.has(name); count += 1) {
      const suffix = `-${count}`;
      name = `${service.name.slice(0, 63 - suffix.length)}${suffix}`;
    }
    taken.add(name);
    return name === service.name ? service : { ...service, name };
  });
}

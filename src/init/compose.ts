import {
  COMPOSE_NAMES,
  COMPOSE_OVERRIDES,
  defaultServices,
  interpolateWith,
  joinComposeFiles,
} from '../containers/compose-file.ts';
import { fieldsOf } from '../plain-values.ts';
import type { ProposedContainers, ProposedService } from './proposal.ts';
import type { Repository } from './repository.ts';

/** Files that are named in the manifest, because compose does not look for them. */
const OTHER_NAMES = ['docker-compose.dev.yml', 'docker-compose.dev.yaml'] as const;

export const COMPOSE_FILES = [...COMPOSE_NAMES, ...COMPOSE_OVERRIDES, ...OTHER_NAMES];

export interface ComposeReading {
  readonly containers: ProposedContainers | null;
  readonly notes: readonly string[];
}

/**
 * Takes the containers of a compose file whose images are ready. One that is built is mostly the program itself, which
 * runs as a service.
 */
export function readCompose(
  repository: Repository,
  services: readonly ProposedService[],
): ComposeReading {
  const { documents } = repository;
  const first = (names: readonly string[]): readonly string[] =>
    names.filter((name) => documents.has(name)).slice(0, 1);
  const usual = first(COMPOSE_NAMES);
  const others = first(OTHER_NAMES);
  const files = usual.length > 0 ? [...usual, ...first(COMPOSE_OVERRIDES)] : others;
  const [file] = files;
  if (file === undefined) return { containers: null, notes: [] };
  const values = files.map((name) => documents.get(name));
  const model = joinComposeFiles(values, interpolateWith(variablesOf(repository)));
  if ('why' in model) return { containers: null, notes: [`${file} is not taken: ${model.why}`] };
  const built = new Set(
    values.flatMap((value) =>
      Object.entries(fieldsOf(fieldsOf(value).services)).flatMap(([name, one]) =>
        fieldsOf(one).build === undefined ? [] : [name],
      ),
    ),
  );
  const taken = new Set(services.map(({ name }) => name));
  const all = defaultServices(model, []);
  const chosen = all.filter((name) => NAME.test(name) && !built.has(name) && !taken.has(name));
  const left = [...model.services.keys()].filter((name) => !chosen.includes(name));
  const notes = [
    ...left.map((name) => `${file}: ${name} is not taken: ${whyNot(name, built, taken)}`),
    ...(usual.length > 0 ? others.map((name) => `${name} is not taken, because of ${file}`) : []),
  ];
  if (chosen.length === 0) return { containers: null, notes };
  const ports = chosen.flatMap((name) =>
    (model.services.get(name)?.hostPorts ?? []).map((port) => [Number(port), name] as const),
  );
  const containers = {
    ...(usual.length > 0 ? {} : { file }),
    ...(chosen.length < all.length ? { services: chosen } : {}),
    from: files.join(', '),
    names: chosen,
    ports: new Map(ports),
  };
  return { containers, notes };
}

function whyNot(name: string, built: ReadonlySet<string>, taken: ReadonlySet<string>): string {
  if (built.has(name)) return 'it is built';
  return taken.has(name) ? 'a service has that name' : 'it belongs to a profile';
}

/** The names that compose accepts. */
const NAME = /^[a-zA-Z0-9][\w.-]*$/;

/** The variables of `.env`, as far as compose and init need them: for ports. */
function variablesOf({ texts }: Repository): Readonly<Record<string, string>> {
  const lines = (texts.get('.env') ?? '').split(/\r?\n/);
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, value] =
        /^\s*(?:export\s+)?(\w+)=["']?([^"'#]*?)["']?\s*(?:#.*)?$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value ?? ''] as const];
    }),
  );
}

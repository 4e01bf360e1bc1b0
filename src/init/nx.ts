import { fieldsOf, textOfScalar } from '../plain-values.ts';
import { whyCallsDevctl } from './own-calls.ts';
import { shellWord } from './package-manager.ts';
import { NOTHING, type ProposedService, type Reading, toServiceName } from './proposal.ts';
import { below, listOfTexts, nameOfFolder, type Repository } from './repository.ts';

const TARGETS = ['serve', 'dev', 'start'] as const;

/** Reads the project.json files of nx: a project that can be served, and has no script of its own for that, is a service. */
export function readNxProjects(
  repository: Repository,
  /** Folders of which a script is a service already. */
  served: ReadonlySet<string>,
): Reading {
  if (!repository.documents.has('nx.json')) return NOTHING;
  const notes: string[] = [];
  const services = repository.folders.flatMap((folder): readonly ProposedService[] => {
    const path = below(folder, 'project.json');
    const project = fieldsOf(repository.documents.get(path));
    const targets = fieldsOf(project.targets);
    const target = TARGETS.find((name) => targets[name] !== undefined);
    if (served.has(folder) || target === undefined) return [];
    // All of it, because an executor may run a command from any of its options.
    const why = whyCallsDevctl(repository, folder, JSON.stringify(targets[target]));
    if (why !== null) {
      notes.push(`${path}: targets.${target} is not taken: ${why}`);
      return [];
    }
    const name = textOfScalar(project.name) ?? nameOfFolder(repository, folder);
    const port = portOf(fieldsOf(targets[target]));
    const options = fieldsOf(fieldsOf(targets[target]).options);
    const command = `npx --no-install nx run ${shellWord(`${name}:${target}`)}`;
    return [
      {
        name: toServiceName(name),
        command,
        ...(port === null ? {} : { ports: [port] }),
        from: `${path}: targets.${target}`,
        notes: port === null ? [] : [`port ${port}: ${path}`],
        text: commandsOf(options) || command,
      },
    ];
  });
  const names = new Set(services.map(({ name }) => name));
  return {
    ...NOTHING,
    services: services.map((one) => withImplicit(repository, one, names)),
    notes,
  };
}

/** The command lines of `nx:run-commands`: `command`, or a list of `commands`. */
function commandsOf({ command, commands }: Readonly<Record<string, unknown>>): string {
  const listed = Array.isArray(commands) ? commands : [];
  const texts = listed.map((one) => textOfScalar(one) ?? textOfScalar(fieldsOf(one).command) ?? '');
  return [textOfScalar(command) ?? '', ...texts].join('\n').trim();
}

function portOf(target: Readonly<Record<string, unknown>>): number | null {
  const port = Number(fieldsOf(target.options).port);
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : null;
}

/** `implicitDependencies` of an end-to-end or web project name the servers that it needs. */
function withImplicit(
  repository: Repository,
  service: ProposedService,
  names: ReadonlySet<string>,
): ProposedService {
  const [path = ''] = service.from.split(':');
  const listed = listOfTexts(fieldsOf(repository.documents.get(path)).implicitDependencies);
  const needed = listed
    .map(toServiceName)
    .filter((name) => names.has(name) && name !== service.name);
  if (needed.length === 0) return service;
  return {
    ...service,
    dependsOn: Object.fromEntries(needed.map((name) => [name, 'ready' as const])),
  };
}

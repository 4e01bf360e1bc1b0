import { fieldsOf } from '../plain-values.ts';
import { whyCallsDevctl } from './own-calls.ts';
import { runScript } from './package-manager.ts';
import { type Package, packagesOf } from './packages.ts';
import { type ProposedService, toServiceName } from './proposal.ts';
import { listOfTexts, nameOfFolder, type Repository } from './repository.ts';

/**
 * Adds the builds that turbo and nx run before a dev script (`"dependsOn": ["^build"]`): the packages of the repository
 * that a service needs, as tasks.
 */
export function withBuilds(
  repository: Repository,
  services: readonly ProposedService[],
): readonly ProposedService[] {
  const from = whoBuildsBefore(repository);
  if (from === null) return services;
  const packages = packagesOf(repository);
  const served = new Map(services.map((service) => [service.cwd ?? '.', service]));
  const tasks = new Map<string, ProposedService>();
  const needs = (one: Package): Readonly<Record<string, 'completed'>> =>
    Object.fromEntries(
      builtBelow(repository, one, packages, served).map((below) => [taskOf(below), 'completed']),
    );
  const taskOf = (one: Package): string => {
    const known = tasks.get(one.folder);
    if (known) return known.name;
    const name = toServiceName(`build-${nameOfFolder(repository, one.folder)}`);
    const command = runScript(one.manager, 'build');
    const task: ProposedService = {
      name,
      command,
      cwd: one.folder,
      oneShot: true,
      from: `${one.path}: scripts.build`,
      notes: [`${from} builds it before what needs it`],
      text: one.scripts.build ?? '',
    };
    // Before what it needs, so that packages that need each other end here.
    tasks.set(one.folder, task);
    const dependsOn = needs(one);
    if (Object.keys(dependsOn).length > 0) tasks.set(one.folder, { ...task, dependsOn });
    return name;
  };
  const linked = services.map((service) => {
    const one = packages.find(({ folder }) => folder === (service.cwd ?? '.'));
    const dependsOn = one && !service.oneShot ? needs(one) : {};
    if (Object.keys(dependsOn).length === 0) return service;
    return { ...service, dependsOn: { ...dependsOn, ...service.dependsOn } };
  });
  return [...tasks.values(), ...linked];
}

/** The file that says that dependencies are built before a dev script; null where none does. */
function whoBuildsBefore({ documents }: Repository): string | null {
  const turbo = fieldsOf(documents.get('turbo.json'));
  const turboTasks = Object.entries({ ...fieldsOf(turbo.pipeline), ...fieldsOf(turbo.tasks) });
  if (turboTasks.some(buildsBefore)) return 'turbo.json';
  const nx = Object.entries(fieldsOf(fieldsOf(documents.get('nx.json')).targetDefaults));
  return nx.some(buildsBefore) ? 'nx.json' : null;
}

function buildsBefore([name, task]: readonly [string, unknown]): boolean {
  const isDev = /(?:^|[#:])(?:dev|develop|start|serve)$/.test(name);
  return isDev && listOfTexts(fieldsOf(task).dependsOn).includes('^build');
}

/** The packages that a package needs and that have a build; behind those without one, those that they need. */
function builtBelow(
  repository: Repository,
  one: Package,
  packages: readonly Package[],
  served: ReadonlyMap<string, ProposedService>,
): readonly Package[] {
  const isBuilt = ({ folder, scripts: { build } }: Package): boolean =>
    build !== undefined && whyCallsDevctl(repository, folder, build) === null;
  const byName = new Map(packages.map((other) => [other.name, other]));
  const found = new Set<Package>();
  const seen = new Set([one]);
  for (const current of seen) {
    for (const name of current.dependencies) {
      const needed = byName.get(name);
      if (!needed || needed === one) continue;
      // A package that is a service of its own builds itself.
      if (isBuilt(needed) && !served.has(needed.folder)) found.add(needed);
      else seen.add(needed);
    }
  }
  return [...found];
}

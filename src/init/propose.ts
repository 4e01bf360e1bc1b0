/*
 * The files of this folder: what `init` proposes for a repository. Nothing of the repository is run.
 *
 *   propose          the whole way: from what was read to the services of a manifest
 *   collect          reads the files of a repository
 *   repository       their shape, and access to it
 *   proposal         the shape of the proposal
 *   packages         scripts of package.json
 *   package-manager  npm, pnpm, yarn or bun; workspaces
 *   script-text      what a script calls, and its parts that run side by side
 *   own-calls        tells whether a command calls devctl in the end
 *   builds           the builds that turbo and nx run before
 *   nx               the projects of nx
 *   procfile  mprocs  process-compose  pm2   the files of other managers of processes
 *   literal          reads a literal of JavaScript, and runs no code
 *   compose          the containers of a compose file
 *   shell-script     shows what a start script starts
 *   start-script     takes it, where nothing else says what to run
 *   script-commands  script-tokens   the commands of a shell script, by its text
 *   other-programs   servers that no script names
 *   valid            leaves out what no manifest accepts
 *   frameworks       dev servers, by their command lines
 *   ports            the ports of services
 *   links            the dependencies that proxies and variables show
 *   manifest-text    writes the manifest, with comments
 *   line-diff        compares two texts line by line
 */
import { withBuilds } from './builds.ts';
import { readCompose } from './compose.ts';
import { withLinks } from './links.ts';
import { readMprocs } from './mprocs.ts';
import { readNxProjects } from './nx.ts';
import { readOtherPrograms } from './other-programs.ts';
import { whyCallsDevctl } from './own-calls.ts';
import { missingInstall, readPackages } from './packages.ts';
import { readEcosystem } from './pm2.ts';
import { withPorts } from './ports.ts';
import { readProcessCompose } from './process-compose.ts';
import { readProcfile } from './procfile.ts';
import {
  joined,
  NOTHING,
  type Proposal,
  type ProposedService,
  type Reading,
  withUniqueNames,
} from './proposal.ts';
import type { Repository } from './repository.ts';
import { readStartScript, START_SCRIPTS } from './shell-script.ts';
import { proposeFromScript } from './start-script.ts';
import { toValidService } from './valid.ts';

type Reader = (repository: Repository, file: string) => Reading;

/** The files that say which processes there are, the most explicit first: the first one that names a process is taken. */
const MANAGER_FILES: readonly (readonly [file: string, read: Reader])[] = [
  ['process-compose.yaml', readProcessCompose],
  ['process-compose.yml', readProcessCompose],
  ['mprocs.yaml', readMprocs],
  ['mprocs.yml', readMprocs],
  ['.mprocs.yaml', readMprocs],
  ['Procfile.dev', readProcfile],
  ['ecosystem.config.js', readEcosystem],
  ['ecosystem.config.cjs', readEcosystem],
  ['ecosystem.config.json', readEcosystem],
  ['ecosystem.json', readEcosystem],
  ['ecosystem.config.yaml', readEcosystem],
  ['ecosystem.config.yml', readEcosystem],
];

/** The production processes of Heroku: they count where nothing says how to develop. */
const LAST: readonly (readonly [file: string, read: Reader])[] = [['Procfile', readProcfile]];

/** More services than that are no project that anybody has written. */
const MOST_SERVICES = 200;

/** Proposes services for a repository. */
export function propose(repository: Repository): Proposal {
  const byFiles = readMain(repository);
  const script = byFiles.services.length > 0 ? null : readScript(repository);
  const main = script === null ? byFiles : joined([byFiles, script.reading]);
  const all = main.services.flatMap((service) => toValidService(service) ?? []);
  const valid = all.slice(0, MOST_SERVICES);
  const cut = all
    .slice(MOST_SERVICES)
    .map(({ from }) => `${from} is not taken: there are too many`);
  const around = joined([
    ...START_SCRIPTS.filter((file) => file !== script?.file).map((file) =>
      readStartScript(repository, file),
    ),
    { ...NOTHING, notes: repository.problems },
  ]);
  const built = withBuilds(repository, withKnownDependencies(withUniqueNames(valid)));
  const named = withUniqueNames(built);
  const compose = readCompose(repository, named);
  const { containers } = compose;
  const services = withLinks(repository, withPorts(repository, named), containers);
  const sources = new Set(services.map(({ from }) => from.split(': ')[0] ?? from));
  return {
    services,
    containers,
    oneOffs: main.oneOffs,
    notes: [...new Set([...main.notes, ...cut.slice(0, 3), ...compose.notes, ...around.notes])],
    sources: [...sources],
    install: missingInstall(repository),
  };
}

/** The first start script of which something can be taken. */
function readScript(repository: Repository) {
  for (const file of START_SCRIPTS) {
    const reading = proposeFromScript(repository, file);
    if (reading.services.length > 0) return { file, reading };
  }
  return null;
}

/** Leaves out dependencies on what is not proposed. */
function withKnownDependencies(services: readonly ProposedService[]): readonly ProposedService[] {
  const names = new Set(services.map(({ name }) => name));
  return services.map(({ dependsOn = {}, ...service }) => {
    const known = Object.entries(dependsOn).filter(([name]) => names.has(name));
    return known.length === 0 ? service : { ...service, dependsOn: Object.fromEntries(known) };
  });
}

/** Chooses the source of the services: a file of a manager of processes, else scripts and servers that are found. */
function readMain(repository: Repository): Reading {
  const hasProjects = readNxProjects(repository, new Set()).services.length > 0;
  const scripts = readPackages(repository, hasProjects);
  const ofManagers = MANAGER_FILES.flatMap(([file, read]) =>
    repository.texts.has(file)
      ? [{ file, reading: withoutOwnCalls(repository, read(repository, file)) }]
      : [],
  );
  const chosen = ofManagers.find(({ reading }) => reading.services.length > 0);
  const failed = ofManagers.filter(({ reading }) => reading.services.length === 0);
  const notes = [...failed.flatMap(({ reading }) => reading.notes)];
  if (chosen) return taken(chosen.reading, scripts, chosen.file, notes);
  const found = withOthers(repository, scripts);
  for (const [file, read] of LAST) {
    if (!repository.texts.has(file)) continue;
    const reading = withoutOwnCalls(repository, read(repository, file));
    notes.push(...reading.notes);
    if (reading.services.length === 0) continue;
    if (!hasDevelopment(found)) return taken(reading, scripts, file, notes);
    return joined([
      found,
      { ...NOTHING, notes: [...notes, `${file} is not taken: the scripts say how to develop`] },
    ]);
  }
  return joined([found, { ...NOTHING, notes }]);
}

/** Leaves out the services that call devctl. The scripts of packages are chosen by that already. */
function withoutOwnCalls(repository: Repository, reading: Reading): Reading {
  const judged = reading.services.map((service) => {
    const why = whyCallsDevctl(repository, service.cwd ?? '.', service.text);
    return { service, note: why === null ? null : `${service.from} is not taken: ${why}` };
  });
  return {
    ...reading,
    services: judged.flatMap(({ service, note }) => (note === null ? [service] : [])),
    notes: [...reading.notes, ...judged.flatMap(({ note }) => note ?? [])],
  };
}

/** True where a script is meant for development. `start` alone is what Heroku runs as well. */
function hasDevelopment({ services }: Reading): boolean {
  return services.some(
    ({ from }) => !/scripts\.(?:start|serve)$/.test(from) && /scripts\./.test(from),
  );
}

function taken(
  reading: Reading,
  scripts: Reading,
  file: string,
  notes: readonly string[],
): Reading {
  const others = scripts.services.map(({ from }) => from);
  return {
    services: reading.services,
    oneOffs: scripts.oneOffs,
    notes: [
      ...reading.notes,
      ...notes,
      ...(others.length > 0
        ? [`${file} says what runs, so these are not taken: ${others.join(', ')}`]
        : []),
    ],
  };
}

/** Adds nx projects and servers that no script starts. */
function withOthers(repository: Repository, scripts: Reading): Reading {
  const served = new Set(scripts.services.map(({ cwd = '.' }) => cwd));
  const nx = readNxProjects(repository, served);
  const others = readOtherPrograms(repository);
  const free = others.services.filter(
    (one) => !isStarted(one, [...scripts.services, ...nx.services]),
  );
  return joined([scripts, nx, { ...others, services: free }]);
}

/** A script of the same folder, or of the root, may start the server: `"dev": "concurrently 'python manage.py runserver' vite"`. */
function isStarted(one: ProposedService, others: readonly ProposedService[]): boolean {
  const what = /manage\.py|uvicorn|flask|rails|artisan/.exec(one.text)?.[0];
  return what !== undefined && others.some(({ text }) => text.includes(what));
}

import { fieldsOf } from '../plain-values.ts';
import type { Condition, ProposedContainers, ProposedService } from './proposal.ts';
import { below, firstText, type Repository } from './repository.ts';

/** Files of a folder that may say to which other service requests are passed on. */
const CONFIGS = ['vite', 'next', 'nuxt', 'astro', 'vue', 'webpack', 'svelte'].flatMap((name) =>
  ['js', 'mjs', 'cjs', 'ts', 'mts'].map((extension) => `${name}.config.${extension}`),
);

const ENV_FILES = ['.env.development', '.env.local', '.env'];

/** Variables of an env file that name a service that is needed, not one that is allowed to ask. */
const NEEDED = /(?:API|BACKEND|SERVER|PROXY|GATEWAY)/;

const LOCAL_PORT = /\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b/g;

/** `DB_PORT=5432`. */
const PORT_VARIABLE = /^\s*\w+_PORT=["']?(\d{2,5})\b/g;

/**
 * Adds the dependencies that the proxy of a dev server shows, because it passes requests on to the port of another
 * service, and those on containers, because a variable names a port that they publish. A dependency that would close a
 * circle is left out.
 */
export function withLinks(
  repository: Repository,
  services: readonly ProposedService[],
  containers: ProposedContainers | null,
): readonly ProposedService[] {
  const ofContainers = containers?.ports ?? new Map<number, string>();
  const byPort = new Map(ofContainers);
  for (const { name, ports = [] } of services) for (const port of ports) byPort.set(port, name);
  const edges = new Map(
    services.map(({ name, dependsOn = {} }) => [name, new Set(Object.keys(dependsOn))]),
  );
  return services.map((service) => {
    const added: (readonly [string, Condition])[] = [];
    const notes: string[] = [];
    const named = [
      ...(service.oneShot ? [] : portsNamedBy(repository, service)),
      ...variablePorts(repository, service).filter(({ port }) => ofContainers.has(port)),
    ];
    for (const { port, from } of named) {
      const needed = byPort.get(port);
      const own = edges.get(service.name);
      if (needed === undefined || needed === service.name || own?.has(needed)) continue;
      if (reaches(edges, needed, service.name)) continue;
      own?.add(needed);
      added.push([needed, 'ready']);
      notes.push(`depends on ${needed}: ${from} names its port ${port}`);
    }
    if (added.length === 0) return service;
    return {
      ...service,
      dependsOn: { ...service.dependsOn, ...Object.fromEntries(added) },
      notes: [...service.notes, ...notes],
    };
  });
}

interface NamedPort {
  readonly port: number;
  readonly from: string;
}

function portsNamedBy(
  repository: Repository,
  { cwd = '.' }: ProposedService,
): readonly NamedPort[] {
  const config = firstText(repository, cwd, CONFIGS);
  const path = below(cwd, 'package.json');
  const { proxy } = fieldsOf(repository.documents.get(path));
  const env = envLines(repository, cwd).filter(({ text }) => NEEDED.test(text.split('=')[0] ?? ''));
  const texts = [
    ...(config ? [config] : []),
    ...(typeof proxy === 'string' ? [{ path, text: proxy }] : []),
    ...env,
  ];
  return texts.flatMap((one) =>
    [...one.text.matchAll(LOCAL_PORT)].map(([, port]) => ({ port: Number(port), from: one.path })),
  );
}

/** The ports that any variable names, in the env files of the service's folder or in its own environment. */
function variablePorts(
  repository: Repository,
  { cwd = '.', env = {} }: ProposedService,
): readonly NamedPort[] {
  const own = Object.entries(env).map(([name, value]) => ({
    path: `the variable ${name}`,
    text: `${name}=${value}`,
  }));
  return [...envLines(repository, cwd), ...own].flatMap(({ path, text }) =>
    [...text.matchAll(LOCAL_PORT), ...text.matchAll(PORT_VARIABLE)].map(([, port]) => ({
      port: Number(port),
      from: path,
    })),
  );
}

function envLines(
  { texts }: Repository,
  cwd: string,
): readonly { readonly path: string; readonly text: string }[] {
  return ENV_FILES.flatMap((name) => {
    const path = below(cwd, name);
    return (texts.get(path) ?? '').split(/\r?\n/).map((text) => ({ path, text }));
  });
}

function reaches(
  edges: ReadonlyMap<string, ReadonlySet<string>>,
  from: string,
  to: string,
): boolean {
  const seen = new Set([from]);
  for (const name of seen) for (const next of edges.get(name) ?? []) seen.add(next);
  return seen.has(to);
}

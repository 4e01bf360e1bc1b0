import { fieldsOf } from '../plain-values.ts';
import type { Condition, ProposedService } from './proposal.ts';
import { below, firstText, type Repository } from './repository.ts';

/** Files of a folder that may say to which other service requests are passed on. */
const CONFIGS = ['vite', 'next', 'nuxt', 'astro', 'vue', 'webpack', 'svelte'].flatMap((name) =>
  ['js', 'mjs', 'cjs', 'ts', 'mts'].map((extension) => `${name}.config.${extension}`),
);

const ENV_FILES = ['.env.development', '.env.local', '.env'];

/** Variables of an env file that name a service that is needed, not one that is allowed to ask. */
const NEEDED = /(?:API|BACKEND|SERVER|PROXY|GATEWAY)/;

const LOCAL_PORT = /\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b/g;

/**
 * Adds the dependencies that the proxy of a dev server shows: it passes requests on to the port of another service. A
 * dependency that would close a circle is left out.
 */
export function withProxyLinks(
  repository: Repository,
  services: readonly ProposedService[],
): readonly ProposedService[] {
  const byPort = new Map<number, string>();
  for (const { name, ports = [] } of services) for (const port of ports) byPort.set(port, name);
  const edges = new Map(
    services.map(({ name, dependsOn = {} }) => [name, new Set(Object.keys(dependsOn))]),
  );
  return services.map((service) => {
    if (service.oneShot) return service;
    const added: (readonly [string, Condition])[] = [];
    const notes: string[] = [];
    for (const { port, from } of portsNamedBy(repository, service)) {
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

function portsNamedBy(
  repository: Repository,
  { cwd = '.' }: ProposedService,
): readonly { readonly port: number; readonly from: string }[] {
  const config = firstText(repository, cwd, CONFIGS);
  const path = below(cwd, 'package.json');
  const { proxy } = fieldsOf(repository.documents.get(path));
  const env = ENV_FILES.flatMap((name) => {
    const file = below(cwd, name);
    const lines = (repository.texts.get(file) ?? '').split(/\r?\n/);
    return lines
      .filter((line) => NEEDED.test(line.split('=')[0] ?? ''))
      .map((text) => ({ path: file, text }));
  });
  const texts = [
    ...(config ? [config] : []),
    ...(typeof proxy === 'string' ? [{ path, text: proxy }] : []),
    ...env,
  ];
  return texts.flatMap((one) =>
    [...one.text.matchAll(LOCAL_PORT)].map(([, port]) => ({ port: Number(port), from: one.path })),
  );
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

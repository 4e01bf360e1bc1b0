import { resolve } from 'node:path';
import * as z from 'zod/mini';
import * as field from '../fields.ts';
import type { ManifestPlace } from '../locate.ts';
import { type Problem, problem, show } from '../problem.ts';
import type { ContainerSettings, DependencyCondition } from '../resolved.ts';
import { entriesOf, itemsOf, keyPositionOf, scalarOf, type Tree, valueAt } from '../tree.ts';

const DEFAULT_TIMEOUT_MS = 600_000;

const names = z.array(z.string().check(z.minLength(1, 'must not be empty')));

/** The schema of `containers`. */
export const containersSchema = z.strictObject({
  file: field.optional(
    'The compose file or files, relative to the manifest. Default: compose.yaml, compose.yml, docker-compose.yml or docker-compose.yaml beside it, and its .override file.',
    field.envFile,
  ),
  services: field.optional(
    'The compose services to start, with what they depend on. Default: all.',
    names,
  ),
  command: field.optional(
    'The compose program. Podman is refused. Default: "docker compose", or else "docker-compose".',
    field.command,
  ),
  profiles: field.optional("Compose's profiles.", names),
  required: field.optional(
    'Whether a start fails where the containers cannot be started; false: it says why, and starts the services. Default: true.',
    z.boolean(),
  ),
  timeout: field.optional(
    'How long they may take to be up and healthy, with pulls and builds. Default: "10m".',
    field.duration,
  ),
  adopt: field.optional(
    'The answer where somebody else has started the compose project: "refuse": exit code 5; "use": the services use those containers, and devctl never stops them. Default: "refuse".',
    z.enum(['refuse', 'use']),
  ),
  project: field.optional(
    "The name of the compose project. Default: COMPOSE_PROJECT_NAME, or compose's own name; in a worktree and in a copy with a part of its own.",
    z
      .string()
      .check(z.regex(/^[a-z0-9][a-z0-9_-]*$/, 'use lower case letters, digits, "-" and "_"')),
  ),
});

type ContainersKey = z.output<typeof containersSchema>;

/** Checks what the schema of `containers` cannot see. */
export function checkContainers(tree: Tree): Problem[] {
  const services = entriesOf(valueAt(tree, 'services'));
  const command = valueAt(tree, 'containers', 'command');
  const words = [scalarOf(command), ...itemsOf(command).map(scalarOf)].join(' ');
  const isPodman = command !== undefined && /(^|[\s/])podman/.test(words);
  const why =
    'names podman: its containers would be processes of devctl, which a stop ends one by one; give Docker the socket of podman as DOCKER_HOST instead';
  return [
    ...(isPodman ? [problem(command.at, ['containers', 'command'], why)] : []),
    ...itemsOf(valueAt(tree, 'containers', 'services')).flatMap((item, index) => {
      const name = scalarOf(item);
      if (typeof name !== 'string' || !services.has(name)) return [];
      const message = `${show(name)} is also the name of a service: a name means one thing`;
      return [problem(item.at, ['containers', 'services', index], message)];
    }),
  ];
}

/** @param needs the compose services that each service depends on */
export function resolveContainers(
  { root }: ManifestPlace,
  tree: Tree,
  given: ContainersKey | undefined,
  needs: ContainerSettings['needs'],
): ContainerSettings | null {
  if (given === undefined) return null;
  const { file = [], services = null, command, profiles = [], required = true } = given;
  const files = typeof file === 'string' ? [file] : file;
  const { line } = keyPositionOf(tree, ['containers']);
  return {
    files: files.map((name) => resolve(root, name)),
    services,
    command: typeof command === 'string' ? command.trim().split(/\s+/) : (command ?? null),
    profiles,
    required,
    timeoutMs: given.timeout ?? DEFAULT_TIMEOUT_MS,
    adopt: given.adopt ?? 'refuse',
    project: given.project ?? null,
    needs,
    definedAt: `${keyPositionOf(tree, ['containers']).file.split('/').at(-1)}:${line}`,
  };
}

/** Splits the dependencies of a service into those on services and those on compose services. */
export function splitDependencies(
  dependsOn: Readonly<Record<string, DependencyCondition>>,
  services: ReadonlySet<string>,
): Record<'services' | 'containers', Readonly<Record<string, DependencyCondition>>> {
  const entries = Object.entries(dependsOn);
  return {
    services: Object.fromEntries(entries.filter(([name]) => services.has(name))),
    containers: Object.fromEntries(entries.filter(([name]) => !services.has(name))),
  };
}

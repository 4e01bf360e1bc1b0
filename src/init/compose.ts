import { fieldsOf } from '../plain-values.ts';
import { NOTHING, type Reading } from './proposal.ts';
import type { Repository } from './repository.ts';

export const COMPOSE_FILES = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
  'docker-compose.dev.yml',
  'docker-compose.dev.yaml',
] as const;

/** Says what a compose file has. devctl starts no containers, so nothing of it is taken. */
export function readCompose(repository: Repository, file: string): Reading {
  const services = Object.entries(fieldsOf(fieldsOf(repository.documents.get(file)).services));
  if (services.length === 0) return NOTHING;
  const images = services.filter(([, value]) => fieldsOf(value).build === undefined);
  const built = services.filter(([, value]) => fieldsOf(value).build !== undefined);
  const names = (list: typeof services): string => list.map(([name]) => name).join(' ');
  const usual = file === COMPOSE_FILES[0] || /^(?:docker-)?compose\.ya?ml$/.test(file);
  const option = usual ? '' : ` -f ${file}`;
  return {
    ...NOTHING,
    notes: [
      ...(images.length > 0
        ? [
            `${file}: containers are not taken; start them before: docker compose${option} up -d ${names(images)}`,
          ]
        : []),
      ...(built.length > 0
        ? [
            `${file}: ${names(built)} ${built.length === 1 ? 'is' : 'are'} built as containers, and not taken`,
          ]
        : []),
    ],
  };
}

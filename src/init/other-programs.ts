import { NOTHING, type ProposedService, type Reading, toServiceName } from './proposal.ts';
import { below, firstText, nameOfFolder, type Repository } from './repository.ts';

/** Finds servers that no script names: Django, FastAPI, Flask, Rails, Laravel. */
export function readOtherPrograms(repository: Repository): Reading {
  const services = repository.folders.flatMap((folder) => {
    const found = FINDERS.map((find) => find(repository, folder)).find((one) => one !== null);
    return found ? [found] : [];
  });
  return { ...NOTHING, services };
}

type Finder = (repository: Repository, folder: string) => ProposedService | null;

const FINDERS: readonly Finder[] = [findDjango, findFastApi, findFlask, findRails, findLaravel];

function findDjango(repository: Repository, folder: string): ProposedService | null {
  const found = firstText(repository, folder, ['manage.py']);
  if (!found || !/\bdjango\b|DJANGO_SETTINGS_MODULE/.test(found.text)) return null;
  const command = `${pythonPrefix(repository, folder)} manage.py runserver`;
  return toService(repository, folder, found.path, command);
}

function findFastApi(repository: Repository, folder: string): ProposedService | null {
  const found = firstText(repository, folder, ['main.py', 'app/main.py', 'src/main.py', 'app.py']);
  const app = /^(\w+)\s*(?::\s*FastAPI\s*)?=\s*FastAPI\(/m.exec(found?.text ?? '')?.[1];
  if (!found || app === undefined) return null;
  const module = moduleOf(folder, found.path);
  const command = `${pythonPrefix(repository, folder)} -m uvicorn ${module}:${app} --reload`;
  return toService(repository, folder, found.path, command);
}

function findFlask(repository: Repository, folder: string): ProposedService | null {
  const found = firstText(repository, folder, ['app.py', 'wsgi.py', 'main.py']);
  const isFlask = /^\w+\s*=\s*Flask\(|\bcreate_app\b/m.test(found?.text ?? '');
  if (!found || !isFlask || !/\bflask\b/i.test(found.text)) return null;
  const module = moduleOf(folder, found.path);
  const command = `${pythonPrefix(repository, folder)} -m flask --app ${module} run --debug`;
  return toService(repository, folder, found.path, command);
}

function findRails(repository: Repository, folder: string): ProposedService | null {
  const found = firstText(repository, folder, ['config/application.rb']);
  if (!found || !/\bRails::Application\b/.test(found.text)) return null;
  const isBinstub = repository.present.has(below(folder, 'bin/rails'));
  const command = `${isBinstub ? 'bin/rails' : 'bundle exec rails'} server`;
  return toService(repository, folder, found.path, command);
}

function findLaravel(repository: Repository, folder: string): ProposedService | null {
  const path = below(folder, 'artisan');
  if (!repository.present.has(path)) return null;
  return toService(repository, folder, path, 'php artisan serve');
}

function toService(
  repository: Repository,
  folder: string,
  from: string,
  command: string,
): ProposedService {
  return {
    name: folder === '.' ? 'web' : toServiceName(nameOfFolder(repository, folder)),
    command,
    ...(folder === '.' ? {} : { cwd: folder }),
    from,
    notes: [],
    text: command,
  };
}

function moduleOf(folder: string, path: string): string {
  const inside = folder === '.' ? path : path.slice(folder.length + 1);
  return inside.replace(/\.py$/, '').replaceAll('/', '.');
}

/** The Python of the project: that of its lock file or of its virtual environment. */
function pythonPrefix(repository: Repository, folder: string): string {
  const has = (name: string): boolean =>
    repository.present.has(below(folder, name)) || repository.present.has(name);
  if (has('uv.lock')) return 'uv run python';
  if (has('poetry.lock')) return 'poetry run python';
  if (has('Pipfile')) return 'pipenv run python';
  for (const name of ['.venv', 'venv', 'env']) {
    const python = `${name}/bin/python`;
    if (repository.present.has(below(folder, python))) return python;
    if (folder !== '.' && repository.present.has(python))
      return `${folder
        .split('/')
        .map(() => '..')
        .join('/')}/${python}`;
  }
  return 'python3';
}

import { fieldsOf, textOfScalar } from '../plain-values.ts';
import { readExportedLiteral } from './literal.ts';
import { shellWord } from './package-manager.ts';
import { NOTHING, type ProposedService, type Reading, toServiceName } from './proposal.ts';
import { below, listOfTexts, type Repository, textsOf } from './repository.ts';

/** Reads pm2's ecosystem file: JSON, YAML, or a `module.exports` that is a literal. No code is run. */
export function readEcosystem(repository: Repository, file: string): Reading {
  const text = repository.texts.get(file) ?? '';
  const found = /\.[cm]?js$/.test(file)
    ? readExportedLiteral(text)
    : repository.documents.get(file);
  const listed = Array.isArray(found) ? found : fieldsOf(found).apps;
  const notes: string[] = [];
  if (!Array.isArray(listed))
    notes.push(`${file}: nothing is taken: it is computed, and init runs no code`);
  const apps: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const services = apps.flatMap((value, index): readonly ProposedService[] => {
    const app = fieldsOf(value);
    const name = textOfScalar(app.name) ?? textOfScalar(app.script) ?? `app-${index + 1}`;
    const command = commandOf(app);
    if (command === null) {
      notes.push(`${file}: ${name} is not taken: its script is computed, and init runs no code`);
      return [];
    }
    return [toService(file, index, name, command, app)];
  });
  return { ...NOTHING, services, notes };
}

function toService(
  file: string,
  index: number,
  name: string,
  command: string,
  app: Readonly<Record<string, unknown>>,
): ProposedService {
  const folder = textOfScalar(app.cwd);
  const cwd = folder === null || folder.startsWith('/') ? folder : below('.', folder);
  const env = { ...textsOf(app.env), ...textsOf(app.env_development) };
  const computed = Object.entries(fieldsOf(app.env)).flatMap(([key, value]) =>
    textOfScalar(value) === null ? [key] : [],
  );
  const instances = Number(app.instances ?? 1);
  const graceMs = Number(app.kill_timeout);
  const notes = [
    ...(instances !== 1 ? [`pm2 runs ${String(app.instances)} of it; devctl runs one`] : []),
    ...(computed.length > 0
      ? [`set these by hand, they are computed: ${computed.join(', ')}`]
      : []),
    ...(app.watch !== undefined && app.watch !== false
      ? ['pm2 starts it again when a file changes; devctl does not watch files']
      : []),
  ];
  return {
    name: toServiceName(name),
    command,
    ...(cwd === null || cwd === '.' ? {} : { cwd }),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(app.autorestart === true ? { restart: 'always' as const } : {}),
    ...(graceMs > 0 && graceMs <= 3_600_000 ? { stop: { grace: `${graceMs}ms` } } : {}),
    from: `${file}: apps[${index}]`,
    notes,
    text: command,
  };
}

const BY_EXTENSION: readonly (readonly [extension: RegExp, interpreter: string])[] = [
  [/\.[cm]?js$/, 'node'],
  [/\.py$/, 'python3'],
  [/\.sh$/, 'bash'],
  [/\.rb$/, 'ruby'],
  [/\.pl$/, 'perl'],
  [/\.php$/, 'php'],
];

/** The command line that pm2 would run; null where a part of it is computed. */
function commandOf(app: Readonly<Record<string, unknown>>): string | null {
  const script = textOfScalar(app.script);
  const args = partOf(app.args);
  const flags = partOf(app.node_args ?? app.interpreter_args);
  if (script === null || args === null || flags === null) return null;
  const given = textOfScalar(app.interpreter ?? app.exec_interpreter);
  if ((app.interpreter ?? app.exec_interpreter) !== undefined && given === null) return null;
  const interpreter =
    given === 'none'
      ? null
      : (given ?? BY_EXTENSION.find(([end]) => end.test(script))?.[1] ?? null);
  return [interpreter, flags, script, args]
    .filter((part) => part !== null && part !== '')
    .join(' ');
}

/** Arguments as pm2 takes them: a text or a list; null where one is computed. */
function partOf(value: unknown): string | null {
  if (value === undefined || value === null) return '';
  if (!Array.isArray(value)) return textOfScalar(value);
  const words = listOfTexts(value);
  if (words.length < value.length) return null;
  return words.map(shellWord).join(' ');
}

import { fieldsOf, ownValue, textOfScalar } from '../plain-values.ts';
import { NOTHING, type ProposedService, type Reading, toServiceName } from './proposal.ts';
import { below, listOfTexts, type Repository, textsOf } from './repository.ts';

/** Reads mprocs.yaml: `procs`, each with `shell` or `cmd`. */
export function readMprocs(repository: Repository, file: string): Reading {
  const procs = Object.entries(fieldsOf(fieldsOf(repository.documents.get(file)).procs));
  const notes: string[] = [];
  const services = procs.flatMap(([name, value]): readonly ProposedService[] => {
    const proc = typeof value === 'string' ? { shell: value } : fieldsOf(value);
    const words = listOfTexts(proc.cmd);
    const shell = textOfScalar(proc.shell);
    const command = words.length > 0 ? words : shell;
    if (command === null) {
      if (value !== null) notes.push(`${file}: ${name} is not taken: it has neither shell nor cmd`);
      return [];
    }
    const text = typeof command === 'string' ? command : command.join(' ');
    const env = textsOf(proc.env);
    const cwd = folderOf(textOfScalar(proc.cwd));
    const signal = ownValue(SIGNALS, proc.stop);
    return [
      {
        name: toServiceName(name),
        command,
        ...(cwd === null ? {} : { cwd }),
        ...(Object.keys(env).length > 0 ? { env } : {}),
        ...(signal === undefined ? {} : { stop: { signal } }),
        ...(proc.autorestart === true ? { restart: 'always' as const } : {}),
        ...(proc.autostart === false ? { autostart: false as const } : {}),
        from: `${file}: procs.${name}`,
        notes: [],
        text,
      },
    ];
  });
  return { ...NOTHING, services, notes };
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGINT: 'SIGINT',
  SIGKILL: 'SIGKILL',
  'hard-kill': 'SIGKILL',
};

/** `<CONFIG_DIR>` is the folder of mprocs.yaml. */
function folderOf(cwd: string | null): string | null {
  if (cwd === null) return null;
  if (cwd.startsWith('/')) return cwd;
  const folder = below('.', cwd.replace('<CONFIG_DIR>', '.'));
  return folder === '.' ? null : folder;
}

import { CONTROL, readAsSystemd } from './environment-file.ts';
import { isSecret } from './secrets.ts';
import { decidingLayer, type ExportedService, type ExportNote, type UnitPart } from './source.ts';
import { filePattern, quoted } from './systemd-words.ts';

/** The environment of a unit. */
interface UnitEnvironment extends UnitPart {
  /** Variables that stand on the command line, because a file of `EnvironmentFile=` would win against `Environment=`. */
  readonly over: readonly (readonly [name: string, value: string])[];
}

/**
 * Writes the environment of a service: values of `env`, and references to env files and to secrets. Names each variable
 * that has another value under systemd, and shows no value.
 */
export function environmentLines(exported: ExportedService, path: string): UnitEnvironment {
  const { service, layers } = exported;
  const files = layers.flatMap((layer) => (layer.kind === 'file' ? layer : []));
  const inFiles = new Map(files.flatMap(({ text }) => [...readAsSystemd(text)]));
  const ours = Object.entries(service.env).filter(
    ([name]) => decidingLayer(exported, name)?.kind === 'env',
  );
  const [secret, open] = parted(ours, ([name]) => isSecret(exported, name));
  const [impossible, possible] = parted(
    open,
    ([name, value]) => !/^[A-Za-z_]\w*$/.test(name) || CONTROL.test(value),
  );
  const [over, plain] = parted(possible, ([name]) => inFiles.has(name));
  const known = new Map([...plain, ...inFiles, ...over]);
  const note = (key: string, text: string): ExportNote => ({ service: service.name, key, text });
  const misread = Object.keys({ ...service.env, ...Object.fromEntries(inFiles) }).filter(
    (name) =>
      decidingLayer(exported, name)?.kind !== 'env' && known.get(name) !== service.env[name],
  );
  const hasPath = path === '' || service.env.PATH !== undefined;
  const variables = hasPath ? plain : [['PATH', path] as const, ...plain];
  return {
    lines: [
      ...variables.map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
      ...secret.map(([name]) => `PassEnvironment=${name}`),
      ...[...new Set(files.map(({ file }) => file))].map(
        (file) => `EnvironmentFile=${filePattern(file)}`,
      ),
    ],
    over,
    notes: [
      ...impossible.map(([name]) => note(`env.${name}`, 'systemd takes no such name or value')),
      ...secret.map(([name]) =>
        note(
          `env.${name}`,
          inFiles.has(name)
            ? 'is not written, because it may be a secret, and an env file sets it to another value'
            : `is not written, because it may be a secret: systemctl --user import-environment ${name}`,
        ),
      ),
      ...misread.map((name) => note(name, 'EnvironmentFile= reads another value than devctl')),
    ],
  };
}

function parted<Item>(
  items: readonly Item[],
  isFirst: (item: Item) => boolean,
): readonly [readonly Item[], readonly Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

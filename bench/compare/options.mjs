// The options of `npm run bench -- --peers`.
import { parseArgs } from 'node:util';
import { ADAPTERS } from '../peers/adapters.mjs';
import { look } from '../peers/tools.mjs';

/** A round of 2,000 processes takes long, so there are fewer of them. */
const LARGE = 1_000;

export function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      peers: { type: 'boolean' },
      only: { type: 'string', default: '' },
      sizes: { type: 'string', default: '80,600,2000' },
      idle: { type: 'string', default: '80' },
      lines: { type: 'string', default: '100000' },
      markdown: { type: 'boolean', default: false },
      zoo: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(positionals[0] ?? 5);
  if (!(rounds >= 1)) throw new Error(`${positionals[0]} is no number of rounds`);
  return {
    rounds,
    roundsOf: (size) => (size >= LARGE ? Math.ceil(rounds / 2) : rounds),
    only: list(values.only),
    sizes: list(values.sizes).map(Number),
    idle: list(values.idle).map(Number),
    lines: Number(values.lines),
    isMarkdown: values.markdown,
    measuresZoo: values.zoo,
  };
}

function list(text) {
  return text.split(',').filter((word) => word !== '' && word !== 'none');
}

/**
 * Finds the tools that are installed.
 *
 * @param only their names; empty: all
 * @param say is told of each that is not installed
 */
export function findPeers(only, say) {
  const unknown = only.find((name) => !ADAPTERS.some((one) => one.name === name));
  if (unknown) throw new Error(`there is no adapter "${unknown}"`);
  const wanted = ADAPTERS.filter(({ name }) => only.length === 0 || only.includes(name));
  return wanted.flatMap((adapter) => {
    const found = adapter.find(look);
    if (found) return { adapter, found };
    say(`${adapter.name} is not installed, and skipped: ${adapter.install}`);
    return [];
  });
}

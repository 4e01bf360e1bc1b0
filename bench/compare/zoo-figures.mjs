// The figures of the public zoo for the table of the comparison.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openZoo } from './zoo.mjs';

const file = fileURLToPath(new URL('../peers/zoo.json', import.meta.url));

/** Cells by the name of the tool, as `node fixtures/zoo/cli.mjs --save` has written them last. */
export function knownZoo() {
  const cells = Object.entries(savedZoo()).map(([name, { left, visited }]) => [
    name,
    cell(left, visited),
  ]);
  return new Map(cells);
}

/** Runs the zoo with each of them. */
export async function playZoo(peers, root, say) {
  const cells = new Map();
  const zoo = await openZoo(root);
  try {
    for (const { adapter, found } of peers.filter(({ adapter }) => !adapter.twinOf)) {
      say(`the zoo against ${adapter.name} …`);
      const outcome = await zoo.visit({ adapter, found, only: [] });
      cells.set(adapter.name, cell(outcome.left.size, outcome.visited));
      saveZoo(adapter.name, found.version, outcome);
    }
  } finally {
    await zoo.close();
  }
  return cells;
}

/** Keeps the outcome for tables to come. */
export function saveZoo(name, version, { left, visited }) {
  const names = [...left.keys()].sort();
  const all = { ...savedZoo(), [name]: { version, visited, left: left.size, names } };
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
}

function cell(left, visited) {
  return `${left} of ${visited}`;
}

/** All that was saved, by the name of the tool: { version, visited, left, names }. */
export function savedZoo() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

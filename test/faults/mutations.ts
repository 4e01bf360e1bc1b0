import fc from 'fast-check';

/** A change of the bytes of a record. */
export type Mutation = (bytes: Buffer) => Buffer;

/** Names that lead out of a folder, or that JavaScript objects inherit. */
const NAMES = ['../../etc/passwd', '/etc/passwd', '__proto__', 'constructor', '', '.', 'a/b', '\0'];
const NUMBERS = [0, 1, -1, 2, 0.5, -0.5, 1e308, 2 ** 31, 2 ** 53, -(2 ** 31), 4_194_305];
const OTHERS = [null, true, [], {}, [[]], 'text', { __proto__: null, pid: 1 }];

/**
 * Everything that a crash, a disk, an editor or an enemy does to a file, one to three times.
 *
 * @param pids numbers of processes that are nobody's business
 */
export function anyMutation(pids: readonly number[]): fc.Arbitrary<Mutation> {
  const numbers = [...NUMBERS, ...pids, ...pids.map((pid) => -pid)];
  const value = fc.constantFrom<unknown>(...numbers, ...NAMES, ...OTHERS, 'f'.repeat(32));
  const at = fc.nat({ max: 10_000 });
  const one = fc.oneof(
    fc.tuple(at, fc.nat({ max: 7 })).map(([where, bit]) => flip(where, bit)),
    at.map((where) => (bytes: Buffer) => bytes.subarray(0, where % (bytes.length + 1))),
    fc.tuple(at, value).map(([which, wanted]) => replaceLeaf(which, () => wanted)),
    fc
      .tuple(at, fc.constantFrom(...numbers))
      .map(([which, wanted]) => replaceNumber(which, wanted)),
    fc.tuple(at, at).map(([from, to]) => swapLeaves(from, to)),
    fc
      .tuple(at, fc.uint8Array({ minLength: 1, maxLength: 8 }))
      .map(([where, bytes]) => insert(where, Buffer.from(bytes))),
    at.map((where) => insert(where, Buffer.from([0xff, 0xc0, 0x80]))),
    at.map((depth) => (bytes: Buffer) => nest(bytes, depth)),
    fc.constant<Mutation>((bytes) => Buffer.concat([bytes, bytes])),
    fc.constantFrom('', '[]', 'null', '{}', '"', '{"__proto__":{"pid":1}}').map(
      (text): Mutation =>
        () =>
          Buffer.from(text),
    ),
  );
  return fc
    .array(one, { minLength: 1, maxLength: 3 })
    .map((list) => (bytes) => list.reduce((changed, mutate) => mutate(changed), bytes));
}

function flip(where: number, bit: number): Mutation {
  return (bytes) => {
    const changed = Buffer.from(bytes);
    const index = changed.length === 0 ? 0 : where % changed.length;
    if (index < changed.length) changed[index] = (changed[index] ?? 0) ^ (1 << bit);
    return changed;
  };
}

function insert(where: number, middle: Buffer): Mutation {
  return (bytes) => {
    const index = where % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, index), middle, bytes.subarray(index)]);
  };
}

function nest(bytes: Buffer, depth: number): Buffer {
  return Buffer.from(`${'['.repeat(depth)}${bytes.toString('latin1')}${']'.repeat(depth)}`);
}

/** Replaces a number in a file that is not one JSON document: ledgers and the old files. */
function replaceNumber(which: number, wanted: number): Mutation {
  return (bytes) => {
    const text = bytes.toString('latin1');
    const all = [...text.matchAll(/\d+/g)];
    const found = all[which % Math.max(all.length, 1)];
    if (!found) return bytes;
    const [digits] = found;
    const rest = text.slice(found.index + digits.length);
    return Buffer.from(`${text.slice(0, found.index)}${wanted}${rest}`, 'latin1');
  };
}

function replaceLeaf(which: number, change: (old: unknown) => unknown): Mutation {
  return onLeaves((leaves) => {
    const leaf = leaves[which % leaves.length];
    if (leaf) leaf.holder[leaf.key] = change(leaf.holder[leaf.key]);
  });
}

function swapLeaves(from: number, to: number): Mutation {
  return onLeaves((leaves) => {
    const one = leaves[from % leaves.length];
    const other = leaves[to % leaves.length];
    if (!one || !other) return;
    const kept = one.holder[one.key];
    one.holder[one.key] = other.holder[other.key];
    other.holder[other.key] = kept;
  });
}

interface Leaf {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** Changes values of a JSON document, inner ones too. Other bytes stay as they are. */
function onLeaves(change: (leaves: readonly Leaf[]) => void): Mutation {
  return (bytes) => {
    try {
      const root = { document: JSON.parse(bytes.toString()) };
      change(leavesOf(root));
      return Buffer.from(JSON.stringify(root.document) ?? '');
    } catch {
      // Not JSON, or nested too deep to be written.
      return bytes;
    }
  };
}

/** The deepest level that is changed: no record is deeper. */
const DEEPEST = 6;

function leavesOf(holder: Record<string, unknown>, depth = 0): readonly Leaf[] {
  return Object.entries(holder).flatMap(([key, value]) => [
    { holder, key },
    ...(value instanceof Object && depth < DEEPEST
      ? leavesOf(value as Record<string, unknown>, depth + 1)
      : []),
  ]);
}

import { mkdirSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import { expectToEnd, expectToEndNothing } from '../../support/expect-places.ts';
import { type Ground, openGround, type Run } from '../../support/places.ts';
import { eachMode, fullTest } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

/** Where the project that ran first is by now, and where its copies are. */
interface Copied {
  readonly original: string;
  readonly copies: readonly string[];
}

type Copy = (ground: Ground) => Promise<Copied>;

const copyAndMove: Copy = async ({ run }) => {
  await run('cp', '-a', 'P', 'Q');
  await run('mv', 'P', 'R');
  return { original: 'R', copies: ['Q'] };
};

const moveAndCopyBack: Copy = async ({ run }) => {
  await run('mv', 'P', 'R');
  await run('cp', '-a', 'R', 'P');
  return { original: 'R', copies: ['P'] };
};

const copyAndClean: Copy = async ({ run }) => {
  await run('cp', '-a', 'P', 'Q');
  await run('git', '-C', 'P', 'init', '-q');
  await run('git', '-C', 'P', 'add', '.devctl.json');
  await run('git', '-C', 'P', 'clean', '-xdfq');
  return { original: 'P', copies: ['Q'] };
};

const twoClones: Copy = async ({ run }) => {
  await run('cp', '-a', 'P', 'Q');
  await run('cp', '-a', 'Q', 'R');
  return { original: 'P', copies: ['Q', 'R'] };
};

/** A copy without the times of its files, as `rsync -r` makes it. */
const withoutTimes: Copy = async ({ run }) => {
  await run('cp', '-r', 'P', 'Q');
  return { original: 'P', copies: ['Q'] };
};

const intoItself: Copy = async ({ run, path }) => {
  await run('cp', '-a', 'P', 'Q');
  mkdirSync(path('P/apps'));
  await run('mv', 'Q', 'P/apps/x');
  return { original: 'P', copies: ['P/apps/x'] };
};

const twoRestores: Copy = async ({ run }) => {
  await run('tar', 'cf', 'backup.tar', 'P');
  for (const name of ['Q', 'R']) {
    await run('mkdir', name);
    await run('tar', 'xf', 'backup.tar', '-C', name, '--strip-components=1');
  }
  return { original: 'P', copies: ['Q', 'R'] };
};

eachMode<[string, Copy]>([
  ['cp -a P Q; mv P R', copyAndMove],
  ['mv P R; cp -a R P', moveAndCopyBack],
  ['cp -a P Q; git -C P clean -xdf', copyAndClean],
  ['two clones', twoClones],
  ['a clone without times', withoutTimes],
  ['a clone inside of the project', intoItself],
  ['two restores of one backup', twoRestores],
])('a stop in a copy ends nothing of the original, and the reverse: %s', async (_how, copy) => {
  await using ground = await openGround();
  const original = await ground.start('P');
  const { original: place, copies } = await copy(ground);
  for (const name of copies) await expectToEndNothing(ground, name, original);
  const runs: Run[] = [];
  for (const name of copies) {
    runs.push(await ground.start(name));
    expect(original.living().length).toBe(3);
  }
  // Each stop ends its own run, whichever of all these projects it is.
  for (const [index, name] of copies.entries()) {
    const run = runs[index];
    if (!run) throw new Error('a copy without a run');
    const others = runs.slice(index + 1);
    await expectToEnd(ground, name, [run], ...(index % 2 === 0 ? ['--force'] : []));
    expect([original, ...others].map((one) => one.living().length)).toEqual(
      [original, ...others].map(() => 3),
    );
    await expectToEndNothing(ground, name, original, ...others);
  }
  await expectToEnd(ground, place, [original]);
  expect(ground.residents()).toEqual([]);
});

fullTest.each<[string, readonly string[]]>([
  ['with their times', ['-a']],
  ['without their times', ['-r']],
])(
  'two copies of a project that does not run know nothing of each other: %s',
  async (_how, how) => {
    await using ground = await openGround();
    const first = await ground.start('P');
    await expectToEnd(ground, 'P', [first]);
    await ground.run('cp', ...how, 'P', 'Q');
    await ground.run('cp', ...how, 'P', 'R');
    rmSync(ground.path('P'), { recursive: true });
    const q = await ground.start('Q');
    await expectToEndNothing(ground, 'R', q);
    const r = await ground.start('R');
    expect(q.living().length).toBe(3);
    await expectToEnd(ground, 'Q', [q], '--force');
    expect(r.living().length).toBe(3);
    const again = await ground.start('Q');
    await expectToEnd(ground, 'R', [r]);
    expect(again.living().length).toBe(3);
    await expectToEnd(ground, 'Q', [again]);
  },
);

fullTest('a template with a project.json in it makes projects of their own', async () => {
  await using ground = await openGround();
  const template = await ground.start('template');
  for (const name of ['a', 'b']) {
    mkdirSync(ground.path(`${name}/.pids`), { recursive: true });
    await ground.run('cp', 'template/.pids/project.json', `${name}/.pids/`);
    await ground.run('cp', 'template/.devctl.json', name);
  }
  const a = await ground.start('a');
  await expectToEndNothing(ground, 'b', template, a);
  const b = await ground.start('b');
  await expectToEnd(ground, 'a', [a], '--force');
  expect([template, b].map((one) => one.living().length)).toEqual([3, 3]);
  await expectToEnd(ground, 'template', [template]);
  expect(b.living().length).toBe(3);
  await expectToEnd(ground, 'b', [b]);
});

fullTest(
  'the original is removed beside its copy: the copy may have been moved there, and ends it',
  async () => {
    await using ground = await openGround();
    const original = await ground.start('P');
    await ground.run('cp', '-a', 'P', 'Q');
    await ground.remove('P');
    // The supervisor of the original ends it in any case.
    expect(await ground.devctl('Q', 'stop')).toMatchObject({ exitCode: 0 });
    await until(() => original.living().length === 0);
    await until(() => ground.residents().length === 0);
  },
);

// npm run bench -- --peers [ROUNDS] [--only NAMES] [--sizes 80,600,2000] [--idle 80] [--zoo] [--markdown]
//
// devctl beside other supervisors: the same 6 services of together 80, 600 and 2,000 processes under each of them, seen
// from outside (bench/compare/holders.mjs). In each round the tools come one after the other, and bare `node -e 0`
// before each, so that a machine that slows down slows all of it down. The figures are medians; large sizes have half
// as many rounds. Tools that are not installed are skipped. DEVCTL_BENCH_TOOLS names folders of them.
//
// --idle    the sizes at which each stands still for 20 s in the first round; `none` for none
// --lines   how many lines a busy service writes
// --zoo     runs the public zoo too (minutes); without it, its figures come from bench/peers/zoo.json
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, release, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFigures } from './compare/figures.mjs';
import { findPeers, readOptions } from './compare/options.mjs';
import { folderMaker, playRound } from './compare/rounds.mjs';
import { drawTable, numberCell, timeCell } from './compare/table.mjs';
import { timeLines, timeWrapped } from './compare/wrapped.mjs';
import { knownZoo, playZoo } from './compare/zoo-figures.mjs';
import { loadInternals } from './internals.mjs';

const options = readOptions();
const root = fileURLToPath(new URL('..', import.meta.url));
const { cleanEnvironment, openOracle, endAtOnce, endProcesses } = await loadInternals(root);
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'devctl-peers-')));
const mark = ['DEVCTL_BENCH', folder];
const oracle = openOracle({ folders: [folder], environment: [mark.join('=')] });
const bench = {
  oracle,
  endProcesses,
  mark,
  environment: cleanEnvironment(),
  newFolder: folderMaker(folder),
  lines: options.lines,
};
const figures = openFigures();
const failures = [];

// Also when it is interrupted: all that runs is ended by identity.
process.once('exit', () => {
  endAtOnce(oracle.everything);
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const from = performance.now();
// Notes go to stderr, so that the output is the tables alone.
const peers = findPeers(options.only, console.error);
for (const size of options.sizes) {
  for (let round = 0; round < options.roundsOf(size); round += 1) {
    for (const { adapter, found } of peers) {
      const rests = !adapter.isNoSupervisor && !adapter.twinOf;
      const isIdle = round === 0 && options.idle.includes(size) && rests;
      await attempt(adapter, size, () =>
        playRound({ adapter, found, size, isIdle }, bench, recorder(adapter, size)),
      );
    }
  }
}
for (let round = 0; round < options.rounds; round += 1) {
  for (const peer of peers) {
    const record = recorder(peer.adapter, 'one');
    if (peer.adapter.wrap) {
      await attempt(peer.adapter, 'run', () => timeWrapped(peer, bench, record));
    }
    if (peer.adapter.follow && round % 2 === 0) {
      await attempt(peer.adapter, 'up', () => timeLines(peer, bench, record));
    }
  }
}
const zoo = options.measuresZoo ? await playZoo(peers, root, console.error) : knownZoo();
report();
process.exit(failures.length > 0 ? 1 : 0);

async function attempt({ name }, size, act) {
  try {
    await act();
  } catch (error) {
    failures.push(`${name}, ${size}: ${error.message}`);
    console.error(`✗ ${failures.at(-1)}`);
  }
}

function recorder({ name }, size) {
  return (what, value) => {
    figures.record(what === 'bare' ? `bare ${size}` : `${name} ${size} ${what}`, value);
  };
}

function report() {
  const seconds = Math.round((performance.now() - from) / 1000);
  const [major, minor] = release().split('.');
  console.log(
    `Linux ${major}.${minor}, ${availableParallelism()} cores, load ${loadavg()[1].toFixed(1)}, ` +
      `Node ${process.versions.node}; ${options.rounds} rounds, ${seconds} s. Versions: ${versions()}.`,
  );
  for (const size of options.sizes) {
    const bare = figures.median(`bare ${size}`) ?? Number.NaN;
    console.log(`\n${size} processes; node -e 0: ${bare.toFixed(0)} ms\n`);
    print(sizeRows(size, bare));
  }
  const rows = oneRows();
  if (rows.length === 1) return;
  console.log('\nOne command, and one busy service in the foreground\n');
  print(rows);
}

function print(rows) {
  console.log(drawTable(rows, options.isMarkdown));
}

function sizeRows(size, bare) {
  const isIdle = options.idle.includes(size);
  const heading = ['', 'all up', 'start returns', 'none left', 'stop returns', 'status', 'MB'];
  const idle = isIdle ? ['cpu %, first 10 s', 'cpu %, then'] : [];
  const rows = peers.map(({ adapter: { name, twinOf } }) => {
    const of = (what) => figures.median(`${name} ${size} ${what}`);
    const time = (what) => timeCell(of(what), bare);
    const left = Math.max(0, ...figures.all(`${name} ${size} left`));
    return [
      name,
      time('up'),
      time('start'),
      left > 0 ? `${left} stay` : time('none'),
      time('stop'),
      time('status'),
      numberCell(of('memory')),
      ...(isIdle ? [numberCell(of('cpu at first'), 2), numberCell(of('cpu later'), 2)] : []),
      zoo.get(twinOf ?? name) ?? '–',
    ];
  });
  return [[...heading, ...idle, 'left of the zoo'], ...rows];
}

function oneRows() {
  const heading = ['', 'run true, ms', 'over bare true, ms', 'lines/s', 'ratio to floor', 'lost'];
  const floor = figures.median('floor one lines/s');
  const rows = peers.map(({ adapter: { name } }) => {
    const of = (what) => figures.median(`${name} one ${what}`);
    const [wrapped, alone, lines, seen] = ['wrapped', 'true', 'lines/s', 'lines'].map(of);
    return [
      name,
      numberCell(wrapped, 0),
      numberCell(wrapped && wrapped - alone, 0),
      numberCell(lines, 0),
      numberCell(lines && floor && lines / floor, 2),
      seen === null ? '–' : String(options.lines - Math.min(...figures.all(`${name} one lines`))),
    ];
  });
  return [heading, ...rows.filter((cells) => cells.slice(1).some((cell) => cell !== '–'))];
}

function versions() {
  return peers
    .filter(({ adapter }) => !adapter.isNoSupervisor && !adapter.twinOf)
    .map(({ adapter, found }) => `${adapter.name} ${found.version}`)
    .join(', ');
}

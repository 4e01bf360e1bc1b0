// Measures what a tool adds to one command, and to the output of a service in the foreground.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { look } from '../peers/tools.mjs';
import { openFifo } from './fifo.mjs';

const writer = fileURLToPath(new URL('writer.pl', import.meta.url));
const DEADLINE_MS = 60_000;
const LAST_MS = 300;

/** Times `true` by itself, and below the tool. */
export async function timeWrapped({ adapter, found }, bench, record) {
  const folder = bench.newFolder();
  for (const [name, command] of [
    ['true', [look('true')]],
    ['wrapped', adapter.wrap(found, [look('true')])],
  ]) {
    const [file, ...args] = command;
    const from = performance.now();
    const env = environmentIn(bench, folder);
    const child = spawn(file, args, { cwd: folder, env, stdio: 'ignore' });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    record(name, performance.now() - from);
    if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${code}`);
  }
}

/** Counts the lines of a busy service that come out of the tool in a second. */
export async function timeLines({ adapter, found }, bench, record) {
  const folder = bench.newFolder();
  const began = path.join(folder, 'began');
  const command = ['/usr/bin/perl', writer, String(bench.lines), began];
  const services = [{ name: 'writer', command }];
  const [file, ...args] = adapter.follow({ folder, services, program: found.program, look });
  // A pipe, as a shell makes it: the 'pipe' of Node is a socket, which supervisord cannot open again.
  const { fifo, socket } = openFifo(folder);
  const output = openSync(fifo, 'w');
  const stdio = ['ignore', output, 'ignore'];
  const env = environmentIn(bench, folder);
  const tool = spawn(file, args, { cwd: folder, env, stdio, detached: true });
  closeSync(output);
  const exit = new Promise((resolve) => tool.once('exit', resolve));
  try {
    const seen = await readLines(socket, bench.lines);
    record('lines', seen.count);
    if (seen.count === bench.lines) {
      const seconds = seen.lastAt - Number(readFileSync(began, 'utf8'));
      record('lines/s', bench.lines / seconds);
    }
    // As Ctrl-C does. The tool has not been reaped, so the number of its group is nobody else's.
    if (tool.exitCode === null && tool.signalCode === null) process.kill(-tool.pid, 'SIGINT');
    await Promise.race([exit, setTimeout(DEADLINE_MS / 4, null, { ref: false })]);
  } finally {
    socket.destroy();
    await bench.endProcesses(bench.oracle.everything);
  }
}

/** Each line of the writer has one "~". A tool may put anything before it. */
async function readLines(stream, wanted) {
  const seen = { count: 0, lastAt: null };
  const done = new Promise((resolve) => {
    stream.on('data', (bytes) => {
      const before = seen.count;
      for (let at = bytes.indexOf('~'); at >= 0; at = bytes.indexOf('~', at + 1)) seen.count += 1;
      if (seen.count === before) return;
      // The clock of the writer.
      seen.lastAt = Number(process.hrtime.bigint()) / 1e9;
      if (seen.count >= wanted) resolve();
    });
    stream.once('end', resolve);
  });
  await Promise.race([done, setTimeout(DEADLINE_MS, null, { ref: false })]);
  // More than was written would be an error too.
  await setTimeout(LAST_MS);
  return seen;
}

function environmentIn({ environment, mark }, folder) {
  return { ...environment, [mark[0]]: mark[1], XDG_STATE_HOME: path.join(folder, 'state') };
}

// Measures what the log of a service costs the service, and how soon its lines are shown.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const LINES = 400_000;
/** In ms: not a multiple of the pauses of those who look. */
const PAUSE_MS = 37;
const LATENCY_LINES = 100;

/** One write(2) for each line, as a program does that does not buffer; says how long all of them took. */
const WRITER = `
  const { writeFileSync, writeSync } = require('node:fs');
  const line = Buffer.from('x'.repeat(99) + '\\n');
  const from = process.hrtime.bigint();
  for (let count = 0; count < ${LINES}; count += 1) writeSync(1, line);
  writeFileSync(process.argv[1], String(Number(process.hrtime.bigint() - from) / 1e6));
`;

/** Each line is the time at which it is written. */
const CLOCK = `setInterval(() => require('node:fs').writeSync(1,
  performance.timeOrigin + performance.now() + '\\n'), ${PAUSE_MS});`;

export function logManifest() {
  const node = (script, ...args) => [process.execPath, '-e', script, ...args];
  return {
    name: 'bench',
    services: {
      writer: { command: node(WRITER, 'took'), oneShot: true, autostart: false },
      clock: { command: node(CLOCK), autostart: false },
    },
  };
}

/**
 * Lines a second under devctl, and of the same program with a file as its output, in turn.
 *
 * @param run devctl with these arguments, in `folder`
 * @param record is told of each figure: name, value
 */
export function measureThroughput(folder, rounds, run, record) {
  const took = path.join(folder, 'took');
  const file = path.join(folder, 'direct.log');
  const rate = () => LINES / (Number(readFileSync(took, 'utf8')) / 1000);
  for (let round = 0; round < rounds; round += 1) {
    const output = openSync(file, 'a');
    spawnSync(process.execPath, ['-e', WRITER, took], { stdio: ['ignore', output, output] });
    closeSync(output);
    rmSync(file);
    const direct = rate();
    writeFileSync(took, 'nothing');
    run('start', 'writer');
    const under = rate();
    run('stop');
    rmSync(path.join(folder, '.pids', 'logs', 'writer.log'));
    record('lines/s to a file directly', direct);
    record('lines/s of a service', under);
    record('lines/s, ratio', under / direct);
  }
}

/** From the write of a line until `devctl logs -f` has printed it into a pipe, in ms. */
export async function measureLatency(folder, launcher, env, record) {
  const args = [launcher, 'logs', 'clock', '-f', '-n', '0', '--no-prefix'];
  const logs = spawn(process.execPath, args, {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let count = 0;
  for await (const line of createInterface({ input: logs.stdout })) {
    record('logs -f, ms', performance.timeOrigin + performance.now() - Number(line));
    count += 1;
    if (count === LATENCY_LINES) break;
  }
  logs.kill('SIGTERM');
}

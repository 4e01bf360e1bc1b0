// The supervisors that are compared, in the order of the table. Each adapter is a file of its own below this folder.
//
// An adapter is an object:
//
//   name       its name in tables, and for `--against`
//   install    the command that installs it
//   find(look) null where it is not installed; else { version, program }. `look(NAME)` finds a program on PATH or in
//              the folders of DEVCTL_BENCH_TOOLS
//   isAlone    true for a tool that ends all services when one of them ends
//   twinOf     the name of the adapter of the same supervisor, which is enough for what does not differ
//   isNoSupervisor   true for a tool of which nothing stays beside the services
//   prepare({ folder, services, grace, program, look })
//              writes the configuration of `services` (each { name, command: [file, …args] }) into `folder`, an
//              empty folder, and returns the commands, each [file, …args], which run in `folder`:
//                start       returns when the tool says that the services are started; or
//                foreground  runs until it is stopped
//                stop        stops all services; null: SIGINT to the group of `foreground`, as Ctrl-C does
//                quit        ends the supervisor after a stop, where that did not; null: there is nothing to end
//                status      shows whether the services run; null: the tool has no such command
//                env         variables for all of them
//              A service that ends is not started again, and one that does not end within `grace` seconds is killed,
//              with all of its processes where the tool has an option for that.
//   wrap(found, command)    the command line that runs one command to its end; absent: the tool has none
//   follow({ folder, services, program, look })
//              the command line that shows the output of services in the foreground; absent: the tool has none
import { pathToFileURL } from 'node:url';
import { concurrently } from './concurrently.mjs';
import { devctl, devctlSettling } from './devctl.mjs';
import { floor } from './floor.mjs';
import { nf } from './foreman.mjs';
import { mprocs } from './mprocs.mjs';
import { pm2 } from './pm2.mjs';
import { runit } from './runit.mjs';
import { s6 } from './s6.mjs';
import { supervisord } from './supervisord.mjs';

export const ADAPTERS = [
  floor,
  devctl,
  devctlSettling,
  pm2,
  concurrently,
  nf,
  mprocs,
  supervisord,
  runit,
  s6,
];

/**
 * Finds an adapter by its name, or loads it from a file (its default export).
 *
 * @throws Error naming those that there are
 */
export async function adapterNamed(name, cwd) {
  const known = ADAPTERS.find((one) => one.name === name);
  if (known) return known;
  if (/[./]/.test(name)) {
    const { default: own } = await import(new URL(name, pathToFileURL(`${cwd}/`)).href);
    const missing = ['name', 'find', 'prepare'].filter((key) => !own?.[key]);
    if (missing.length === 0) return own;
    throw new Error(`${name}: its default export has no ${missing.join(', ')}`);
  }
  throw new Error(`no adapter "${name}": there are ${ADAPTERS.map((one) => one.name).join(', ')}`);
}

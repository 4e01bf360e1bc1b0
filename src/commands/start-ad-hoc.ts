import { DevctlError } from '../errors.ts';
import { startableWith } from '../operations/start/ad-hoc.ts';
import type { StartResult } from '../operations/start/result.ts';
import { DEVCTL } from '../own-command.ts';
import { currentFolder } from '../processes/working-folder.ts';
import { isServiceName } from '../project/field-checks.ts';
import { openProject } from '../project/open-project.ts';
import { readRecord } from '../project/records.ts';
import { refuseAsProcessOne, type StartCommandOptions, startSelected } from './start.ts';

/** Runs `devctl start NAME -- COMMAND`: starts a service that no manifest defines. */
export async function startAdHoc(
  names: readonly string[],
  command: readonly string[],
  options: StartCommandOptions,
): Promise<number> {
  refuseAsProcessOne();
  const name = requireName(names);
  if (command.length === 0)
    throw new DevctlError('usage', 'there is no command after --', {
      hint: `${DEVCTL} start ${name} -- npm run dev`,
    });
  const query = { config: options.config };
  const project = openProject(query);
  const cwd = currentFolder();
  const startable = startableWith(project, query, { name, command, cwd });
  const check = ({ services: [service] }: StartResult): void => {
    if (service?.alreadyRunning !== true) return;
    const read = readRecord(startable.folder, name);
    const isIt =
      read.kind === 'record' &&
      read.record.cwd === cwd &&
      JSON.stringify(read.record.command) === JSON.stringify(command);
    if (!isIt)
      throw new DevctlError('usage', `${name} runs already, with another command`, {
        hint: `end it first: ${DEVCTL} stop ${name}; or give this one another name`,
      });
  };
  return startSelected(project, startable, [name], { ...options, check });
}

function requireName(names: readonly string[]): string {
  const [name, ...others] = names;
  if (name === undefined || others.length > 0)
    throw new DevctlError('usage', 'a command after -- is one service, and takes one name', {
      hint: `${DEVCTL} start web -- npm run dev`,
    });
  if (isServiceName(name)) return name;
  throw new DevctlError('usage', `${JSON.stringify(name)} cannot be the name of a service`, {
    hint: 'use 1 to 63 letters, digits, ".", "_" or "-", the first a letter or digit',
  });
}

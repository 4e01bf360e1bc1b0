import { DevctlError, ExitCode } from '../errors.ts';
import { sendToService } from '../operations/send.ts';
import { printJson } from '../output/terminal/json.ts';
import { themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject, requireProject } from '../project/open-project.ts';

export interface SendOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  /** False for --no-newline. */
  readonly newline?: boolean;
}

/**
 * Runs `devctl send`: writes one line to the stdin of a service, or without a text everything from its own
 * stdin.
 */
export async function sendCommand(
  name: string,
  words: readonly string[],
  options: SendOptions,
): Promise<number> {
  const project = openProject({ config: options.config });
  requireProject(project, false);
  if (words.length === 0 && process.stdin.isTTY) {
    throw new DevctlError('usage', 'there is nothing to send', {
      hint: `${DEVCTL} send ${name} TEXT, or pipe something in: echo TEXT | ${DEVCTL} send ${name}`,
    });
  }
  const end = options.newline === false ? '' : '\n';
  const line = Buffer.from(`${words.join(' ')}${end}`);
  const result = await sendToService(
    openHost(),
    project,
    name,
    words.length > 0 ? [line] : (process.stdin as AsyncIterable<Buffer>),
  );
  if (options.json) printJson(result);
  if (result.unread) {
    const { service } = result;
    const note = `${service} has read nothing of its stdin within 1 s; if it waits for keys, it needs "tty": true and ${DEVCTL} restart ${service}`;
    process.stderr.write(
      `${themeFor(process.stderr, options.color).yellow('!')} ${printable(note)}\n`,
    );
  }
  return ExitCode.Ok;
}

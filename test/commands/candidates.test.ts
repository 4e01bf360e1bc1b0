import { expect, test } from 'vitest';
import { buildProgram, modelOf } from '../../src/cli.ts';
import { candidates } from '../../src/commands/candidates.ts';

const model = modelOf(buildProgram(() => {}));
const names = () => ({
  services: ['web', 'api'],
  groups: ['backend'],
  containers: ['db', 'cache'],
});

test.each([
  ['commands', ['re'], ['restart', 'report']],
  ['commands after a global option with a value', ['-c', 'x.json', 'tre'], ['tree']],
  ['no hidden command', ['__'], []],
  ['names and groups', ['stop', ''], ['web', 'api', 'backend']],
  ['each name once', ['stop', 'web', 'a'], ['api']],
  ['services, and no group', ['send', ''], ['web', 'api']],
  ['no words for a text to send', ['send', 'web', ''], []],
  ['options of the command and of all commands', ['restart', '--de'], ['--dependents']],
  ['containers alone', ['stop', '--containers', 'db', ''], ['cache']],
  ['logs of containers, too', ['logs', ''], ['web', 'api', 'backend', 'db', 'cache']],
  ['options of all commands', ['restart', 'web', '--c'], ['--containers', '--config', '--color']],
  ['no name for a duration', ['stop', '--grace', ''], []],
  ['a name after the duration', ['stop', '--grace', '3s', 'w'], ['web']],
  ['files for the manifest', ['status', '--config', ''], 'files'],
  ['files for the page', ['report', '--html', ''], 'files'],
  ['shells', ['completion', ''], ['bash', 'zsh', 'fish']],
  ['nothing for the value of an option', ['start', '--ttl', ''], []],
  ['an option by its beginning', ['start', '--w'], ['--while-pid']],
  ['help for a command', ['help', 'ad'], ['adopt']],
  ['a command to run', ['run', ''], 'command 2'],
  ['options of run', ['run', '--fail'], ['--fail-on-orphans']],
  ['after -- everything is the command’s', ['run', '--', '--'], 'command 3'],
  ['after the options of run', ['run', '--name', 'a', '--', 'npm', 'te'], 'command 5'],
  ['after the first word of its command', ['run', 'npm', '--'], 'command 2'],
  ['nothing for a mistyped command', ['stpo', ''], []],
] as const)('%s', (_, words, expected) => {
  const found = candidates(words, model, names);
  const shown = 'shell' in found ? Object.values(found).join(' ') : found.map(({ word }) => word);
  expect(shown).toEqual(expected);
});

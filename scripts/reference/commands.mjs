// Makes the parts of docs/cli.md from the commands as commander has them.
import { code, table } from './pages.mjs';

/**
 * Describes each command, and the options of all commands.
 *
 * @param program the parser of all command lines
 * @param entries the commands, with their exit codes and examples, which commander does not hold
 * @returns heading of the section → its part
 */
export function commandParts(program, entries) {
  const shown = program.commands.filter((one) => !one.name().startsWith('_'));
  return new Map([
    ...shown.map((command) => [
      command.name(),
      partOf(
        command,
        entries.find(({ name }) => name === command.name()),
      ),
    ]),
    ['Options of all commands', optionTable([...program.options, helpOf(program), JSON_OPTION])],
  ]);
}

/** Each command has a description of its own for it. */
const JSON_OPTION = { flags: '--json', description: 'print the result as JSON' };

function helpOf(program) {
  // The help has it, but not the list of options.
  return program
    .createHelp()
    .visibleOptions(program)
    .find(({ long }) => long === '--help');
}

function partOf(command, entry) {
  const operands = command.registeredArguments;
  const options = command.options.filter(({ long }) => long !== '--json');
  const usage = ['devctl', command.name(), ...operands.map(operandText)].join(' ');
  const rows = [
    ...operands.map((one) => [code(operandText(one)), wordsOf(one)]),
    ...options.map(optionRow),
  ];
  return [
    code(options.length > 0 ? `${usage} [OPTIONS]` : usage),
    ...(rows.length > 0 ? [table(['option', ''], rows)] : []),
    ...(entry ? [`Exit codes: ${[...entry.exits, '2 wrong usage'].join('; ')}.`] : []),
    ...(entry
      ? [`For example: ${entry.examples.map((line) => code(`devctl ${line}`)).join(', ')}`]
      : []),
  ].join('\n\n');
}

function operandText(operand) {
  const name = `${operand.name().toUpperCase().replace(/S$/, '')}${operand.variadic ? '…' : ''}`;
  return operand.required ? name : `[${name}]`;
}

function wordsOf({ description, argChoices }) {
  return argChoices ? `${description}: ${argChoices.join(', ')}` : description;
}

function optionTable(options) {
  return table(['option', ''], options.map(optionRow));
}

function optionRow({ flags, description }) {
  return [code(flags.replaceAll(/<([^>]+)>/g, (_all, name) => name.toUpperCase())), description];
}

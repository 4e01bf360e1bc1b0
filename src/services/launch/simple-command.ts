/** Words that the shell itself carries out, of POSIX, dash, bash and BusyBox. `exec` would look for programs of these names. */
const OF_THE_SHELL: ReadonlySet<string> = new Set(
  `. : [ [[ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare
  dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
  history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set
  shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until wait while`.split(
    /\s+/,
  ),
);

/** `$NAME`, `${NAME}`, and `${NAME:-text}` with plain text. */
const VARIABLE = String.raw`\$(?:\w+|\{\w+(?::?[-=?+][\w@%+=:,./-]*)?\})`;
/** A part of a word in which the shell finds no operator. Each begins with another character, so matching takes linear time. */
const PART = String.raw`[^\s;&|<>()\x60"'\\$]|'[^']*'|"(?:[^"\\$\x60]|\\[^\n]|${VARIABLE})*"|\\[^\n]|${VARIABLE}`;
/** One program and its arguments: a first word without quotes, and no comment. */
const SIMPLE = new RegExp(
  `^[ \\t]*([\\w./@%+:][\\w./@%+:-]*)(?:[ \\t]+(?!#)(?:${PART})+)*[ \\t]*$`,
);

/**
 * Tells whether a command line is one program with its arguments: then the shell can become that program (`exec`), and
 * no shell has to wait in front of it. In doubt false.
 */
export function isSimpleCommand(command: string): boolean {
  const name = SIMPLE.exec(command)?.[1];
  return name !== undefined && !OF_THE_SHELL.has(name);
}

import { commandWords, fileName, programOf } from './argv.ts';

/**
 * Programs that a person or a tool works in: never swept, whatever their arguments say. Shells are in the
 * list because `sh -c "… vite …"` and the terminal itself carry any text. A shell that only waits for a
 * swept child ends with that child.
 */
const PROTECTED_PROGRAMS = new Set(
  (
    'vim nvim vi view gvim emacs emacsclient nano micro hx helix kak code code-server codium cursor ' +
    'windsurf zed subl idea webstorm goland pycharm fleet claude codex aider gemini copilot opencode ' +
    'sh bash zsh fish dash ash ksh tcsh csh nu xonsh pwsh login su sudo doas sshd ssh mosh-server ' +
    'tmux screen zellij script less more tail head cat bat grep rg ag sed awk git tig lazygit gitui ' +
    'gdb lldb strace ltrace perf man watch top htop btop docker podman kubectl systemd launchd devctl'
  ).split(' '),
);

/** Editors and agents: a program that they start directly, with no shell in between, belongs to them. */
const EDITORS_AND_AGENTS = new Set(
  (
    'vim nvim emacs hx helix kak code code-server codium cursor windsurf zed subl idea webstorm goland ' +
    'pycharm fleet claude codex aider gemini copilot opencode'
  ).split(' '),
);

const SHELLS = new Set('sh bash zsh fish dash ash ksh tcsh csh nu xonsh pwsh'.split(' '));

/** Helpers that run under a plain `node`, known by the path of their script. */
const PROTECTED_PATHS =
  /\.vscode(-server|-insiders)?\/|\.cursor(-server)?\/|\/Visual Studio Code|\/extensionHost|tsserver\.js|typescript-language-server|language-server|eslint_d|copilot|claude-code|\/@anthropic-ai\/|\/@openai\/codex/;

/**
 * Lists the names of a program, in small letters (`Cursor` on macOS is `cursor` on Linux): its own, and the
 * name of its script where it is an interpreter (`node /usr/local/bin/codex`).
 */
function namesOf(argv: readonly string[]): readonly string[] {
  const { script } = commandWords(argv);
  const names = [programOf(argv), ...(script === null ? [] : [fileName(script)])];
  return names.map((name) => name.toLowerCase().replace(/\.(exe|[cm]?js|py)$/, ''));
}

/** Says why the sweep must never touch a program, whatever the manifest says; null when it may. */
export function whyProtected(argv: readonly string[]): string | null {
  const program = namesOf(argv).find((name) => PROTECTED_PROGRAMS.has(name));
  return program ? `${program} is on the protected list` : whyProtectedByPath(argv);
}

/** Says why a program is protected even as a wrapper shell below a swept process; null when it is not. */
export function whyProtectedByPath(argv: readonly string[]): string | null {
  return PROTECTED_PATHS.test(argv.join(' ')) ? 'a helper of an editor or an agent' : null;
}

/** Tells whether a shell got its work as an argument (`sh -c "…"`, `bash run.sh`), so that nobody types into it. */
export function isWrapperShell(argv: readonly string[]): boolean {
  if (!isShell(argv)) return false;
  const words = argv.slice(1).filter((_, index) => !SHELL_TAKES_VALUE.test(argv[index] ?? ''));
  if (words.some((word) => /^-\w*c/.test(word))) return true;
  // An editor's terminal is `bash --init-file …/shellIntegration-bash.sh`, or has -i besides.
  return words.some((word) => !/^[-+]/.test(word)) && !words.some((word) => /^-\w*i/.test(word));
}

/** Options of shells whose next word is their value, and neither a command nor a script. */
const SHELL_TAKES_VALUE = /^(--(rcfile|init-file|init-command)|-C|[-+][oO])$/;

export function isShell(argv: readonly string[]): boolean {
  return SHELLS.has(programOf(argv));
}

export function isEditorOrAgent(argv: readonly string[]): boolean {
  return (
    namesOf(argv).some((name) => EDITORS_AND_AGENTS.has(name)) ||
    PROTECTED_PATHS.test(argv.join(' '))
  );
}

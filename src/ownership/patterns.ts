/*
 * Programs recognised by their command line. A match is the weakest evidence: only the sweep uses it, and
 * only together with a working directory inside the project.
 */

/** Names of the tools that the sweep looks for. */
const PROGRAM =
  '(tsx|vitest|vite|turbo|esbuild|nodemon|jest|webpack|rollup|next|next-server|nx|ts-node|concurrently|playwright)';

/**
 * The built-in patterns, matched against the simplified command line (see `simplify`), so that a
 * path such as `/home/me/vite-app/…` or an argument such as `vite.config.ts` is no match.
 *
 * The list covers the programs that the incident behind devctl left running: package scripts, watchers,
 * test runners and their workers, bundlers.
 */
const BUILT_IN: readonly RegExp[] = [
  // npm writes "npm run dev" over its argv; pnpm, yarn and bun show the interpreter.
  /^(node )?(npm|pnpm|yarn|bun)(\.c?js)?( run(-script)?)?( -\S+)* (dev|start|test|watch|serve|preview)\b/,
  new RegExp(`^(node( -\\S+)* )?${PROGRAM}(\\.[cm]?js)?( |$)`),
  // vitest's workers call themselves "node (vitest 3)".
  /^node \(vitest/,
  /^node( \S+)* --watch\b/,
];

/**
 * The same tools by their installation folder, for a program, its script and the modules loaded before it:
 * tsx starts plain node with tsx's loader, and vitest's forks are plain node with a worker script. Any other
 * argument proves nothing (`rm -rf …/next/`), and an installer is left alone.
 */
const INSTALLED =
  /\/node_modules\/(tsx|vitest|vite|turbo|@turbo\/[\w-]+|esbuild|@esbuild\/[\w-]+|nodemon|jest|jest-worker|webpack|rollup|next|nx|ts-node|concurrently)\/(?!((bin|lib|scripts)\/)?(pre|post)?install\.[cm]?js$)/;

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

/** Takes the folders off the words of a command line: `node /x/.bin/vite --port 1` → `node vite --port 1`. */
function simplify(argv: readonly string[]): string {
  const words = argv.length === 1 ? (argv[0] ?? '').split(' ') : argv;
  return words
    .map((word) => word.slice(word.lastIndexOf('/') + 1))
    .join(' ')
    .trim();
}

/** Returns a program's own name: the last part of argv[0], without the dash of a login shell. */
export function programOf(argv: readonly string[]): string {
  const first = (argv[0] ?? '').split(' ')[0] ?? '';
  return first.slice(first.lastIndexOf('/') + 1).replace(/^-/, '');
}

const INTERPRETER = /^(node|bun|deno|python[\d.]*)$/;

/** Options that load a module before the script; the next word is the module. */
const LOADS = /^(-r|--require|--import|--loader|--experimental-loader|--preload)$/;
/** Other options of Node whose value is a word of its own. */
const TAKES_VALUE = /^(-C|--conditions|--env-file|--title|--stack-trace-limit|--watch-path)$/;
/** Options whose work is in the command line itself: the other words are its arguments. */
const HAS_NO_SCRIPT = /^(-e|--eval|-p|--print|-pe|-c|-m)$/;

/** Finds the script that an interpreter was told to run, and the modules that it loads first. */
function scriptsOf(argv: readonly string[]): {
  readonly script: string | null;
  readonly loaded: readonly string[];
} {
  const loaded: string[] = [];
  if (!INTERPRETER.test(programOf(argv))) return { script: null, loaded };
  for (let index = 1; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    const [option = '', value] = word.split(/=(.*)/s, 2);
    if (!word.startsWith('-')) {
      // `deno run x.ts`, `bun run x.ts`: the next word is the script.
      if (word === 'run' && programOf(argv) !== 'node') continue;
      return { script: word, loaded };
    }
    if (HAS_NO_SCRIPT.test(option)) return { script: null, loaded };
    if (LOADS.test(option)) {
      if (value === undefined) index += 1;
      loaded.push(value ?? argv[index] ?? '');
    } else if (TAKES_VALUE.test(word)) index += 1;
  }
  return { script: null, loaded };
}

/**
 * Lists the names of a program, in small letters (`Cursor` on macOS is `cursor` on Linux): its own, and the
 * name of its script where it is an interpreter (`node /usr/local/bin/codex`).
 */
function namesOf(argv: readonly string[]): readonly string[] {
  const { script } = scriptsOf(argv);
  const names = [programOf(argv), ...(script ? [script.slice(script.lastIndexOf('/') + 1)] : [])];
  return names.map((name) => name.toLowerCase().replace(/\.(exe|[cm]?js|py)$/, ''));
}

/**
 * Matches a command line against the built-in patterns.
 *
 * @returns the part that matched, for people; null for no match
 */
export function matchBuiltIn(argv: readonly string[]): string | null {
  const simplified = simplify(argv);
  const builtIn = BUILT_IN.find((pattern) => pattern.test(simplified));
  if (builtIn) return simplified.slice(0, 60);
  const { script, loaded } = scriptsOf(argv);
  for (const path of [argv[0], script, ...loaded]) {
    const installed = INSTALLED.exec(path ?? '');
    if (installed) return `${simplified.slice(0, 40)} (${installed[1]})`;
  }
  return null;
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

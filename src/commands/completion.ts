import { ExitCode } from '../errors.ts';
import { openProject } from '../project/open-project.ts';
import { readRecords } from '../project/records.ts';
import { type CommandLineModel, candidates, type ProjectNames } from './candidates.ts';

/** Runs `devctl completion SHELL`: prints the script for the shell to read. */
export function completionCommand(shell: string): number {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell as keyof typeof SCRIPTS] : '';
  process.stdout.write(script);
  return ExitCode.Ok;
}

/**
 * Answers the completion scripts: prints one candidate a line, with a tab before its description. It prints
 * `:files` or `:command N` when the shell is to complete by itself; word N is the name of another command.
 * It never fails, because a broken manifest must not write into a prompt.
 */
export async function completeCommand(
  words: readonly string[],
  model: CommandLineModel,
): Promise<number> {
  const containers = words.includes('--containers') || words[0] === 'logs';
  const names = { ...namesOf(words), containers: containers ? await composeServices(words) : [] };
  const found = candidates(words, model, () => names);
  const lines =
    'shell' in found
      ? [found.shell === 'files' ? ':files' : `:command ${found.at}`]
      : found.map(({ word, description }) => `${word}\t${description}`);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return ExitCode.Ok;
}

function configIn(words: readonly string[]): string | undefined {
  const flag = words.findIndex((word) => word === '-c' || word === '--config');
  return flag < 0 ? undefined : words[flag + 1];
}

async function composeServices(words: readonly string[]): Promise<readonly string[]> {
  try {
    const { outline, folder } = openProject({ config: configIn(words) });
    if (outline.kind !== 'found' || !outline.hasContainers) return [];
    const { loadManifest } = await import('../manifest/load.ts');
    const { containers } = loadManifest({ file: outline.file });
    if (containers === null) return [];
    const { readComposeProject } = await import('../containers/compose.ts');
    const { model } = readComposeProject(containers, folder.root, process.env);
    return [...model.services.keys()];
  } catch {
    return [];
  }
}

function namesOf(words: readonly string[]): Omit<ProjectNames, 'containers'> {
  try {
    const { folder, outline } = openProject({ config: configIn(words) });
    const recorded = readRecords(folder).records.map(({ service }) => service);
    if (outline.kind === 'absent') return { services: recorded, groups: [] };
    const services = outline.services.map(({ name }) => name);
    return {
      services: [...new Set([...services, ...recorded])],
      groups: Object.keys(outline.groups),
    };
  } catch {
    return { services: [], groups: [] };
  }
}

const SCRIPTS = {
  bash: `# devctl completion for bash: source <(devctl completion bash)
_devctl() {
  local line cur="\${COMP_WORDS[COMP_CWORD]}" IFS=$'\\n'
  COMPREPLY=()
  for line in $("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
      :command*)
        # With the package bash-completion, as that command wants it.
        if declare -F _command_offset >/dev/null; then IFS=$' \\t\\n' _command_offset "\${line##* }"
        else COMPREPLY=($(compgen -c -f -- "$cur")); fi ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done
}
complete -F _devctl devctl
`,
  zsh: `#compdef devctl
# devctl completion for zsh: source <(devctl completion zsh), or a file _devctl in a folder of $fpath
_devctl() {
  local line
  local -a found
  for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      :files) _files; return ;;
      :command*) shift \${line##* } words; (( CURRENT -= \${line##* } )); _normal; return ;;
      ?*) found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( \${#found} )) && _describe devctl found
}
if [ "\${funcstack[1]}" = _devctl ]; then _devctl "$@"; else compdef _devctl devctl; fi
`,
  fish: `# devctl completion for fish: devctl completion fish | source
function __devctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  switch "$found[1]"
    case :files
      __fish_complete_path (commandline -ct)
    case ':command*'
      set -l at (string replace -r '.* ' '' -- $found[1])
      complete -C (string join ' ' -- $words[(math $at + 1)..-1])
    case '*'
      printf '%s\\n' $found
  end
end
complete -c devctl -f -a '(__devctl_complete)'
`,
} as const;

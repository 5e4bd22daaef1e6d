import type { CompletionNode } from './completion-tree.ts';

/** A completion script for bash 4 and newer; needs no bash-completion package. */
export function bashCompletion(nodes: readonly CompletionNode[]): string {
  return `# flashback completion for bash. Load it with: source <(flashback completion bash)
_flashback() {
  local line=\${COMP_LINE:0:COMP_POINT}
  local cur=\${line##*[[:space:]]} path='' word
  COMPREPLY=()
  # Bash breaks words at @ and :, which an e-mail and a place in a house hold: the words are split at spaces here.
  local -a typed
  read -r -a typed <<<"\${line%"$cur"}"
  for word in "\${typed[@]:1}"; do
    case "$path $word" in
${nodes
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `      '${parentOf(path)} ${path.at(-1)}') path='${path.join(' ')}' ;;`)
  .join('\n')}
    esac
  done
  local words='' options='' kind='none' values=''
  case "$path" in
${nodes.map(renderNode).join('\n')}
  esac
  local previous="\${typed[-1]}"
  if [[ " $values " == *" $previous "* ]]; then
    compopt -o default
    return
  fi
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    return
  fi
  case $kind in
    place | person)
      mapfile -t COMPREPLY < <(flashback completion "$kind" "$cur" 2>/dev/null)
      [[ $kind == place ]] && compopt -o nospace
      [[ $cur == *:* ]] && compopt -o filenames
      ;;
    file) compopt -o default ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
  esac
  # Readline replaces only what follows the last of its word breaks.
  local prefix=\${cur%"\${cur##*[@:=]}"}
  COMPREPLY=("\${COMPREPLY[@]#"$prefix"}")
}
complete -F _flashback flashback
`;
}

function parentOf(path: readonly string[]): string {
  return path.slice(0, -1).join(' ');
}

function renderNode({ path, subcommands, options, argument }: CompletionNode): string {
  const words = argument.kind === 'words' ? [...subcommands, ...argument.words] : subcommands;
  const names = options.flatMap((option) => option.names);
  const values = options.filter(({ takesValue }) => takesValue).flatMap((option) => option.names);
  return `    '${path.join(' ')}')
      words='${words.join(' ')}' options='${names.join(' ')}'
      kind='${argument.kind}' values='${values.join(' ')}'
      ;;`;
}

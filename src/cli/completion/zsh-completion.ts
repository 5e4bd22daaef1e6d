import type { CompletionNode, CompletionOption } from './completion-tree.ts';

/** A completion script for zsh. */
export function zshCompletion(nodes: readonly CompletionNode[]): string {
  return `#compdef flashback
# flashback completion for zsh. Load it with: source <(flashback completion zsh)
_flashback() {
  local path_=''  word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path_ $word" in
${nodes
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `      '${path.slice(0, -1).join(' ')} ${path.at(-1)}') path_='${path.join(' ')}' ;;`)
  .join('\n')}
    esac
  done
  local -a commands options values
  local kind=none
  case "$path_" in
${nodes.map((node) => renderNode(node, nodes)).join('\n')}
  esac
  if (( \${values[(Ie)\${words[CURRENT-1]}]} )); then
    _files
    return
  fi
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
    return
  fi
  case $kind in
    place)
      local -a places
      places=("\${(@f)$(flashback completion place "\${(Q)words[CURRENT]}" 2>/dev/null)}")
      compadd -S '' -- $places
      ;;
    person)
      local -a people
      people=("\${(@f)$(flashback completion person "\${(Q)words[CURRENT]}" 2>/dev/null)}")
      compadd -- $people
      ;;
    file) _files ;;
    *) (( $#commands )) && _describe command commands ;;
  esac
}
if [[ $funcstack[1] == _flashback ]]; then _flashback "$@"; else compdef _flashback flashback; fi
`;
}

function renderNode(
  { path, subcommands, options, argument }: CompletionNode,
  nodes: readonly CompletionNode[],
): string {
  const summaryOf = (name: string): string =>
    nodes.find((node) => node.path.join(' ') === [...path, name].join(' '))?.summary ?? '';
  const commands = [
    ...subcommands.map((name) => quote(`${name}:${summaryOf(name)}`)),
    ...(argument.kind === 'words' ? argument.words.map(quote) : []),
  ];
  const values = options.filter(({ takesValue }) => takesValue).flatMap(({ names }) => names);
  return `    '${path.join(' ')}')
      commands=(${commands.join(' ')})
      options=(${options.flatMap(describeOption).join(' ')})
      values=(${values.join(' ')})
      kind=${argument.kind}
      ;;`;
}

function describeOption({ names, meaning }: CompletionOption): string[] {
  return names.map((name) => quote(`${name}:${meaning}`));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

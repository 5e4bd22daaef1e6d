import type { CompletionNode } from './completion-tree.ts';

/** A completion script for fish. */
export function fishCompletion(nodes: readonly CompletionNode[]): string {
  return `# flashback completion for fish. Load it with: flashback completion fish | source
# True when exactly these command words were typed, options aside.
function __flashback_at
    set -l typed (commandline -opc)
    set -l words
    for word in $typed[2..-1]
        string match -q -- '-*' $word; or set -a words $word
    end
    test "$words" = "$argv"
end
complete -c flashback -f
${nodes.flatMap((node) => renderNode(node, nodes)).join('\n')}
`;
}

function renderNode(
  { path, subcommands, options, argument }: CompletionNode,
  nodes: readonly CompletionNode[],
): string[] {
  const at = `complete -c flashback -n ${quote(`__flashback_at ${path.join(' ')}`.trim())}`;
  const summaryOf = (name: string): string =>
    nodes.find((node) => node.path.join(' ') === [...path, name].join(' '))?.summary ?? '';
  const seen =
    path.length === 0
      ? at
      : `complete -c flashback -n ${quote(`__fish_seen_subcommand_from ${path.at(-1)}`)}`;
  return [
    ...subcommands.map((name) => `${at} -a ${quote(name)} -d ${quote(summaryOf(name))}`),
    ...(argument.kind === 'words' ? [`${at} -a ${quote(argument.words.join(' '))}`] : []),
    ...(argument.kind === 'place' || argument.kind === 'person'
      ? [`${at} -a ${quote(`(flashback completion ${argument.kind} (commandline -ct) 2>/dev/null)`)}`]
      : []),
    ...(argument.kind === 'file' ? [`${at} -F`] : []),
    ...options.map(
      ({ names, meaning, takesValue }) =>
        `${seen} ${names.map(fishName).join(' ')}${takesValue ? ' -r' : ''} -d ${quote(meaning)}`,
    ),
  ];
}

function fishName(name: string): string {
  return name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

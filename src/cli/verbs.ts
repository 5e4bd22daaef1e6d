import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

/** Adds a verb's arguments, options, help and action to its place in the command tree. */
export type DeclareVerb = (command: Command, context: CommandContext) => void;

export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Heading in the list of commands. */
  readonly group: string;
  load(): Promise<DeclareVerb>;
}

const here = 'Being there:';
const visit = 'Visiting:';
const operate = 'For operators:';

/** All verbs, in the order of the help. */
export const verbs: readonly Verb[] = [
  {
    name: 'init',
    group: here,
    summary: 'make your identity and choose relay and folder',
    load: async () => (await import('./verbs/init.ts')).declareInit,
  },
  {
    name: 'status',
    group: here,
    summary: 'how things stand: house, relay, identity',
    load: async () => (await import('./verbs/status.ts')).declareStatus,
  },
  {
    name: 'ls',
    group: visit,
    summary: "list a folder of somebody's house",
    load: async () => (await import('./verbs/ls.ts')).declareLs,
  },
  {
    name: 'get',
    group: visit,
    summary: 'download a file or a folder, verified',
    load: async () => (await import('./verbs/get.ts')).declareGet,
  },
  {
    name: 'relay',
    group: operate,
    summary: 'run a relay',
    load: async () => (await import('./verbs/relay.ts')).declareRelay,
  },
];

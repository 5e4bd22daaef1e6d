import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

/** Adds a verb's arguments, options, help and action to its place in the command tree. */
type DeclareVerb = (command: Command, context: CommandContext) => void;

export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Heading in the list of commands. */
  readonly group: string;
  load(): Promise<DeclareVerb>;
}

const here = 'Being there:';
const visit = 'Visiting:';
const manage = 'Looking after it:';
const operate = 'For operators:';

/** All verbs, in the order of the help. */
export const verbs: readonly Verb[] = [
  {
    name: 'init',
    group: here,
    summary: 'make your identity, choose relay and folder',
    load: async () => (await import('./verbs/init.ts')).declareInit,
  },
  {
    name: 'up',
    group: here,
    summary: 'be there: share your house, find your friends (until Ctrl-C)',
    load: async () => (await import('./verbs/up.ts')).declareUp,
  },
  {
    name: 'stop',
    group: here,
    summary: 'stop the Flashback that runs here',
    load: async () => (await import('./verbs/stop.ts')).declareStop,
  },
  {
    name: 'status',
    group: here,
    summary: 'how things stand: house, relay, identity',
    load: async () => (await import('./verbs/status.ts')).declareStatus,
  },
  {
    name: 'share',
    group: here,
    summary: 'open or close your house',
    load: async () => (await import('./verbs/share.ts')).declareShare,
  },
  {
    name: 'peers',
    group: visit,
    summary: 'who is there',
    load: async () => (await import('./verbs/peers.ts')).declarePeers,
  },
  {
    name: 'friends',
    group: visit,
    summary: 'your friends, and who wants to be one',
    load: async () => (await import('./verbs/friends.ts')).declareFriends,
  },
  {
    name: 'ls',
    group: visit,
    summary: "list a folder of somebody's house",
    load: async () => (await import('./verbs/ls.ts')).declareLs,
  },
  {
    name: 'cat',
    group: visit,
    summary: 'show a file',
    load: async () => (await import('./verbs/cat.ts')).declareCat,
  },
  {
    name: 'get',
    group: visit,
    summary: 'download a file or a folder, verified',
    load: async () => (await import('./verbs/get.ts')).declareGet,
  },
  {
    name: 'doctor',
    group: manage,
    summary: 'find out what is wrong, and what to do',
    load: async () => (await import('./verbs/doctor.ts')).declareDoctor,
  },
  {
    name: 'config',
    group: manage,
    summary: 'read and change settings',
    load: async () => (await import('./verbs/config.ts')).declareConfig,
  },
  {
    name: 'identity',
    group: manage,
    summary: 'who you are; take it to another machine',
    load: async () => (await import('./verbs/identity.ts')).declareIdentity,
  },
  {
    name: 'paths',
    group: manage,
    summary: 'where the files of Flashback are',
    load: async () => (await import('./verbs/paths.ts')).declarePaths,
  },
  {
    name: 'completion',
    group: manage,
    summary: 'completion for your shell',
    load: async () => (await import('./verbs/completion.ts')).declareCompletion,
  },
  {
    name: 'relay',
    group: operate,
    summary: 'run a relay',
    load: async () => (await import('./verbs/relay.ts')).declareRelay,
  },
];

import type { SettingName } from './settings.ts';

/** How a setting's text (flag, environment, `flashback config set`) becomes its value. */
type SettingKind = 'text' | 'path' | 'number' | 'boolean' | 'port-or-range' | 'policy';

export interface SettingDescription {
  readonly kind: SettingKind;
  /** One line for help texts. */
  readonly meaning: string;
  /** What may be given, for error messages: follows the words "allowed is". */
  readonly allowed: string;
  /** The flag of `flashback up` that sets it for one run, with a placeholder for its value. */
  readonly flag: string;
}

/** What people read about each setting, wherever they read it: help, errors, `flashback config`, the web app. */
export const settingDescriptions: Readonly<Record<SettingName, SettingDescription>> = {
  email: {
    kind: 'text',
    meaning: 'who you are; must be the e-mail of your certificate',
    allowed: 'an e-mail of the form name@host, ASCII, at most 254 characters',
    flag: '--email <email>',
  },
  fileRootDirectory: {
    kind: 'path',
    meaning: 'the folder you share: your house',
    allowed: 'the path of a folder',
    flag: '--house <folder>',
  },
  certificatePath: {
    kind: 'path',
    meaning: 'folder of client.key and client.crt (default: identity in the data folder)',
    allowed: 'the path of a folder',
    flag: '--certificate-path <folder>',
  },
  relayTrackerUrl: {
    kind: 'text',
    meaning: 'the relay where peers find each other',
    allowed: 'https://host:port, followed by #sha256= and 64 hex digits when the relay is self-signed',
    flag: '--relay <url>',
  },
  policy: {
    kind: 'policy',
    meaning: 'who may visit your house',
    allowed: 'friends, registered, or e-mails separated by commas',
    flag: '--policy <policy>',
  },
  announce: {
    kind: 'text',
    meaning: 'who sees you at the relay',
    allowed: 'all, friends or none',
    flag: '--announce <who>',
  },
  housePort: {
    kind: 'port-or-range',
    meaning: 'port of your house',
    allowed: '0 for any, a port from 1 to 65535, or a range such as 4711-4720',
    flag: '--port <port>',
  },
  houseInterface: {
    kind: 'text',
    meaning: 'where your house listens',
    allowed: 'all or loopback',
    flag: '--interface <which>',
  },
  localApiPort: {
    kind: 'number',
    meaning: 'port of the web app on this machine',
    allowed: '0 for any, or a port from 1 to 65535',
    flag: '--ui-port <port>',
  },
  allowPrograms: {
    kind: 'boolean',
    meaning: 'hand out programs (exe, msi, bat, ...) too',
    allowed: 'true or false',
    flag: '--allow-programs [yes]',
  },
  showHidden: {
    kind: 'boolean',
    meaning: 'show dot files and what ignore rules leave out',
    allowed: 'true or false',
    flag: '--show-hidden [yes]',
  },
  broadcastRefreshSeconds: {
    kind: 'number',
    meaning: 'how often the relay is told that you are there',
    allowed: 'a number of seconds above 0, at most 86400',
    flag: '--broadcast-refresh <seconds>',
  },
  friendPingSeconds: {
    kind: 'number',
    meaning: 'how often friends are asked whether they are there',
    allowed: 'a number of seconds above 0, at most 86400',
    flag: '--friend-ping <seconds>',
  },
  downloadDirectory: {
    kind: 'path',
    meaning: 'where "flashback get" writes without -o (default: the current folder)',
    allowed: 'the path of a folder',
    flag: '--downloads <folder>',
  },
  logLevel: {
    kind: 'text',
    meaning: 'how much the log holds',
    allowed: 'fatal, error, warn, info, debug, trace or silent',
    flag: '--log-level <level>',
  },
};

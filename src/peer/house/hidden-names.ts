/**
 * Names that a house leaves out unless its owner wants them shown: what systems and programs keep for themselves, and what people
 * would not hand out knowingly. Compared without case, as some file systems do.
 */
export function isHiddenName(name: string): boolean {
  // Dot files: .git, .env, .ssh, .DS_Store, .Trash-1000, AppleDouble ._x, and every other program's settings.
  if (name.startsWith('.')) return true;
  const lower = name.toLowerCase();
  return hiddenNames.has(lower) || hiddenEndings.some((ending) => lower.endsWith(ending));
}

const hiddenNames = new Set([
  // Windows
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '$recycle.bin',
  'system volume information',
  'ntuser.dat',
  // ext file systems
  'lost+found',
  // macOS custom folder icons end in a carriage return, which house-path.ts refuses already; network shares hold these
  'network trash folder',
  'temporary items',
  // SSH keys without an ending
  'id_rsa',
  'id_dsa',
  'id_ecdsa',
  'id_ed25519',
  'id_ecdsa_sk',
  'id_ed25519_sk',
]);

const hiddenEndings = [
  // Unfinished downloads: ours, and the browsers'
  '.partial',
  '.part',
  '.crdownload',
  // Private keys and key stores. A Keynote document ends in .key too and is left out with them: the lesser harm.
  '.key',
  '.pem',
  '.p12',
  '.pfx',
  '.ppk',
  '.jks',
  '.keystore',
  '.kdbx',
];

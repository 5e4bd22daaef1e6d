/**
 * The patterns of `.flashbackignore`: the common part of gitignore.
 *
 * - One pattern a line. Blank lines and lines that begin with `#` say nothing; trailing blanks are dropped; `\` takes the next character
 *   as it is (`\#`, `\!`, `\*`).
 * - `*` is anything but `/`, `?` one character but `/`, `[a-z]` and `[!a-z]` one of a class, `**` as a whole segment any number of segments.
 * - A `/` at the beginning or in the middle binds the pattern to the house's top; without one it matches at any depth.
 * - A `/` at the end matches folders only. What lies in an ignored folder is ignored.
 * - `!` takes back what an earlier line ignored, but not inside a folder that is ignored itself.
 *
 * Unlike git, names are compared without case and in Unicode form NFC, so that a pattern holds on every file system.
 */

export interface IgnorePattern {
  readonly isNegated: boolean;
  readonly foldersOnly: boolean;
  /** One a segment. */
  readonly globs: readonly Glob[];
}

/** `anyDepth` stands for any number of segments, else what the characters of one segment must be. */
type Glob = 'anyDepth' | readonly GlobStep[];
type GlobStep = 'star' | ((character: string) => boolean);

/** More than any hand-written list; bounds the work for each name. */
export const ignorePatternsMax = 1000;

/** Reads an ignore file. Throws when it holds more than `ignorePatternsMax` patterns. */
export function parseIgnorePatterns(text: string): IgnorePattern[] {
  const patterns = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .flatMap((line) => parseLine(line) ?? []);
  if (patterns.length > ignorePatternsMax) {
    throw new Error(
      `Cannot use ignore file: it holds ${patterns.length} patterns, limit is ${ignorePatternsMax}`,
    );
  }
  return patterns;
}

/** Whether the entry at `segments` is ignored by its own name; its folders are the caller's to ask about first. */
export function isIgnored(
  patterns: readonly IgnorePattern[],
  segments: readonly string[],
  isFolder: boolean,
): boolean {
  const folded = segments.map(fold);
  const last = patterns.findLast(
    (pattern) => (isFolder || !pattern.foldersOnly) && matchesSegments(pattern.globs, folded),
  );
  return last !== undefined && !last.isNegated;
}

function parseLine(line: string): IgnorePattern | undefined {
  if (line.startsWith('#')) return undefined;
  // A blank behind a backslash is part of the pattern.
  let rest = line.replace(/(?<!\\)[ \t]+$/, '');
  const isNegated = rest.startsWith('!');
  if (isNegated) rest = rest.slice(1);
  const foldersOnly = rest.endsWith('/');
  if (foldersOnly) rest = rest.slice(0, -1);
  const isBound = rest.includes('/');
  const globs = rest.split('/').flatMap((glob) => (glob === '' ? [] : [compileGlob(fold(glob))]));
  if (globs.length === 0) return undefined;
  // `a/**` is what lies in `a`, not `a` itself.
  if (globs.at(-1) === 'anyDepth') globs.push(['star']);
  return { isNegated, foldersOnly, globs: isBound ? globs : ['anyDepth', ...globs] };
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase().normalize('NFC');
}

/**
 * Greedy wildcard matching that returns only to the last star, so that the time is at most the product of the lengths: the
 * names come from visitors.
 */
function matchesWithStar<P, T>(
  pattern: readonly P[],
  text: readonly T[],
  isStar: (part: P) => boolean,
  matches: (part: P, item: T) => boolean,
): boolean {
  let [at, in_] = [0, 0];
  let [starAt, starIn] = [-1, 0];
  while (in_ < text.length) {
    const part = pattern[at];
    const item = text[in_] as T;
    if (part !== undefined && isStar(part)) {
      [starAt, starIn] = [at, in_];
      at += 1;
    } else if (part !== undefined && matches(part, item)) {
      at += 1;
      in_ += 1;
    } else if (starAt !== -1) {
      starIn += 1;
      [at, in_] = [starAt + 1, starIn];
    } else {
      return false;
    }
  }
  return pattern.slice(at).every(isStar);
}

function matchesSegments(globs: readonly Glob[], segments: readonly string[]): boolean {
  return matchesWithStar(
    globs,
    segments,
    (glob) => glob === 'anyDepth',
    (glob, segment) => glob !== 'anyDepth' && matchesName(glob, segment),
  );
}

function matchesName(steps: readonly GlobStep[], name: string): boolean {
  return matchesWithStar(
    steps,
    Array.from(name),
    (step) => step === 'star',
    (step, character) => step !== 'star' && step(character),
  );
}

function compileGlob(glob: string): Glob {
  if (glob === '**') return 'anyDepth';
  const characters = Array.from(glob);
  const steps: GlobStep[] = [];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] as string;
    const classEnd = character === '[' ? endOfClass(characters, index) : -1;
    if (character === '*') steps.push('star');
    else if (character === '?') steps.push(() => true);
    else if (classEnd !== -1) {
      steps.push(compileClass(characters.slice(index + 1, classEnd)));
      index = classEnd;
    } else {
      const isEscape = character === '\\' && index + 1 < characters.length;
      if (isEscape) index += 1;
      const literal = isEscape ? characters[index] : character;
      steps.push((other) => other === literal);
    }
  }
  return steps;
}

/** Index of the `]` that ends the class which begins at `start`, or -1: then `[` is a letter like others. */
function endOfClass(characters: readonly string[], start: number): number {
  const isNegated = characters[start + 1] === '!' || characters[start + 1] === '^';
  // A `]` in first place belongs to the class.
  return characters.indexOf(']', start + (isNegated ? 3 : 2));
}

function compileClass(body: readonly string[]): (character: string) => boolean {
  const isNegated = body[0] === '!' || body[0] === '^';
  const members = isNegated ? body.slice(1) : body;
  const ranges: (readonly [string, string])[] = [];
  for (let index = 0; index < members.length; index += 1) {
    const first = members[index] as string;
    const isRange = members[index + 1] === '-' && index + 2 < members.length;
    ranges.push([first, isRange ? (members[index + 2] as string) : first]);
    if (isRange) index += 2;
  }
  return (character) => ranges.some(([first, last]) => character >= first && character <= last) !== isNegated;
}

import { isHiddenName } from './hidden-names.ts';
import { type IgnorePattern, isIgnored } from './ignore-patterns.ts';

/**
 * What a house shows. One object answers for every route: hidden and ignored entries are missing for visitors, whatever way
 * leads to them.
 */
export interface Visibility {
  /** Whether the entry itself may be shown; its folders are asked about on their own. */
  isNameShown(segments: readonly string[], isFolder: boolean): boolean;
}

export interface VisibilityRules {
  /** Shows hidden names and ignored entries. */
  readonly showHidden: boolean;
  readonly ignorePatterns: readonly IgnorePattern[];
  /** Places in the house that are never shown, not even when hidden things are (our own keys). Segments from the top. */
  readonly neverServed: readonly (readonly string[])[];
}

export function visibilityOf(rules: VisibilityRules): Visibility {
  return {
    isNameShown(segments, isFolder) {
      if (rules.neverServed.some((place) => isSamePlace(place, segments))) return false;
      if (rules.showHidden) return true;
      const name = segments.at(-1);
      if (name === undefined) return true;
      return !isHiddenName(name) && !isIgnored(rules.ignorePatterns, segments, isFolder);
    },
  };
}

/** Whether the entry and every folder above it may be shown. */
export function isPathShown(visibility: Visibility, segments: readonly string[], isFolder: boolean): boolean {
  return segments.every((_, index) =>
    visibility.isNameShown(segments.slice(0, index + 1), isFolder || index < segments.length - 1),
  );
}

function isSamePlace(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((segment, index) => segment === other[index]);
}

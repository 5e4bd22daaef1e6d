import type { BigIntStats } from 'node:fs';

/** Which bytes a file held: what a visitor compares to know whether they are still the same. */
export interface FileVersion {
  /** Strong entity tag: inode, size and modification time in nanoseconds. */
  readonly etag: string;
  readonly size: number;
  /** RFC 3339, for bodies. */
  readonly modified: string;
  /** Whole seconds, as HTTP dates are. */
  readonly modifiedSeconds: number;
}

/**
 * The device is left out of the tag: its number changes when a disk is plugged in again, and a resumed download should not.
 * Two writes within one tick of the file system's clock (4 ms on Linux before 6.13) that keep the size give the same tag; the block
 * digests of `/digest` tell them apart.
 */
export function fileVersion(stats: BigIntStats): FileVersion {
  const tag = [stats.ino, stats.size, stats.mtimeNs].map((part) => part.toString(36)).join('-');
  const modifiedMs = Number(stats.mtimeNs / 1_000_000n);
  return {
    etag: `"${tag}"`,
    size: Number(stats.size),
    modified: timestamp(modifiedMs),
    modifiedSeconds: Math.floor(Date.parse(timestamp(modifiedMs)) / 1000),
  };
}

/** Whether the bytes are those that were there before, by what the file system says of them. */
export function isSameVersion(one: BigIntStats, other: BigIntStats): boolean {
  return one.size === other.size && one.mtimeNs === other.mtimeNs;
}

/** RFC 3339 in UTC. A disk may hold times that a four-digit year cannot say: those are moved to the nearest that can be said. */
export function timestamp(ms: number): string {
  return new Date(Math.min(Math.max(ms, firstSayableMs), lastSayableMs)).toISOString();
}

const firstSayableMs = Date.parse('0001-01-01T00:00:00.000Z');
const lastSayableMs = Date.parse('9999-12-31T23:59:59.999Z');

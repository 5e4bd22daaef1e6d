import { digestBlockBytes, type HouseDigest } from '../../wire/house-http.ts';
import { subjectOf, VisitError } from './visit-error.ts';

/** Which digests are asked for: the whole file's only, those of some blocks, or undefined for both of all. */
export type AskedDigests = 'none' | { readonly from: number; readonly count: number } | undefined;

/** @throws {VisitError} A digest must answer the question that was asked, or comparing with it would prove nothing. */
export function checkDigest(path: string, digest: HouseDigest, asked: AskedDigests): void {
  const fail = (flaw: string): never => {
    throw new VisitError('failed', `The house's digest of ${subjectOf(path)} cannot be used: ${flaw}`);
  };
  const blocks = Math.ceil(digest.size / digestBlockBytes);
  if (asked !== undefined && asked !== 'none') {
    const count = Math.min(asked.count, Math.max(0, blocks - asked.from));
    if (digest.from !== asked.from) fail('it is about other blocks');
    if (digest.blocks?.length !== count) fail(`it has ${digest.blocks?.length ?? 0} blocks of ${count}`);
    return;
  }
  if (digest.sha256 === undefined) fail('the SHA-256 is missing');
  if (asked === undefined && digest.blocks?.length !== blocks) fail('blocks are missing');
}

import { createIdentity } from '../create-identity.ts';
import { checkIdentity, type Identity } from '../key-store.ts';

/** A fresh identity; with `keyOf` another certificate for the same key, as a renewal makes it. */
export async function testIdentity(email: string, keyOf?: Identity): Promise<Identity> {
  const parts = await createIdentity(email, keyOf === undefined ? {} : { keyPem: keyOf.keyPem });
  return checkIdentity(parts, 'a test');
}

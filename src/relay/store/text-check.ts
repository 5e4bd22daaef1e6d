import type { BroadcastRecord, CertificateAddition, Registration } from './store.ts';
import { StoreError } from './store-error.ts';

/**
 * What one engine can keep and the other cannot is refused for both, and before it shares a batch with others:
 * PostgreSQL has no NUL in text and, like SQLite, no half surrogate pairs; its ids are UUIDs.
 */
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @throws StoreError `store_bad_value` */
export function checkBroadcast(broadcast: BroadcastRecord): void {
  checkId('clientId', broadcast.clientId);
  checkId('broadcastId', broadcast.broadcastId);
  checkText('announce', broadcast.announce);
  checkText('observedAddress', broadcast.observedAddress);
  for (const address of broadcast.addresses) checkText('addresses', address);
  for (const email of broadcast.visibleTo) checkText('visibleTo', email);
  for (const capability of broadcast.capabilities) checkText('capabilities', capability);
}

/** @throws StoreError `store_bad_value` */
export function checkRegistration(registration: Registration): void {
  checkText('email', registration.email);
  checkCertificate(registration);
}

/** @throws StoreError `store_bad_value` */
export function checkCertificate({ clientId, certificate }: CertificateAddition): void {
  checkId('clientId', clientId);
  checkText('fingerprint', certificate.fingerprint);
  checkText('pem', certificate.pem);
}

/** @throws StoreError `store_bad_value` */
export function checkId(field: string, id: string): void {
  if (!uuidPattern.test(id)) {
    throw new StoreError(
      'store_bad_value',
      `Cannot store ${field} ${JSON.stringify(id)}: it is not a lower-case UUID`,
    );
  }
}

function checkText(field: string, text: string): void {
  if (!text.isWellFormed() || text.includes('\0')) {
    throw new StoreError(
      'store_bad_value',
      `Cannot store ${field} ${JSON.stringify(text)}: it holds a NUL or half a surrogate pair`,
    );
  }
}

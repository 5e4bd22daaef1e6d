import type { BroadcastRecord, CertificateAddition, Registration } from './store.ts';

/** One write as the engines take it, in batches. */
export type WriteOperation =
  | { readonly kind: 'put-broadcast'; readonly broadcast: BroadcastRecord }
  | { readonly kind: 'delete-broadcast'; readonly clientId: string }
  | { readonly kind: 'register-client'; readonly registration: Registration }
  | { readonly kind: 'add-certificate'; readonly addition: CertificateAddition }
  | { readonly kind: 'delete-expired'; readonly nowMs: number };

/** The fixed fields of a broadcast with 16 addresses, roughly. */
const broadcastBytes = 1024;
/** An e-mail, at most (RFC 5321 §4.5.3.1). */
const emailBytes = 256;

/** How much memory an operation holds while it waits: an upper bound that is cheap to know. */
export function operationBytes(operation: WriteOperation): number {
  switch (operation.kind) {
    case 'put-broadcast':
      return broadcastBytes + operation.broadcast.visibleTo.length * emailBytes;
    case 'register-client':
      return broadcastBytes + operation.registration.certificate.pem.length;
    case 'add-certificate':
      return broadcastBytes + operation.addition.certificate.pem.length;
    default:
      return emailBytes;
  }
}

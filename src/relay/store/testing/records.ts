import { createHash, randomUUID } from 'node:crypto';
import type { BroadcastRecord, Registration } from '../store.ts';

/** The time at which the tests' stores live, unless a test says otherwise. */
export const testNowMs = Date.UTC(2026, 0, 1);

/** 64 hexadecimal digits that belong to `text`. */
export function fingerprintOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A registration that collides with no other, but for what `overrides` sets. */
export function makeRegistration(overrides: Partial<Registration> = {}): Registration {
  const clientId = randomUUID();
  return {
    clientId,
    email: `${clientId}@example.com`,
    certificate: makeCertificate(clientId),
    nowMs: testNowMs,
    ...overrides,
  };
}

/** A certificate as the store sees one: the text need not be one. */
export function makeCertificate(seed: string = randomUUID()): Registration['certificate'] {
  return {
    fingerprint: fingerprintOf(seed),
    pem: `-----BEGIN CERTIFICATE-----\n${seed}\n-----END CERTIFICATE-----\n`,
    notAfterMs: testNowMs + 365 * 86_400_000,
  };
}

export function makeBroadcast(
  clientId: string,
  overrides: Partial<Omit<BroadcastRecord, 'clientId'>> = {},
): BroadcastRecord {
  return {
    broadcastId: randomUUID(),
    clientId,
    port: 54_321,
    addresses: ['192.168.1.50', 'fe80::1', '2001:db8::5'],
    observedAddress: '203.0.113.9',
    announce: 'all',
    visibleTo: [],
    capabilities: ['link/1'],
    readyAtMs: testNowMs,
    expiresAtMs: testNowMs + 3_600_000,
    ...overrides,
  };
}

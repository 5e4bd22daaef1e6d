import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRelayUrl, parseRelayUrl } from './relay-url.ts';

const pin = '0123456789abcdef'.repeat(4);

test('parseRelayUrl reads origin, host, port and pin', () => {
  for (const [text, host, port, fingerprint] of [
    ['https://relay.example:3000', 'relay.example', 3000, undefined],
    ['https://Relay.Example/', 'relay.example', 3000, undefined],
    ['https://relay.example:443', 'relay.example', 443, undefined],
    ['HTTPS://relay.example:443/', 'relay.example', 443, undefined],
    [' https://relay.example:443 ', 'relay.example', 443, undefined],
    ['https://relay.example:80', 'relay.example', 80, undefined],
    ['https://10.0.0.1:4000', '10.0.0.1', 4000, undefined],
    ['https://[::1]', '::1', 3000, undefined],
    ['https://[2001:db8::443]', '2001:db8::443', 3000, undefined],
    ['https://[::1]:443', '::1', 443, undefined],
    [`https://relay.example:3000#sha256=${pin}`, 'relay.example', 3000, pin],
    [`https://[fd00::1]:3001/#sha256=${pin.toUpperCase()}`, 'fd00::1', 3001, pin],
    [`https://relay.example#sha256=${pin.match(/../g)?.join(':')}`, 'relay.example', 3000, pin],
    ['https://relay.example#', 'relay.example', 3000, undefined],
  ] as const) {
    const { origin: _, ...read } = parseRelayUrl(text);
    assert.deepEqual(read, { host, port, ...(fingerprint !== undefined && { fingerprint }) }, text);
  }
});

test('parseRelayUrl gives an origin that always shows the port', () => {
  assert.equal(parseRelayUrl('https://relay.example').origin, 'https://relay.example:3000');
  assert.equal(parseRelayUrl('https://[::1]:443').origin, 'https://[::1]:443');
});

test('parseRelayUrl says what is wrong', () => {
  for (const [text, message] of [
    ['relay.example:3000', /must start with https:\/\//],
    ['relay', /is not a URL/],
    ['', /is not a URL/],
    ['https://', /is not a URL/],
    ['https://relay:99999', /is not a URL/],
    ['https://relay.example:0', /has port 0/],
    ['http://relay.example:3000', /must start with https:\/\//],
    ['wss://relay.example:3000', /must start with https:\/\//],
    ['https://relay.example/path', /path or a query/],
    ['https://relay.example/?a=1', /path or a query/],
    ['https://relay.example#sha256=12', /sha256= and 64 hex digits/],
    [`https://relay.example#sha1=${pin}`, /sha256= and 64 hex digits/],
    [`https://relay.example#sha256=${pin}0`, /sha256= and 64 hex digits/],
    [`https://relay.example#sha256=${pin.slice(1)}g`, /sha256= and 64 hex digits/],
  ] as const)
    assert.throws(() => parseRelayUrl(text), { name: 'TypeError', message }, text);
});

test('parseRelayUrl never repeats a password', () => {
  assert.throws(
    () => parseRelayUrl('https://user:hunter2@relay.example'),
    (error) => error instanceof TypeError && !error.message.includes('hunter2'),
  );
});

test('formatRelayUrl gives what parseRelayUrl reads', () => {
  for (const text of [`https://relay.example:3000#sha256=${pin}`, 'https://[::1]:443']) {
    const { origin, fingerprint } = parseRelayUrl(text);
    assert.equal(formatRelayUrl(origin, fingerprint), text);
  }
});

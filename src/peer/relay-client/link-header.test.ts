import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextPagePath } from './link-header.ts';

const origin = 'https://relay.example:3000';
const path = '/api/relay/broadcast/list';
const cases: readonly (readonly [header: string | undefined, next: string | undefined])[] = [
  [undefined, undefined],
  ['', undefined],
  [`<${path}?limit=2&after=b%40x.org>; rel="next"`, `${path}?limit=2&after=b%40x.org`],
  [`<${path}?a=1>; rel=next`, `${path}?a=1`],
  [`<${path}?a=1>; title="x"; rel="prev next"`, `${path}?a=1`],
  [`<${path}?a=1>; rel="prev", <${path}?a=2>; rel="next"`, `${path}?a=2`],
  [`<${path}?a=1>; rel="nextish"`, undefined],
  [`<${path}?a=1>; rel="prev"`, undefined],
  [`<${origin}${path}?a=1>; rel="next"`, `${path}?a=1`],
  [`<https://evil.example:3000${path}?a=1>; rel="next"`, undefined],
  [`<//evil.example${path}?a=1>; rel="next"`, undefined],
  ['</api/relay/register?a=1>; rel="next"', undefined],
  ['<http://[>; rel="next"', undefined],
];

for (const [header, next] of cases)
  test(`the Link header ${header ?? '(absent)'} leads to ${next ?? 'nothing'}`, () => {
    assert.equal(nextPagePath(header, origin, path), next);
  });

import type { TestEvent } from 'node:test/reporters';

/** A `node --test` reporter that writes one JSON object: how many passed and failed, and what was skipped and why. */
export default async function* totals(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const sum = { passed: 0, failed: 0, skipped: [] as string[] };
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, skip, details } = event.data;
    if (details.type === 'suite') continue;
    if (skip !== undefined) sum.skipped.push(typeof skip === 'string' ? `${name}: ${skip}` : name);
    else if (event.type === 'test:pass') sum.passed += 1;
    else sum.failed += 1;
  }
  yield JSON.stringify(sum);
}

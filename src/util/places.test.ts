import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Places } from './places.ts';

const { signal } = new AbortController();

test('places are given out at once while there are any, then in the order of asking', async () => {
  const places = new Places(2);
  const first = await places.take(signal);
  await places.take(signal);
  const order: string[] = [];
  const later = ['third', 'fourth'].map(async (name) => {
    const place = await places.take(signal);
    order.push(name);
    return place;
  });
  assert.equal(places.waiting, 2);
  first[Symbol.dispose]();
  (await later[0])?.[Symbol.dispose]();
  await later[1];
  assert.deepEqual(order, ['third', 'fourth']);
});

test('a place given back twice is one place', async () => {
  const places = new Places(1);
  const place = await places.take(signal);
  place[Symbol.dispose]();
  place[Symbol.dispose]();
  await places.take(signal);
  const waiting = new AbortController();
  const third = places.take(waiting.signal);
  assert.equal(places.waiting, 1);
  waiting.abort('enough');
  await assert.rejects(third, (error) => error === 'enough');
});

test('who gives up leaves the line, and the place goes to the next', async () => {
  const places = new Places(1);
  const place = await places.take(signal);
  const impatient = new AbortController();
  const second = places.take(impatient.signal);
  const third = places.take(signal);
  impatient.abort('no time');
  await assert.rejects(second, (error) => error === 'no time');
  place[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.equal(places.waiting, 0);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await assert.rejects(places.take(impatient.signal), (error) => error === 'no time');
});

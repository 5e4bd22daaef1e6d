import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingDescriptions } from './setting-descriptions.ts';
import { environmentName, HousePortSchema, type SettingName, SettingsSchema } from './settings.ts';

test('settings have their defaults', () => {
  assert.deepEqual(SettingsSchema.parse({}), {
    policy: 'friends',
    announce: 'all',
    housePort: 0,
    houseInterface: 'all',
    localApiPort: 8787,
    allowPrograms: false,
    showHidden: false,
    broadcastRefreshSeconds: 1800,
    friendPingSeconds: 60,
    logLevel: 'info',
  });
});

test('an unknown setting is refused, not ignored: it is a typing error', () => {
  assert.equal(SettingsSchema.safeParse({ housePorts: 1 }).success, false);
});

test('the house port is a number, any, or a range', () => {
  for (const value of [0, 1, 65_535, '4711-4720', '1-65535', '80-80'])
    assert.equal(HousePortSchema.safeParse(value).success, true, String(value));
  for (const value of [
    -1,
    65_536,
    1.5,
    '4711',
    '4720-4711',
    '0-5',
    '1-65536',
    '1-2-3',
    ' 1-2',
    '1-',
    '',
    null,
    '٤-٥',
  ])
    assert.equal(HousePortSchema.safeParse(value).success, false, String(value));
});

test('the policy is a word or people, each by e-mail in canonical form', () => {
  const policyOf = (policy: unknown) => SettingsSchema.safeParse({ policy }).data?.policy;
  assert.equal(policyOf('registered'), 'registered');
  assert.deepEqual(policyOf(['Ann@Example.com']), ['ann@example.com']);
  for (const policy of ['everyone', [], ['ann'], '', null]) assert.equal(policyOf(policy), undefined);
});

test('a relay URL is checked when it is set, not when it is first used', () => {
  const isTaken = (relayTrackerUrl: string) => SettingsSchema.safeParse({ relayTrackerUrl }).success;
  assert.equal(isTaken(`https://relay.example:3000#sha256=${'ab'.repeat(32)}`), true);
  for (const url of ['http://relay.example', 'relay.example', 'https://relay.example/x', ''])
    assert.equal(isTaken(url), false, url);
});

test('intervals are positive and no longer than a day', () => {
  for (const name of ['broadcastRefreshSeconds', 'friendPingSeconds'])
    for (const [seconds, isTaken] of [
      [0.5, true],
      [86_400, true],
      [0, false],
      [-1, false],
      [86_401, false],
      [Number.NaN, false],
      [Number.POSITIVE_INFINITY, false],
    ] as const)
      assert.equal(SettingsSchema.safeParse({ [name]: seconds }).success, isTaken, `${name} ${seconds}`);
});

test('each setting has a variable of its own, and a description', () => {
  const names = Object.keys(SettingsSchema.shape) as SettingName[];
  assert.equal(environmentName('fileRootDirectory'), 'FLASHBACK_FILE_ROOT_DIRECTORY');
  assert.equal(environmentName('email'), 'FLASHBACK_EMAIL');
  assert.equal(new Set(names.map(environmentName)).size, names.length);
  assert.deepEqual(Object.keys(settingDescriptions).sort(), [...names].sort());
});

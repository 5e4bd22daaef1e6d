import assert from 'node:assert/strict';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFolders } from '../../util/platform/data-folder.ts';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import { settingDescriptions } from '../../wire/setting-descriptions.ts';
import { environmentName, type SettingName } from '../../wire/settings.ts';
import { loadSettings, removeConfigKey, requireSettingName, saveSettings } from './load-settings.ts';
import { SettingsError } from './settings-error.ts';

interface Sources {
  readonly flag?: string;
  readonly environment?: string;
  /** The value as it stands in the JSON of the config file. */
  readonly file?: string;
}

/** Each setting with its default, and one value that each source gives. */
const table: readonly {
  readonly name: SettingName;
  readonly default?: unknown;
  readonly file: readonly [json: string, value: unknown];
  readonly environment: readonly [text: string, value: unknown];
  readonly flag: readonly [text: string, value: unknown];
}[] = [
  row(
    'email',
    undefined,
    ['"File@example.com"', 'file@example.com'],
    ['env@example.com', 'env@example.com'],
    ['flag@example.com', 'flag@example.com'],
  ),
  row(
    'fileRootDirectory',
    undefined,
    ['"house"', 'CONFIG/house'],
    ['house', '/cwd/house'],
    ['/abs/house', '/abs/house'],
  ),
  row(
    'certificatePath',
    undefined,
    ['"../keys"', 'CONFIG/../keys'],
    ['~/keys', join(homedir(), 'keys')],
    ['keys', '/cwd/keys'],
  ),
  row('downloadDirectory', undefined, ['"~/in"', join(homedir(), 'in')], ['in', '/cwd/in'], ['/in', '/in']),
  row(
    'relayTrackerUrl',
    undefined,
    ['"https://a:1"', 'https://a:1'],
    ['https://b:2', 'https://b:2'],
    ['https://c', 'https://c'],
  ),
  row(
    'policy',
    'friends',
    ['["A@b.c"]', ['a@b.c']],
    ['a@b.c, D@e.f', ['a@b.c', 'd@e.f']],
    ['registered', 'registered'],
  ),
  row('announce', 'all', ['"friends"', 'friends'], ['none', 'none'], ['all', 'all']),
  row('housePort', 0, ['4711', 4711], ['4711-4720', '4711-4720'], ['65535', 65_535]),
  row('houseInterface', 'all', ['"loopback"', 'loopback'], ['all', 'all'], ['loopback', 'loopback']),
  row('localApiPort', 8787, ['1', 1], ['2', 2], ['0', 0]),
  row('allowPrograms', false, ['true', true], ['off', false], ['yes', true]),
  row('showHidden', false, ['true', true], ['0', false], ['true', true]),
  row('broadcastRefreshSeconds', 1800, ['0.5', 0.5], ['2', 2], ['86400', 86_400]),
  row('friendPingSeconds', 60, ['1', 1], ['2.5', 2.5], ['3', 3]),
  row('logLevel', 'info', ['"warn"', 'warn'], ['debug', 'debug'], ['silent', 'silent']),
];

test('the table below has a line for every setting', () => {
  assert.deepEqual(table.map(({ name }) => name).sort(), Object.keys(settingDescriptions).sort());
});

for (const { name, default: fallback, file, environment, flag } of table)
  test(`${name}: flag before environment before config file before default, each with its origin`, async () => {
    await using home = await temporaryFolder();
    const valueOf = (value: unknown): unknown =>
      typeof value === 'string' ? resolved(value, home.path) : value;
    const fromFile = { file: file[0] };
    const fromEnvironment = { ...fromFile, environment: environment[0] };
    const fromFlag = { ...fromEnvironment, flag: flag[0] };
    assert.deepEqual(await load(home.path, name, {}), [fallback, 'default']);
    assert.deepEqual(await load(home.path, name, fromFile), [
      valueOf(file[1]),
      join(home.path, 'config.json'),
    ]);
    assert.deepEqual(await load(home.path, name, fromEnvironment), [environment[1], environmentName(name)]);
    assert.deepEqual(await load(home.path, name, fromFlag), [
      flag[1],
      settingDescriptions[name].flag.split(' ')[0],
    ]);
  });

const refused: readonly (readonly [name: SettingName, json: string])[] = [
  ['email', '"nobody"'],
  ['email', '7'],
  ['fileRootDirectory', '""'],
  ['relayTrackerUrl', '"http://relay:3000"'],
  ['relayTrackerUrl', '"https://relay:3000#sha256=12"'],
  ['policy', '"everybody"'],
  ['policy', '[]'],
  ['policy', '["nobody"]'],
  ['announce', '"some"'],
  ['housePort', '65536'],
  ['housePort', '-1'],
  ['housePort', '1.5'],
  ['housePort', '"80"'],
  ['housePort', '"9-3"'],
  ['housePort', '"0-10"'],
  ['housePort', '"1-70000"'],
  ['houseInterface', '"wan"'],
  ['localApiPort', '"8787"'],
  ['allowPrograms', '"true"'],
  ['showHidden', '1'],
  ['broadcastRefreshSeconds', '0'],
  ['friendPingSeconds', '86401'],
  ['friendPingSeconds', 'null'],
  ['logLevel', '"loud"'],
];

for (const [name, json] of refused)
  test(`${name} = ${json} in the config file is refused, naming file, key, value and what is allowed`, async () => {
    await using home = await temporaryFolder();
    await assert.rejects(load(home.path, name, { file: json }), (error) => {
      assert.ok(error instanceof SettingsError);
      for (const part of [
        join(home.path, 'config.json'),
        `"${name}"`,
        json,
        settingDescriptions[name].allowed,
      ])
        assert.ok(error.message.includes(part), `${error.message} does not name ${part}`);
      return true;
    });
  });

test('a wrong flag and a wrong variable are named by flag and variable', async () => {
  await using home = await temporaryFolder();
  await assert.rejects(
    load(home.path, 'housePort', { flag: 'http' }),
    /^SettingsError: --port is http, which cannot be used/,
  );
  await assert.rejects(
    load(home.path, 'policy', { environment: 'all' }),
    /^SettingsError: FLASHBACK_POLICY is all,/,
  );
});

test('every problem is told at once', async () => {
  await using home = await temporaryFolder();
  await writeFile(join(home.path, 'config.json'), '{"policy": 1, "polcy": 2, "announce": 3}');
  await assert.rejects(
    loadFrom(home.path),
    (error) => error instanceof SettingsError && error.problems.length === 3,
  );
});

test('an unknown key is refused with the one that was meant', async () => {
  await using home = await temporaryFolder();
  await writeFile(join(home.path, 'config.json'), '{"fileRootDirectry": "/x"}');
  await assert.rejects(
    loadFrom(home.path),
    /"fileRootDirectry" in .*config\.json is not a setting: did you mean "fileRootDirectory"\?/,
  );
});

const damaged: readonly (readonly [text: string, message: RegExp])[] = [
  ['{"policy": }', /config\.json: it is not JSON .*Unexpected token/],
  ['[]', /must hold one JSON object/],
  ['"x"', /must hold one JSON object/],
  [`{"email": "${'x'.repeat(1_100_000)}"}`, /is longer than/],
];

for (const [text, message] of damaged)
  test(`a config file ${text.slice(0, 20)} is refused by name`, async () => {
    await using home = await temporaryFolder();
    await writeFile(join(home.path, 'config.json'), text);
    await assert.rejects(loadFrom(home.path), message);
  });

test('no config file and an empty one are the defaults', async () => {
  await using home = await temporaryFolder();
  const none = await loadFrom(home.path);
  await writeFile(join(home.path, 'config.json'), '\n');
  assert.deepEqual((await loadFrom(home.path)).settings, none.settings);
});

test('a variable that is nearly a setting’s is warned of; others are other programs’', async () => {
  await using home = await temporaryFolder();
  const { warnings } = await loadFrom(home.path, {
    FLASHBACK_POLCY: 'friends',
    FLASHBACK_RELAY_PORT: '1',
    FLASHBACK_SOMETHING_ELSE: 'x',
  });
  assert.deepEqual(warnings, [
    'The environment variable FLASHBACK_POLCY is not known: did you mean FLASHBACK_POLICY?',
  ]);
});

test('what is saved is read again; the rest of the file stays, and the owner alone may read it', async () => {
  await using home = await temporaryFolder();
  const file = join(home.path, 'config.json');
  await writeFile(file, '{"policy": "registered", "announce": "none"}', { mode: 0o644 });
  await saveSettings(
    { announce: undefined, housePort: '4711', fileRootDirectory: 'house' },
    surroundings(home.path),
  );
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), {
    policy: 'registered',
    fileRootDirectory: '/cwd/house',
    housePort: 4711,
  });
  if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('a value that cannot be used is not saved, nor are those beside it', async () => {
  await using home = await temporaryFolder();
  await assert.rejects(
    saveSettings({ announce: 'none', policy: 'all' }, surroundings(home.path)),
    SettingsError,
  );
  assert.deepEqual((await loadFrom(home.path)).settings.announce, 'all');
});

test('an unknown key can be taken out of a file that cannot be loaded', async () => {
  await using home = await temporaryFolder();
  await writeFile(join(home.path, 'config.json'), '{"polcy": 1}');
  const folders = dataFolders({ FLASHBACK_HOME: home.path });
  assert.equal(await removeConfigKey('polcy', folders), true);
  assert.equal(await removeConfigKey('polcy', folders), false);
  await loadFrom(home.path);
});

test('a setting’s name is suggested, and never found on the prototype', () => {
  assert.equal(requireSettingName('policy'), 'policy');
  assert.throws(() => requireSettingName('hosePort'), /did you mean "housePort"\?/);
  assert.throws(() => requireSettingName('toString'), SettingsError);
});

test('a house that holds the private key cannot be shared, by whichever way it is set', async () => {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  await mkdir(join(home, 'identity', 'deep'), { recursive: true });
  await mkdir(join(home, 'house'));
  await symlink(folder.path, join(folder.path, 'way-round'));
  const bad = [
    folder.path,
    home,
    join(home, 'identity'),
    join(home, 'identity', 'deep'),
    join(folder.path, 'way-round', 'home'),
  ];
  for (const house of bad) {
    await assert.rejects(load(home, 'fileRootDirectory', { flag: house }), /cannot be shared/, house);
    await assert.rejects(load(home, 'fileRootDirectory', { environment: house }), /cannot be shared/, house);
    await assert.rejects(
      saveSettings({ fileRootDirectory: house }, surroundings(home)),
      /cannot be shared/,
      house,
    );
  }
  for (const house of [join(home, 'house'), join(folder.path, 'elsewhere'), `${home}-more`])
    await load(home, 'fileRootDirectory', { flag: house });
});

function row(
  name: SettingName,
  fallback: unknown,
  file: readonly [string, unknown],
  environment: readonly [string, unknown],
  flag: readonly [string, unknown],
): (typeof table)[number] {
  return { name, default: fallback, file, environment, flag };
}

function resolved(value: string, home: string): string {
  return value.startsWith('CONFIG/') ? join(home, value.slice('CONFIG/'.length)) : value;
}

function surroundings(home: string): Parameters<typeof saveSettings>[1] {
  return { folders: dataFolders({ FLASHBACK_HOME: home }), currentDirectory: '/cwd' };
}

function loadFrom(home: string, environment: NodeJS.ProcessEnv = {}): ReturnType<typeof loadSettings> {
  return loadSettings({ ...surroundings(home), environment });
}

/** The value of one setting and where it comes from. */
async function load(home: string, name: SettingName, sources: Sources): Promise<[unknown, string]> {
  await writeFile(
    join(home, 'config.json'),
    sources.file === undefined ? '' : `{"${name}": ${sources.file}}`,
  );
  const { settings, originBySetting } = await loadSettings({
    ...surroundings(home),
    environment: sources.environment === undefined ? {} : { [environmentName(name)]: sources.environment },
    ...(sources.flag !== undefined && { flags: { [name]: sources.flag } }),
  });
  const origin = originBySetting[name];
  return [settings[name], origin.source === 'default' ? 'default' : origin.name];
}

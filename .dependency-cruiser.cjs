// The layer table of ARCHITECTURE.md: an import may only point down it.
const layers = {
  util: [],
  wire: ['util'],
  identity: ['wire', 'util'],
  link: ['identity', 'wire', 'util'],
  relay: ['identity', 'wire', 'util'],
  peer: ['link', 'identity', 'wire', 'util'],
  cli: ['wire', 'util'],
};

/** The files through which the command line starts the relay and the daemon, and works where no daemon runs. */
const compositionRoots =
  '^src/(relay/(run-relay|backup-relay)|peer/(run-daemon|initialise|identity-transfer|settings/load-settings|doctor/run-doctor))\\.ts$';

const layerRules = Object.entries(layers).map(([layer, allowed]) => ({
  name: `layer-${layer}`,
  comment: `${layer} may import only: ${allowed.join(', ') || 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^src/${layer}/`, pathNot: '\\.test\\.ts$' },
  to: {
    path: '^src/',
    pathNot: [`^src/(${[layer, ...allowed].join('|')})/`, ...(layer === 'cli' ? [compositionRoots] : [])],
  },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'wire-is-browser-safe',
      comment: 'wire runs in browsers: no Node built-ins, packages only the pure ones named here',
      severity: 'error',
      from: { path: '^src/wire/', pathNot: '\\.test\\.ts$' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional'],
        pathNot: 'node_modules/(zod|ipaddr\\.js)/',
      },
    },
    {
      name: 'util-stands-alone-in-wire',
      comment: 'what wire imports from util must be browser-safe too',
      severity: 'error',
      from: { path: '^src/wire/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/util/platform' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-test-code-in-product',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { path: '(^test/|^bench/|^scripts/|/testing/|\\.test\\.ts$)' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-product',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};

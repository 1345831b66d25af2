/**
 * The layers: imports point one way only, and each outside dependency has one owner.
 *
 * cli → node → actors → transport → wire → core, and cli → sim → wire → core.
 * Tests may import everything; nothing imports a test.
 */

/** Every layer with the layers it may stand on. A folder that is missing here may import none of them. */
const layers = {
  'packages/core': [],
  'packages/wire': ['packages/core'],
  'packages/transport': ['packages/wire', 'packages/core'],
  'packages/sim': ['packages/wire', 'packages/core'],
  actors: ['packages/transport', 'packages/wire', 'packages/core'],
  'packages/node': ['actors', 'packages/transport', 'packages/wire', 'packages/core'],
  'packages/cli': ['packages/node', 'packages/sim', 'actors', 'packages/transport', 'packages/wire', 'packages/core'],
};

/** Every outside dependency with the one place that may import it. */
const owners = {
  nact: '^(actors/src/kernel/nact[.]ts$|packages/node/src/)',
  ws: '^packages/transport/src/',
  msgpackr: '^packages/wire/src/',
  pino: '^packages/node/src/',
  commander: '^packages/cli/src/',
  ioredis: '^test/bench/',
  'd3-[a-z]+': '^packages/sim/src/papers/plot[.]ts$',
};

const house = '^(packages|actors)/';
const tests = '[.]test[.]ts$|^test/';
const anyOf = (folders) => `^(${folders.join('|')})/`;
const outside = (name) => `(^|/)node_modules/(@types/)?${name}(/|$)|^${name}(/|$)`;

const forbidden = [
  ...Object.entries(layers).map(([layer, below]) => ({
    name: `layer-${layer.replace('packages/', '')}`,
    comment: below.length === 0 ? `${layer} stands on no other layer` : `${layer} stands on ${below.join(', ')}`,
    severity: 'error',
    from: { path: anyOf([layer]), pathNot: tests },
    to: { path: house, pathNot: anyOf([layer, ...below]) },
  })),
  ...Object.entries(owners).map(([name, owner]) => ({
    name: `owner-${name}`,
    comment: `${name} is imported only where it is owned, and by tests`,
    severity: 'error',
    from: { pathNot: [owner, tests] },
    to: { path: outside(name) },
  })),
  {
    name: 'no-made-code',
    comment: "msgpackr's main build makes functions of keys that a peer may name; its types are welcome",
    severity: 'error',
    from: { path: house, pathNot: [tests, '[.]d[.]ts$'] },
    to: { path: outside('msgpackr'), pathNot: 'index-no-eval' },
  },
  {
    name: 'core-stands-alone',
    comment: 'core imports nothing outside itself: no package, no Node module',
    severity: 'error',
    from: { path: '^packages/core/src/', pathNot: tests },
    to: { pathNot: '^packages/core/src/' },
  },
  {
    name: 'no-test-imports',
    comment: 'sources never import tests',
    severity: 'error',
    from: { pathNot: tests },
    to: { path: tests },
  },
  {
    name: 'no-own-index',
    comment: 'nobody imports the index of the package they live in; they import the file that they mean',
    severity: 'error',
    from: { path: '^(packages/[^/]+|actors)/' },
    to: { path: '^$1/src/index[.]ts$' },
  },
  {
    name: 'no-deep-imports',
    comment: 'other packages are imported by name, never by a path into them',
    severity: 'error',
    from: { path: '^(packages/[^/]+|actors)/', pathNot: tests },
    // What sim exports beside its index: modules that need d3 or threads, which few who import sim do.
    to: { path: house, pathNot: ['^$1/', '/src/index[.]ts$', '^packages/sim/src/papers/(plot|pool)[.]ts$'] },
  },
  {
    name: 'no-cycles',
    comment: 'no circular imports, type imports included',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'no-unresolved',
    comment:
      'every import leads somewhere; the bin of the command leads to what the build makes, programs of test apps to what their tests install',
    severity: 'error',
    from: { pathNot: '^packages/cli/bin/|^test/apps/[^/]+/' },
    to: { couldNotResolve: true },
  },
  {
    name: 'no-undeclared',
    comment: 'a source imports only what its own package.json lists under dependencies or peerDependencies',
    severity: 'error',
    from: { path: house, pathNot: tests },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
  },
];

module.exports = {
  forbidden,
  options: {
    // Type imports count: they too tie a layer to another.
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(packages/[^/]+|actors)/dist/|^coverage/' },
    // "source" makes '@grapevine/…' lead to the sources, as it does for TypeScript and Jest.
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};

/** The example for Kubernetes: the manifest and the program in its image agree on every name and port. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

const folder = join(__dirname, '../../docs/examples/kubernetes');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

const program = read('node.mjs');
const documents = parseAllDocuments(read('grapevine.yaml'));

/** What stands at this path of the one resource of a kind; a path that leads nowhere fails the test that takes it. */
function at(kind: string, path: string): unknown {
  const found = documents.filter((document) => document.get('kind') === kind);
  expect(found).toHaveLength(1);
  const keys = path.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  const node = keys.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown>)[key], found[0]?.toJS());
  expect(node).toBeDefined();
  return node;
}

const pod = 'spec.template.spec';
const container = `${pod}.containers.0`;

interface Named {
  readonly name: string;
}

function portOf(name: unknown): number {
  const ports = at('StatefulSet', `${container}.ports`) as readonly (Named & { readonly containerPort: number })[];
  return ports.find((port) => port.name === name)?.containerPort ?? 0;
}

describe('docs/examples/kubernetes', () => {
  test('the manifest is YAML, and each of its resources lives in one namespace', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(new Set(documents.map((document) => document.getIn(['metadata', 'namespace'])))).toEqual(
      new Set(['default']),
    );
  });

  test('the program is one that Node.js can read', () => {
    execFileSync(process.execPath, ['--check', join(folder, 'node.mjs')]);
    expect(at('StatefulSet', `${container}.command`)).toEqual(['node', 'node.mjs']);
  });

  test('the program resolves the name of the service', () => {
    const { name, namespace } = at('Service', 'metadata') as Named & { readonly namespace: string };
    expect(program).toContain(`name: '${name}.${namespace}.svc.cluster.local', type: 'A'`);
    expect(at('StatefulSet', 'spec.serviceName')).toBe(name);
  });

  test('the service is headless, and publishes pods that are not ready yet', () => {
    expect(at('Service', 'spec')).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
  });

  test.each([
    ['Service', 'spec.selector'],
    ['StatefulSet', 'spec.selector.matchLabels'],
    ['NetworkPolicy', 'spec.podSelector.matchLabels'],
    ['NetworkPolicy', 'spec.ingress.0.from.0.podSelector.matchLabels'],
    ['PodDisruptionBudget', 'spec.selector.matchLabels'],
  ])('of %s, %s selects these pods', (kind, path) => {
    expect(at(kind, path)).toEqual(at('StatefulSet', 'spec.template.metadata.labels'));
  });

  test('the ports of program, service, container and policy are the same', () => {
    const port = at('Service', 'spec.ports.0.port');
    expect(portOf(at('Service', 'spec.ports.0.targetPort'))).toBe(port);
    expect(new Set(program.match(/(?<=port: |:)7\d{3}/g))).toEqual(new Set([String(port)]));
    expect(program).toContain(`.listen(${portOf('health')})`);
    expect(at('NetworkPolicy', 'spec.ingress.0.ports.0.port')).toBe('gossip');
    expect(at('NetworkPolicy', 'spec.ingress.1.ports.0.port')).toBe('health');
  });

  test.each(['readinessProbe', 'livenessProbe'])('the program answers the %s', (probe) => {
    expect(program).toContain(`'${String(at('StatefulSet', `${container}.${probe}.httpGet.path`))}'`);
    expect(at('StatefulSet', `${container}.${probe}.httpGet.port`)).toBe('health');
  });

  test('the program is told who and where it is', () => {
    const names = (at('StatefulSet', `${container}.env`) as readonly Named[]).map(({ name }) => name);
    expect(program).toContain(`const { ${names.join(', ')} } = process.env`);
  });

  test('the program finds the keys where the Secret is mounted, and reads them again when it is told to', () => {
    const [mount] = at('StatefulSet', `${container}.volumeMounts`) as readonly (Named & {
      readonly mountPath: string;
    })[];
    const [volume] = at('StatefulSet', `${pod}.volumes`) as readonly (Named & { readonly secret: object })[];
    expect(volume).toMatchObject({ name: mount?.name, secret: { secretName: 'grapevine' } });
    expect(program).toContain(`readFileSync('${mount?.mountPath}/keys', 'utf8')`);
    expect(read('README.md')).toContain('kubectl create secret generic grapevine --from-literal=keys=');
    expect(program).toContain("process.on('SIGHUP'");
  });

  test('the program is ready once it has met others and holds what they hold, and not before', () => {
    expect(program).toMatch(/await grapevine\.joined\([^)]*\);\s+await flags\.synced\([^)]*\);\s+isReady = true;/);
    expect(program).toContain("request.url === '/ready' && isReady && !isLeaving");
  });

  test('the program leaves when it is told to, and has time for it', () => {
    expect(program).toContain("process.once('SIGTERM'");
    expect(at('StatefulSet', `${pod}.terminationGracePeriodSeconds`)).toBeGreaterThanOrEqual(10);
  });
});

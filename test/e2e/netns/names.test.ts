/**
 * Names and addresses as hosts have them: a resolver that answers nobody, and a machine without IPv4.
 */
import { expect, test } from '@jest/globals';

import { NameServer } from '../../../actors/src/discovery/testing/name-server.ts';
import { endAgents, startAgent } from '../agents.ts';
import { allKnowAll, expectPlayed, inNetwork, type Scene } from './scene.ts';

const limitMs = 60_000;
const name = 'grapevine.example';

async function hostsFile(scene: Scene, answer: 'REFUSED' | 'SERVFAIL'): Promise<void> {
  const { network } = scene;
  const host = await network.host();
  const server = await new NameServer().open({ host, port: 53 });
  try {
    server.zone.set(name, answer);
    await network.node('b');
    await network.setNameServer('b', host);
    await network.setHosts('b', { [name]: (await network.node('a')).address });
    const a = await scene.start('a', { seeds: [] });
    const b = await scene.start('b', { seeds: [], args: ['--discover', `dns:${name}:7001`] });
    await allKnowAll([a, b]);
    expect(server.asked).toContain(`A ${name}`);
  } finally {
    await server.close();
  }
}

async function onlyIPv6({ network }: Scene): Promise<void> {
  await network.node('a');
  await network.node('b');
  await network.onlyIPv6('a', 'b');
  const args = ['--host', '::', '--insecure'];
  try {
    const a = await startAgent({ name: 'a', seeds: [], args, runner: network.runner('a') });
    expect(a.url).toMatch(/^ws:\/\/\[fd00::1\]:\d+$/);
    const b = await startAgent({ name: 'b', seeds: [a], args, runner: network.runner('b') });
    expect(b.url).toMatch(/^ws:\/\/\[fd00::2\]:\d+$/);
    await allKnowAll([a, b]);
  } finally {
    await endAgents();
  }
}

inNetwork('a host', () => {
  test.each(['REFUSED', 'SERVFAIL'] as const)(
    'whose name server answers %s finds nodes by its hosts file',
    (answer) => expectPlayed((scene) => hostsFile(scene, answer)),
    limitMs,
  );

  test('without IPv4 that listens on :: advertises an address that others dial', () => expectPlayed(onlyIPv6), limitMs);
});

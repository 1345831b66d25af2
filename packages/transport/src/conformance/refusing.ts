/** Refusing: who cannot be spoken to is told why, and both sides say so. */
import type { RegisterScene, Runner } from './runner.ts';
import { connect, stays, until } from './scene.ts';

export function refusingScenes(scene: RegisterScene, expect: Runner['expect']): void {
  const refusal = (url: string | null, by: string, code: string, peer: string | null): object => ({
    url,
    by,
    peer,
    error: { code },
  });

  scene('another cluster is refused as WRONG_CLUSTER on both sides', async (stage) => {
    const a = await stage.node('a', { cluster: 'blue' });
    const b = await stage.node('b', { cluster: 'green' });
    a.transport.dial([b.url]);
    await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
    expect(a.refusals[0]).toMatchObject(refusal(b.url, 'peer', 'WRONG_CLUSTER', null));
    expect(b.refusals[0]).toMatchObject(refusal(null, 'us', 'WRONG_CLUSTER', null));
    const sentence = '"a" is of cluster "blue", "b" of "green": give both one cluster (--cluster)';
    for (const { refusals } of [a, b]) expect(refusals[0]?.error.message).toBe(sentence);
  });

  scene(
    'labels that are too long for a close frame are cut there, and what to do is said all the same',
    async (stage) => {
      const long = 'x'.repeat(100);
      const a = await stage.node('a', { cluster: `${long}1` });
      const b = await stage.node(`b${long}`, { cluster: `${long}2` });
      a.transport.dial([b.url]);
      await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
      expect(b.refusals[0]?.error.message.includes(`"a" is of cluster "${long}1", "b${long}" of "${long}2"`)).toBe(
        true,
      );
      expect(a.refusals[0]?.error.message.includes('"a" is of cluster "xxxxxxxxxxxxxxx…", "bxx')).toBe(true);
      expect(a.refusals[0]?.error.message.endsWith('give both one cluster (--cluster)')).toBe(true);
    },
  );

  scene('versions that do not meet are refused as VERSION_UNSPEAKABLE on both sides', async (stage) => {
    const a = await stage.node('a', { versions: { min: 1, max: 2 } });
    const b = await stage.node('b', { versions: { min: 3, max: 4 } });
    a.transport.dial([b.url]);
    await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
    expect(a.refusals[0]).toMatchObject(refusal(b.url, 'peer', 'VERSION_UNSPEAKABLE', null));
    expect(b.refusals[0]).toMatchObject(refusal(null, 'us', 'VERSION_UNSPEAKABLE', null));
  });

  scene('two nodes of one name refuse each other as NAME_TAKEN', async (stage) => {
    // In memory an address is a name: were it to listen, the other's address would be its own.
    const a = await stage.node('same', { listen: null });
    const b = await stage.node('same');
    a.transport.dial([b.url]);
    await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
    expect(a.refusals[0]).toMatchObject(refusal(b.url, 'peer', 'NAME_TAKEN', null));
    expect(b.refusals[0]).toMatchObject(refusal(null, 'us', 'NAME_TAKEN', 'same'));
  });

  scene(
    'a lower epoch of a connected name is refused as NAME_TAKEN, and the connected one is unharmed',
    async (stage) => {
      const a = await stage.node('a');
      const young = await stage.node('b', { epoch: 8 });
      const old = await stage.node('b', { epoch: 7 });
      await connect(young, a);
      old.transport.dial([a.url]);
      await until('the old one knows', () => old.refusals.length > 0);
      expect(old.refusals[0]).toMatchObject(refusal(a.url, 'peer', 'NAME_TAKEN', null));
      expect(await stays(a, young)).toBe(true);
      expect(a.log).toEqual(['opened b']);
    },
  );
}

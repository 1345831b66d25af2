/** Meeting: hellos, versions, and one connection per pair. */
import { closeCodes } from '../close-codes.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { bytes, connect, connected, count, stays, until } from './scene.ts';

export function meetingScenes(scene: RegisterScene, expect: Runner['expect']): void {
  scene('two nodes learn from the hellos who the other is', async (stage) => {
    const a = await stage.node('a', { epoch: 5, capabilities: ['x', 'y'] });
    const b = await stage.node('b', { epoch: 7 });
    await connect(a, b);
    expect(a.session().peer).toEqual({
      name: 'b',
      epoch: 7,
      url: b.url,
      capabilities: [],
      version: 2,
      maxFrameBytes: 2_097_152,
    });
    expect(b.session().peer).toEqual({
      name: 'a',
      epoch: 5,
      url: a.url,
      capabilities: ['x', 'y'],
      version: 2,
      maxFrameBytes: 2_097_152,
    });
    expect([a.session().dialled, b.session().dialled]).toEqual([true, false]);
  });

  scene('the highest common version is spoken', async (stage) => {
    const a = await stage.node('a', { versions: { min: 1, max: 4 } });
    const b = await stage.node('b', { versions: { min: 2, max: 3 } });
    await connect(a, b);
    expect([a.session().peer.version, b.session().peer.version]).toEqual([3, 3]);
  });

  scene('a node that does not listen can dial', async (stage) => {
    const a = await stage.node('a', { listen: null });
    const b = await stage.node('b');
    await connect(a, b);
    expect(b.session().peer.url).toBe(null);
  });

  scene('crossing dials end as one connection, again and again', async (stage) => {
    for (let round = 0; round < 25; round++) {
      const a = await stage.node(`a${round}`);
      const b = await stage.node(`b${round}`);
      a.transport.dial([b.url]);
      b.transport.dial([a.url]);
      await connected(a, b);
      expect(await stays(a, b)).toBe(true);
      expect(a.session().dialled).toBe(!b.session().dialled);
      await Promise.all([a.transport.close(), b.transport.close()]);
      expect([...a.refusals, ...b.refusals]).toEqual([]);
    }
  });

  scene('a full mesh where everybody dials everybody ends with one connection per pair', async (stage) => {
    const nodes = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((each) => stage.node(each)));
    for (const { transport } of nodes) transport.dial(nodes.map(({ url }) => url));
    const complete = (): boolean => nodes.every((node) => count(node.transport) === nodes.length - 1);
    await until('a full mesh', complete);
    for (const node of nodes) for (const session of node.transport.sessions()) session.send(bytes('x'), 'reply');
    await until('a frame over every connection', () =>
      nodes.every(({ received }) => received.length === nodes.length - 1),
    );
    expect(complete()).toBe(true);
    expect(nodes.flatMap(({ refusals }) => refusals)).toEqual([]);
  });

  scene('a peer that has dialled us is not dialled again while connected, but is when it is lost', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(b, a);
    a.transport.dial([b.url]);
    expect(await stays(a, b)).toBe(true);
    expect(a.session().dialled).toBe(false);
    b.transport.dial([]);
    b.session().close(closeCodes.NORMAL, 'enough');
    await until('a dials b', () => count(a.transport) === 1 && a.session().dialled);
  });

  scene('several URLs of one node make one connection, and the session stays the same', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    const [one, other] = [
      await stage.harness.through(b.url, ['a', 'b']),
      await stage.harness.through(b.url, ['a', 'b']),
    ];
    a.transport.dial([one.url, other.url, b.url]);
    await connected(a, b);
    expect(await stays(a, b)).toBe(true);
    expect(a.log).toEqual(['opened b']);
    expect(b.log).toEqual(['opened a']);
  });

  scene('a node that dials itself keeps quiet about it', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    a.transport.dial([a.url, b.url]);
    await connected(a, b);
    expect(await stays(a, b)).toBe(true);
    expect([a.refusals, a.dialFailures, a.log]).toEqual([[], [], ['opened b']]);
  });
}

/** Keys: who shares one gets in, and nobody else learns a thing. */
import { closeCodes } from '../close-codes.ts';
import type { TransportOptions } from '../options.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { connect, count, stays, until, type Probe } from './scene.ts';

export function keysScenes(scene: RegisterScene, expect: Runner['expect']): void {
  // Texts, so that this file needs nothing of Node.js; random ones belong into clusters.
  const [current, older, foreign] = ['current', 'older', 'foreign'].map((each) => `a key for tests alone: ${each}`) as [
    string,
    string,
    string,
  ];
  const keyed = (...keys: string[]): Partial<TransportOptions> => ({ security: { keys } });
  const none: Partial<TransportOptions> = { security: {} };

  scene('that are the same let nodes meet, whoever dials, and nothing else changes', async (stage) => {
    const a = await stage.node('a', { ...keyed(current), epoch: 5, capabilities: ['x'] });
    const b = await stage.node('b', { ...keyed(current), epoch: 7 });
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
      capabilities: ['x'],
      version: 2,
      maxFrameBytes: 2_097_152,
    });
    expect(await stays(a, b)).toBe(true);
  });

  scene('that differ are refused as KEY_MISMATCH on both sides, and nobody learns a name', async (stage) => {
    const a = await stage.node('a', keyed(current));
    const b = await stage.node('b', keyed(foreign));
    a.transport.connect(b.url);
    await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0 && a.dialEnds.length > 0);
    expect(a.refusals).toMatchObject([{ url: b.url, by: 'peer', peer: null, error: { code: 'KEY_MISMATCH' } }]);
    expect(b.refusals).toMatchObject([{ url: null, by: 'us', peer: null, error: { code: 'KEY_MISMATCH' } }]);
    expect(a.dialEnds).toMatchObject([{ outcome: 'refused', peer: null, error: { code: 'KEY_MISMATCH' } }]);
    expect(b.refusals[0]?.error.message).toBe('"a" proves no key that "b" lists: compare security.keys (--key-file)');
    expect([a.log, b.log]).toEqual([[], []]);
  });

  scene('that one has and the other has not are refused as KEY_REQUIRED, whoever dials', async (stage) => {
    const a = await stage.node('a', keyed(current));
    const b = await stage.node('b', none);
    for (const [dialler, dialled] of [
      [a, b],
      [b, a],
    ] as const) {
      const [before, there] = [dialler.refusals.length, dialled.refusals.length];
      dialler.transport.connect(dialled.url);
      await until('both know', () => dialler.refusals.length > before && dialled.refusals.length > there);
      expect(dialler.refusals[before]).toMatchObject({
        url: dialled.url,
        by: 'peer',
        error: { code: 'KEY_REQUIRED' },
      });
      expect(dialled.refusals[there]).toMatchObject({ url: null, by: 'us', error: { code: 'KEY_REQUIRED' } });
    }
    const cure = 'give both the same security.keys (--key-file)';
    expect(a.refusals.map(({ error }) => error.message)).toEqual([
      `"a" has keys, "b" has none: ${cure}`,
      `"a" has keys, "b" has none: ${cure}`,
    ]);
    expect([a.log, b.log]).toEqual([[], []]);
  });

  scene('of which each lists that of the other are enough, in any order', async (stage) => {
    const lists = [[older], [older, current], [current, older]];
    const nodes: Probe[] = [];
    for (const [index, keys] of lists.entries()) nodes.push(await stage.node(`n${index}`, keyed(...keys)));
    for (const dialler of nodes) for (const dialled of nodes) dialler.transport.connect(dialled.url);
    // n0 does not list what n2 proves itself with.
    const met = ({ transport }: Probe): string => [...transport.sessions()].map(({ peer }) => peer.name).join();
    await until('two sessions', () => met(nodes[1] as Probe).length === 5);
    await until('refusals', () => nodes.every(({ refusals, name: who }) => refusals.length === (who === 'n1' ? 0 : 2)));
    expect(nodes.map(met).map((names) => names.split(',').toSorted())).toEqual([['n1'], ['n0', 'n2'], ['n1']]);
  });

  scene('rotate in a running cluster by three steps, and no session ends before the last', async (stage) => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((each) => stage.node(each, keyed(older))));
    // One dial a pair: of two that cross, one could still be under way when the keys change, and prove by the old one.
    nodes.forEach(({ transport }, index) => transport.dial(nodes.slice(index + 1).map(({ url }) => url)));
    await until('a mesh', () => nodes.every(({ transport }) => count(transport) === 2));
    for (const keys of [
      [older, current],
      [current, older],
    ])
      for (const { transport } of nodes) expect(transport.rotateKeys(keys)).toBe(0);
    const ended = (log: readonly string[]): number =>
      log.filter((line) => line.endsWith(` ${closeCodes.KEY_WITHDRAWN}`)).length;
    expect(nodes.map(({ log }) => ended(log))).toEqual([0, 0, 0]);
    let closed = 0;
    for (const { transport } of nodes) closed += transport.rotateKeys([current]);
    // Each end closes its own.
    expect(closed).toBe(6);
    await until('the sessions are new', () =>
      nodes.every(({ log, transport }) => ended(log) === 2 && count(transport) === 2),
    );
    expect(nodes.flatMap(({ refusals }) => refusals)).toEqual([]);
  });

  scene(
    'that are withdrawn end the sessions that they proved, and no others, and are refused from then',
    async (stage) => {
      const a = await stage.node('a', keyed(current, older));
      const b = await stage.node('b', keyed(current, older));
      const leaked = await stage.node('leaked', keyed(older, current));
      a.transport.dial([b.url, leaked.url]);
      await until('both sessions', () => count(a.transport) === 2);
      expect(a.transport.rotateKeys([current])).toBe(1);
      expect(a.log.at(-1)).toBe(`closed leaked ${closeCodes.KEY_WITHDRAWN}`);
      await until('it is told', () => leaked.log.at(-1) === `closed a ${closeCodes.KEY_WITHDRAWN}`);
      leaked.transport.connect(a.url);
      await until('both know', () => leaked.refusals.length > 0 && a.refusals.length > 0);
      expect(a.refusals[0]).toMatchObject({ by: 'us', error: { code: 'KEY_MISMATCH' } });
      a.transport.dial([]);
      expect(await stays(a, b)).toBe(true);
    },
  );

  scene('that are withdrawn leave the sessions alone where that is asked for', async (stage) => {
    const a = await stage.node('a', keyed(older, current));
    const b = await stage.node('b', keyed(older, current));
    await connect(a, b);
    expect(a.transport.rotateKeys([current], { keepSessions: true })).toBe(0);
    expect(await stays(a, b)).toBe(true);
  });

  scene('that are none are refused, and those of before stay; a node that began without takes none', async (stage) => {
    const a = await stage.node('a', keyed(current));
    const b = await stage.node('b', keyed(current));
    const c = await stage.node('c', none);
    const codes: unknown[] = [];
    for (const [probe, keys] of [
      [a, []],
      [a, ['too short']],
      [a, [foreign, foreign]],
      [c, [current]],
    ] as const) {
      try {
        probe.transport.rotateKeys(keys);
      } catch (error) {
        codes.push((error as { readonly code: unknown }).code);
      }
    }
    expect(codes).toEqual(Array.from({ length: 4 }, () => 'OPTIONS_INVALID'));
    await connect(a, b);
  });

  scene('keep a stranger from the place, the attention and the room of a living node', async (stage) => {
    let asked = 0;
    const counting = (delayMs: number, run: () => void): (() => void) => {
      if (delayMs === 7777) asked++;
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    };
    // The question to a former self waits for half of that.
    const a = await stage.node('a', {
      ...keyed(current),
      maxConnections: 1,
      handshakeTimeoutMs: 60_000,
      rivalTimeoutMs: 2 * 7777,
      setTimer: counting,
    });
    const b = await stage.node('b', { ...keyed(current), epoch: 7 });
    await connect(b, a);
    for (const [index, epoch] of [6, 7, 8].entries()) {
      const stranger = await stage.node('b', { ...keyed(foreign), epoch, listen: null });
      stranger.transport.connect(a.url);
      await until('it is refused', () => stranger.dialEnds.length === 1 && a.refusals.length === index + 1);
      expect(stranger.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'KEY_MISMATCH' } }]);
    }
    expect(asked).toBe(0);
    expect(await stays(a, b)).toBe(true);
    expect(a.log).toEqual(['opened b']);
  });
}

/** Room: `maxConnections` holds, whoever dials. */
import type { RegisterScene, Runner } from './runner.ts';
import { connect, connected, count, stays, until, type Probe } from './scene.ts';

export function roomScenes(scene: RegisterScene, expect: Runner['expect']): void {
  scene('for one connection more is not made: the dialler is refused, and both sides say so', async (stage) => {
    const a = await stage.node('a', { maxConnections: 1 });
    const b = await stage.node('b');
    const c = await stage.node('c');
    await connect(b, a);
    c.transport.connect(a.url);
    await until('both know', () => c.dialEnds.length === 1 && a.refusals.length === 1);
    expect(c.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'TOO_MANY_CONNECTIONS' } }]);
    expect(c.refusals).toMatchObject([{ url: a.url, by: 'peer', error: { code: 'TOO_MANY_CONNECTIONS' } }]);
    expect(a.refusals).toMatchObject([{ url: null, by: 'us', peer: 'c', error: { code: 'TOO_MANY_CONNECTIONS' } }]);
    const sentence = 'all 1 connections of "a" are taken: raise its maxConnections';
    expect(c.refusals[0]?.error.message).toBe(sentence);
    expect(await stays(a, b)).toBe(true);
  });

  scene('is not needed by who replaces its broken connection', async (stage) => {
    const a = await stage.node('a', { pingIntervalMs: 20, closeTimeoutMs: 50 });
    const b = await stage.node('b', { maxConnections: 1 });
    const wire = await stage.harness.through(b.url, ['a', 'b']);
    a.transport.dial([wire.url]);
    await connected(a, b);
    wire.cut();
    await until('a notices', () => a.log.length === 2);
    const way = await stage.harness.through(b.url, ['a', 'b']);
    a.transport.dial([way.url]);
    await until('a and b meet again', () => b.log.length === 3 && count(a.transport) === 1);
    expect(b.refusals).toEqual([]);
  });

  scene('that is lacking keeps our own dials back, until there is some', async (stage) => {
    const a = await stage.node('a', { maxConnections: 1 });
    const b = await stage.node('b');
    const c = await stage.node('c');
    await connect(b, a);
    a.transport.connect(c.url);
    await until('the answer', () => a.dialEnds.length === 1);
    expect(a.dialEnds).toMatchObject([{ outcome: 'failed', peer: null, error: { code: 'TOO_MANY_CONNECTIONS' } }]);
    a.transport.dial([c.url]);
    await until('two failures', () => a.dialFailures.length >= 2);
    expect(a.dialFailures[1]).toBe(`${c.url} TOO_MANY_CONNECTIONS`);
    expect([c.log, c.refusals]).toEqual([[], []]);
    await b.transport.close();
    await connected(a, c);
  });

  scene('is never exceeded, however many come at once', async (stage) => {
    let most = 0;
    const opened = (): void => void (most = Math.max(most, count(a.transport)));
    const a: Probe = await stage.node('a', { maxConnections: 5 }, { opened });
    const others = await Promise.all(Array.from({ length: 30 }, (_, index) => stage.node(`b${index}`)));
    for (const { transport } of others.slice(0, 15)) transport.connect(a.url);
    a.transport.dial(others.slice(15).map(({ url }) => url));
    await until('all who dialled know', () => others.slice(0, 15).every(({ dialEnds }) => dialEnds.length === 1));
    await until('it is full', () => count(a.transport) === 5);
    expect(most).toBe(5);
  });
}

/** Of one name: a living node keeps it, a former self gives way. */
import { closeCodes } from '../close-codes.ts';
import type { TransportOptions } from '../options.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { connect, connected, count, stays, until } from './scene.ts';

export function ofOneNameScenes(scene: RegisterScene, expect: Runner['expect']): void {
  const replaced = ['opened b', `closed b ${closeCodes.REPLACED}`, 'opened b'];
  /** So long that no test waits for it. */
  const patient = { handshakeTimeoutMs: 60_000, rivalTimeoutMs: 60_000 };
  /** Options that tell how many turns of the wait for a former self have begun, and how many are over. */
  const watchful = (rivalTimeoutMs: number): { options: Partial<TransportOptions>; begun: number; over: number } => {
    const setTimer = (delayMs: number, run: () => void): (() => void) => {
      const isTurn = delayMs === rivalTimeoutMs / 2;
      if (isTurn) watch.begun++;
      const timer = setTimeout(() => {
        if (isTurn) watch.over++;
        run();
      }, delayMs);
      return () => clearTimeout(timer);
    };
    const watch = { options: { handshakeTimeoutMs: 60_000, rivalTimeoutMs, setTimer }, begun: 0, over: 0 };
    return watch;
  };

  scene('who comes with the URL of its former self takes its place without a question', async (stage) => {
    const a = await stage.node('a', patient);
    const old = await stage.node('b', { epoch: 7 });
    await connect(old, a);
    old.transport.dial([]);
    old.session().pause();
    const young = await stage.node('b', { epoch: 8, advertise: old.url });
    young.transport.dial([a.url]);
    await until('the replacement', () => a.log.length === 3);
    expect([a.log, a.session().peer.epoch]).toEqual([replaced, 8]);
    old.session().resume();
    await until('the old one knows', () => old.log.includes(`closed a ${closeCodes.REPLACED}`));
  });

  scene('who dials while its former self lives is refused, and both sides say so', async (stage) => {
    const a = await stage.node('a', patient);
    const old = await stage.node('b', { epoch: 7 });
    const young = await stage.node('b', { epoch: 8, listen: null });
    await connect(old, a);
    young.transport.connect(a.url);
    await until('the answer', () => young.dialEnds.length === 1 && a.refusals.length === 1);
    expect(young.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'NAME_TAKEN' } }]);
    expect(young.refusals).toMatchObject([{ url: a.url, by: 'peer', error: { code: 'NAME_TAKEN' } }]);
    expect(a.refusals).toMatchObject([{ url: null, by: 'us', peer: 'b', error: { code: 'NAME_TAKEN' } }]);
    const sentence = 'a living node is named "b": give each its own name (--name); it is at ';
    expect(young.refusals[0]?.error.message).toBe(`${sentence}${old.url}`);
    expect(await stays(a, old)).toBe(true);
    expect([a.log, young.log]).toEqual([['opened b'], []]);
  });

  scene('who is dialled while its former self lives is refused, and both sides say so', async (stage) => {
    const a = await stage.node('a', patient);
    const old = await stage.node('b', { epoch: 7, listen: null });
    const young = await stage.node('b', { epoch: 8 });
    await connect(old, a);
    a.transport.connect(young.url);
    await until('the answer', () => a.dialEnds.length === 1 && young.refusals.length === 1);
    const refused = { outcome: 'refused', peer: { name: 'b', epoch: 8 }, error: { code: 'NAME_TAKEN' } };
    expect(a.dialEnds).toMatchObject([refused]);
    expect(a.refusals).toMatchObject([{ url: young.url, by: 'us', peer: 'b', error: { code: 'NAME_TAKEN' } }]);
    expect(young.refusals).toMatchObject([{ url: null, by: 'peer', peer: 'a', error: { code: 'NAME_TAKEN' } }]);
    expect(await stays(a, old)).toBe(true);
  });

  // Who does not read answers no ping.
  scene('who dials takes the place of a former self that stays silent', async (stage) => {
    const a = await stage.node('a', { rivalTimeoutMs: 20 });
    const old = await stage.node('b', { epoch: 7, listen: null });
    const young = await stage.node('b', { epoch: 8 });
    await connect(old, a);
    old.transport.dial([]);
    old.session().pause();
    young.transport.connect(a.url);
    await until('the replacement', () => a.log.length === 3 && young.log.length === 2);
    expect([a.log, a.session().peer.epoch]).toEqual([replaced, 8]);
    expect([a.refusals, young.refusals]).toEqual([[], []]);
    expect(await stays(a, young)).toBe(true);
  });

  scene('who is dialled takes the place of a former self that stays silent', async (stage) => {
    const a = await stage.node('a', { rivalTimeoutMs: 20 });
    const old = await stage.node('b', { epoch: 7, listen: null });
    const young = await stage.node('b', { epoch: 8 });
    await connect(old, a);
    old.transport.dial([]);
    old.session().pause();
    a.transport.connect(young.url);
    await until('the replacement', () => a.log.length === 4 && young.log.length === 1);
    expect([a.log, a.session().peer.epoch]).toEqual([[...replaced, 'connected b'], 8]);
    expect(await stays(a, young)).toBe(true);
  });

  scene('who restarts so fast that its hello comes before its former end gets in with that end', async (stage) => {
    const watch = watchful(30_000);
    const a = await stage.node('a', watch.options);
    const old = await stage.node('b', { epoch: 7 });
    const young = await stage.node('b', { epoch: 8, listen: null });
    await connect(old, a);
    old.transport.dial([]);
    old.session().pause();
    young.transport.connect(a.url);
    await until('the question', () => watch.begun === 1);
    old.session().close(closeCodes.NORMAL, 'the end, late');
    await connected(a, young);
    expect(a.log).toEqual(['opened b', `closed b ${closeCodes.NORMAL}`, 'opened b']);
    expect(a.session().peer.epoch).toBe(8);
    expect(await stays(a, young)).toBe(true);
  });

  scene('a former self that we do not read ourselves counts as living', async (stage) => {
    const a = await stage.node('a', { rivalTimeoutMs: 20 });
    const old = await stage.node('b', { epoch: 7 });
    const young = await stage.node('b', { epoch: 8, listen: null });
    await connect(old, a);
    a.session().pause();
    young.transport.connect(a.url);
    await until('the answer', () => young.dialEnds.length === 1);
    expect(young.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'NAME_TAKEN' } }]);
    a.session().resume();
    expect(await stays(a, old)).toBe(true);
  });

  scene('who goes away during the question leaves the former self as it was', async (stage) => {
    const watch = watchful(300);
    const a = await stage.node('a', watch.options);
    const old = await stage.node('b', { epoch: 7 });
    const young = await stage.node('b', { epoch: 8, listen: null });
    await connect(old, a);
    old.session().pause();
    young.transport.connect(a.url);
    await until('the question', () => watch.begun === 1);
    await young.transport.close();
    await until('the time is up', () => watch.over === 2);
    old.session().resume();
    expect(await stays(a, old)).toBe(true);
    expect([a.log, young.dialEnds]).toEqual([['opened b'], []]);
  });

  scene('who asks while it ends itself leaves nothing behind', async (stage) => {
    const watch = watchful(30_000);
    const a = await stage.node('a', watch.options);
    const old = await stage.node('b', { epoch: 7 });
    const young = await stage.node('b', { epoch: 8, listen: null });
    await connect(old, a);
    old.session().pause();
    young.transport.connect(a.url);
    await until('the question', () => watch.begun === 1);
    const closing = a.transport.close();
    old.session().resume();
    await closing;
    expect(a.log).toEqual(['opened b', `closed b ${closeCodes.GOING_AWAY}`]);
  });

  scene('dials that cross beside a silent former self end as one connection, again and again', async (stage) => {
    for (let round = 0; round < 20; round++) {
      const a = await stage.node('a', { rivalTimeoutMs: 4 });
      const old = await stage.node('b', { listen: null });
      const young = await stage.node('b');
      await connect(old, a);
      old.transport.dial([]);
      old.session().pause();
      a.transport.dial([young.url]);
      young.transport.dial([a.url]);
      await until('the replacement', () => count(young.transport) === 1 && a.session().peer.url === young.url);
      expect(await stays(a, young)).toBe(true);
      expect([...a.refusals, ...young.refusals]).toEqual([]);
      await Promise.all([a, old, young].map(({ transport }) => transport.close()));
    }
  });
}

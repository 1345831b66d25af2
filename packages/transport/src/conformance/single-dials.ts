/** Single dials: one attempt, one answer. */
import type { DialEnd } from '@grapevine/core';
import { closeCodes } from '../close-codes.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { connect, connected, count, fast, stays, until, type Probe } from './scene.ts';

export function singleDialsScenes(scene: RegisterScene, expect: Runner['expect']): void {
  const outcomes = ({ dialEnds }: Probe): string[] => dialEnds.map(({ outcome }) => outcome);

  scene('that reach a node are answered as connected, once the session is open', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b', { epoch: 7 });
    a.transport.connect(b.url);
    await until('the answer', () => a.dialEnds.length > 0);
    expect(a.log).toEqual(['opened b', 'connected b']);
    expect(a.dialEnds).toEqual([{ url: b.url, outcome: 'connected', peer: { name: 'b', epoch: 7 } }]);
    await connected(a, b);
    expect(await stays(a, b)).toBe(true);
  });

  scene('are not repeated when the session ends', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    const c = await stage.node('c');
    a.transport.connect(b.url);
    await connected(a, b);
    b.session().close(closeCodes.NORMAL, 'enough');
    await until('the end', () => count(a.transport) === 0);
    a.transport.dial([c.url]);
    await connected(a, c);
    c.session().close(closeCodes.NORMAL, 'enough');
    await until('c is dialled again, b is not', () => a.log.filter((line) => line === 'opened c').length === 2);
    expect([b.log.filter((line) => line === 'opened a').length, a.dialEnds.length]).toEqual([1, 1]);
  });

  scene('to a node that is connected are answered as duplicate, whoever dialled', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b', { epoch: 7 });
    const other = await stage.harness.through(b.url, ['a', 'b']);
    await connect(b, a);
    a.transport.connect(b.url);
    const duplicate = { url: b.url, outcome: 'duplicate', peer: { name: 'b', epoch: 7 } };
    // Told from inside, so without a dial.
    expect(a.dialEnds).toEqual([duplicate]);
    a.transport.connect(other.url);
    await until('the second answer', () => a.dialEnds.length > 1);
    expect(a.dialEnds[1]).toEqual({ ...duplicate, url: other.url });
    expect(await stays(a, b)).toBe(true);
  });

  scene('of one URL share one dial, and each is answered', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    a.transport.connect(b.url);
    a.transport.connect(b.url);
    await until('two answers', () => a.dialEnds.length === 2);
    expect(outcomes(a)).toEqual(['connected', 'connected']);
    a.transport.connect('nonsense');
    a.transport.connect('nonsense');
    expect(outcomes(a).slice(2)).toEqual(['failed', 'failed']);
    expect(a.dialEnds[2]).toMatchObject({ url: 'nonsense', peer: null, error: { code: 'OPTIONS_INVALID' } });
  });

  scene('of a URL that is dialled on as well leave that alone', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    a.transport.dial([b.url]);
    a.transport.connect(b.url);
    await until('the answer', () => a.dialEnds.length === 1);
    await connected(a, b);
    expect(await stays(a, b)).toBe(true);
    for (let round = 2; round < 5; round++) {
      b.session().close(closeCodes.NORMAL, 'enough');
      await until('a dials again', () => a.log.filter((line) => line === 'opened b').length === round);
      await connected(a, b);
    }
    expect([a.dialEnds.length, a.dialFailures]).toEqual([1, []]);
  });

  scene('that cross end as one connection, and both are answered', async (stage) => {
    for (let round = 0; round < 25; round++) {
      const a = await stage.node(`a${round}`);
      const b = await stage.node(`b${round}`);
      a.transport.connect(b.url);
      b.transport.connect(a.url);
      await until('both answers', () => a.dialEnds.length === 1 && b.dialEnds.length === 1);
      await connected(a, b);
      expect(await stays(a, b)).toBe(true);
      expect(['connected', 'duplicate'].includes(outcomes(a)[0] as string)).toBe(true);
      expect([...outcomes(a), ...outcomes(b)].includes('connected')).toBe(true);
      expect([...a.refusals, ...b.refusals]).toEqual([]);
      await Promise.all([a.transport.close(), b.transport.close()]);
    }
  });

  scene('of the node itself are answered as self', async (stage) => {
    const a = await stage.node('a', { epoch: 3 });
    a.transport.connect(a.url);
    await until('the answer', () => a.dialEnds.length === 1);
    expect(a.dialEnds).toMatchObject([
      { url: a.url, outcome: 'self', peer: { name: 'a', epoch: 3 }, error: { code: 'PEER_UNREACHABLE' } },
    ]);
    expect([a.log, a.refusals]).toEqual([[], []]);
  });

  scene('of another cluster are answered as refused, with the reason, and told as a refusal', async (stage) => {
    const a = await stage.node('a', { cluster: 'blue' });
    const b = await stage.node('b', { cluster: 'green' });
    a.transport.connect(b.url);
    await until('both know', () => a.dialEnds.length > 0 && b.refusals.length > 0);
    const refused = { url: b.url, outcome: 'refused', peer: null, error: { code: 'WRONG_CLUSTER' } };
    expect(a.dialEnds).toMatchObject([refused]);
    expect(a.refusals).toMatchObject([{ url: b.url, by: 'peer', error: { code: 'WRONG_CLUSTER' } }]);
  });

  scene('that nobody answers are answered as failed, once, and told nowhere else', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await b.transport.close();
    a.transport.connect(b.url);
    await until('the answer', () => a.dialEnds.length > 0);
    const failed = { url: b.url, outcome: 'failed', peer: null, error: { code: 'PEER_UNREACHABLE' } };
    expect(a.dialEnds).toMatchObject([failed]);
    expect([a.dialFailures, a.refusals]).toEqual([[], []]);
  });

  scene('from inside an answer are dialled anew', async (stage) => {
    const b = await stage.node('b');
    await b.transport.close();
    const again = (end: DialEnd): void => {
      if (a.dialEnds.length < 3) a.transport.connect(end.url);
    };
    const a: Probe = await stage.node('a', {}, { dialEnded: again });
    a.transport.connect(b.url);
    await until('three answers', () => a.dialEnds.length === 3);
    expect(outcomes(a)).toEqual(['failed', 'failed', 'failed']);
  });

  scene('asked for before the start are dialled then; after the end nothing is told', async (stage) => {
    const b = await stage.node('b');
    const ends: DialEnd[] = [];
    const transport = stage.harness.create({ ...fast, name: 'a', epoch: 1 });
    transport.connect(b.url);
    const dialEnded = (end: DialEnd): void => void ends.push(end);
    await transport.start({ opened: () => {}, closed: () => {}, dialEnded });
    await until('the answer', () => ends.length === 1);
    transport.connect(`${b.url}/elsewhere`);
    const closing = transport.close();
    transport.connect(b.url);
    await closing;
    await until('b knows', () => b.log.length === 2);
    expect(ends.map(({ outcome }) => outcome)).toEqual(['connected']);
  });
}

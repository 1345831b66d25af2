/** Queues: a slow reader slows its sender; beyond the hard mark rumors are dropped, and replies end the session. */
import { closeCodes } from '../close-codes.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { bytes, connect, connected, until } from './scene.ts';

export function queuesScenes(scene: RegisterScene, expect: Runner['expect']): void {
  const frame = (index: number): Uint8Array => {
    const made = new Uint8Array(60_000);
    new DataView(made.buffer).setUint32(0, index);
    return made;
  };
  const indexOf = (made: Uint8Array): number => new DataView(made.buffer, made.byteOffset).getUint32(0);

  scene(
    'a paused session hands over nothing, its sender turns unwritable, and resuming loses nothing',
    async (stage) => {
      let writableAgain = 0;
      const a = await stage.node('a', {}, { opened: (session) => void (session.onWritable = () => writableAgain++) });
      const b = await stage.node('b');
      await connect(a, b);
      b.session().pause();
      let sent = 0;
      while (sent < 40) a.session().send(frame(sent++), 'reply');
      await new Promise((resolve) => setImmediate(resolve));
      await until('backpressure', () => {
        if (a.session().writable) a.session().send(frame(sent++), 'reply');
        return !a.session().writable;
      });
      expect(b.received.length).toBe(0);
      b.session().resume();
      await until('all frames', () => b.received.length === sent);
      expect(b.received.map(indexOf)).toEqual(Array.from({ length: sent }, (_, index) => index));
      await until('writable again', () => a.session().writable);
      expect(writableAgain).toBeGreaterThan(0);
    },
  );

  scene('over the hard mark the oldest rumors are dropped and told, and replies all arrive', async (stage) => {
    const dropped: number[] = [];
    const limits = { softQueueBytes: 400_000, hardQueueBytes: 2_500_000 };
    const a = await stage.node('a', limits, {
      opened: (session) => void (session.onDropped = (each) => dropped.push(indexOf(each))),
    });
    const b = await stage.node('b');
    await connect(a, b);
    b.session().pause();
    const session = a.session();
    const replies: number[] = [];
    let sent = 0;
    // Enough in one turn that neither the kernel nor the socket can take it all.
    while (sent < 400) {
      const isReply = sent % 20 === 0;
      if (isReply) replies.push(sent);
      session.send(frame(sent++), isReply ? 'reply' : 'rumor');
    }
    expect(dropped.length).toBeGreaterThan(0);
    expect(session.counters.dropped).toBe(dropped.length);
    expect(dropped).toEqual([...dropped].sort((one, other) => one - other));
    expect(dropped.some((index) => index % 20 === 0)).toBe(false);
    b.session().resume();
    await until('the rest', () => b.received.length === sent - dropped.length);
    const missing = new Set(dropped);
    expect(b.received.map(indexOf)).toEqual(
      Array.from({ length: sent }, (_, index) => index).filter((index) => !missing.has(index)),
    );
    expect(missing.has(sent - 1)).toBe(false);
  });

  scene('replies over the hard mark end the session as TOO_SLOW, and the pair meets again', async (stage) => {
    const a = await stage.node('a', { softQueueBytes: 400_000, hardQueueBytes: 2_500_000 });
    const b = await stage.node('b');
    await connect(a, b);
    const session = a.session();
    let sent = 0;
    while (session.send(frame(sent), 'reply')) sent++;
    expect(a.log).toEqual(['opened b', `closed b ${closeCodes.TOO_SLOW} TOO_SLOW`]);
    expect(session.send(bytes('late'), 'reply')).toBe(false);
    await until('the peer knows', () => b.log.includes(`closed a ${closeCodes.TOO_SLOW} TOO_SLOW`));
    await connected(a, b);
  });

  scene('many tiny frames of one turn all arrive, from either side', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    for (let index = 0; index < 20_000; index++) {
      a.session().send(bytes('x'), 'rumor');
      b.session().send(bytes('y'), 'reply');
    }
    await until('all frames', () => a.received.length === 20_000 && b.received.length === 20_000);
  });

  scene('too many small frames count as well', async (stage) => {
    const a = await stage.node('a', { hardQueueFrames: 100 });
    const b = await stage.node('b');
    await connect(a, b);
    for (let index = 0; index < 20_000; index++) a.session().send(bytes('x'), 'rumor');
    const { dropped } = a.session().counters;
    expect(dropped).toBeGreaterThan(0);
    await until('the rest', () => b.received.length === 20_000 - dropped);
  });
}

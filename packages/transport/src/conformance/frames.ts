/** Frames: whole, in order, in batches, and nobody else's memory. */
import type { Session } from '../session.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { bytes, connect, count, same, until } from './scene.ts';

export function framesScenes(scene: RegisterScene, expect: Runner['expect']): void {
  scene('arrive whole and in order, both ways, and are counted', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    const frames = [1, 0, 125, 126, 65_535, 65_536, 300_000].map((length, index) =>
      new Uint8Array(length).fill(index + 1),
    );
    for (const frame of frames) {
      expect(a.session().send(frame, 'reply')).toBe(true);
      expect(b.session().send(frame, 'rumor')).toBe(true);
    }
    await until('all frames', () => a.received.length === frames.length && b.received.length === frames.length);
    expect(same(b.received, frames) && same(a.received, frames)).toBe(true);
    const total = frames.reduce((sum, { length }) => sum + length, 0);
    const counters = {
      framesIn: frames.length,
      framesOut: frames.length,
      bytesIn: total,
      bytesOut: total,
      dropped: 0,
    };
    expect([a.session().counters, b.session().counters]).toEqual([counters, counters]);
  });

  scene('of one turn are handed over in batches', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    for (let index = 0; index < 1000; index++) a.session().send(bytes(`frame ${index}`), 'rumor');
    await until('all frames', () => b.received.length === 1000);
    expect(b.batches.length).toBeLessThan(100);
    expect(
      same(
        b.received,
        Array.from({ length: 1000 }, (_, index) => bytes(`frame ${index}`)),
      ),
    ).toBe(true);
  });

  scene(
    'share no memory: one buffer sent to dialled and dialling peers stays as it was and arrives everywhere',
    async (stage) => {
      const hub = await stage.node('m');
      const peers = await Promise.all(['a', 'b', 'x', 'y'].map((each) => stage.node(each)));
      // Whoever receives may do with its frames what it likes.
      const vandal = (session: Session): void => {
        session.onFrames = (frames) => frames.forEach((each) => each.fill(0));
      };
      const v = await stage.node('v', {}, { opened: vandal });
      hub.transport.dial([v, ...peers.slice(0, 2)].map(({ url }) => url));
      for (const peer of peers.slice(2)) peer.transport.dial([hub.url]);
      await until('five sessions', () => count(hub.transport) === 5);
      const frame = Uint8Array.from({ length: 5000 }, (_, index) => index % 251);
      const view = frame.subarray(1, 40);
      const [whole, part] = [frame.slice(), view.slice()];
      for (let round = 0; round < 3; round++) {
        for (const session of hub.transport.sessions()) {
          session.send(frame, 'rumor');
          session.send(view, 'reply');
        }
      }
      await until('all frames', () => peers.every(({ received }) => received.length === 6));
      expect(same([frame], [whole])).toBe(true);
      for (const { received } of peers) expect(same(received, [whole, part, whole, part, whole, part])).toBe(true);
    },
  );

  scene('over maxFrameBytes are refused when sent, and nothing else happens', async (stage) => {
    const a = await stage.node('a', { maxFrameBytes: 20_000 });
    const b = await stage.node('b', { maxFrameBytes: 20_000 });
    await connect(a, b);
    let thrown: unknown;
    try {
      a.session().send(new Uint8Array(20_001), 'reply');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'FRAME_TOO_LARGE', fault: 'caller', stateChanged: false });
    a.session().send(new Uint8Array(20_000), 'reply');
    await until('the frame', () => b.received.length === 1);
  });

  scene('sent from inside opened arrive', async (stage) => {
    const greet = { opened: (session: Session) => void session.send(bytes('hi'), 'reply') };
    const a = await stage.node('a', {}, greet);
    const b = await stage.node('b', {}, greet);
    await connect(a, b);
    await until('both greetings', () => a.received.length === 1 && b.received.length === 1);
  });
}

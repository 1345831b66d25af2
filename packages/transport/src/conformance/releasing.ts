/** Releasing: what waits goes out, what comes is handed over, and nothing more is taken. */
import { closeCodes } from '../close-codes.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { bytes, connect, connected, until } from './scene.ts';

export function releasingScenes(scene: RegisterScene, expect: Runner['expect']): void {
  scene('sends what waits, takes no more, and is no error on either side', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    a.transport.connect(b.url);
    await connected(a, b);
    const frame = new Uint8Array(50_000);
    for (let index = 0; index < 200; index++) a.session().send(frame, index % 2 === 0 ? 'rumor' : 'reply');
    const session = a.session();
    session.release();
    session.release();
    expect([session.send(bytes('late'), 'reply'), session.writable]).toEqual([false, false]);
    await until('both know', () => a.log.length === 3 && b.log.length === 2);
    expect(b.received.length).toBe(200);
    expect([a.log[2], b.log[1]]).toEqual([`closed b ${closeCodes.RELEASED}`, `closed a ${closeCodes.RELEASED}`]);
  });

  scene('hands over what still comes in', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    a.transport.dial([]);
    for (let index = 0; index < 400; index++) a.session().send(new Uint8Array(60_000), 'rumor');
    b.session().send(bytes('a word'), 'reply');
    a.session().release();
    await until('the end', () => a.log.length === 2);
    expect(a.received.length).toBe(1);
  });

  scene('does not wait longer than closeTimeoutMs for a peer that does not read', async (stage) => {
    const a = await stage.node('a', { closeTimeoutMs: 50 });
    const b = await stage.node('b');
    await connect(a, b);
    a.transport.dial([]);
    b.session().pause();
    for (let index = 0; index < 200; index++) a.session().send(new Uint8Array(60_000), 'reply');
    a.session().release();
    await until('the end', () => a.log.length === 2);
    expect(a.log[1]).toBe(`closed b ${closeCodes.RELEASED}`);
  });

  scene('lets who dials on dial again', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    b.session().release();
    await until('they meet again', () => a.log.length === 3);
    expect(a.log).toEqual(['opened b', `closed b ${closeCodes.RELEASED}`, 'opened b']);
  });
}

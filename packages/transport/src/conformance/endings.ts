/** Endings: of a session, of a transport, of a wire that is cut. */
import { closeCodes } from '../close-codes.ts';
import type { RegisterScene, Runner } from './runner.ts';
import { bytes, connect, connected, count, fast, until } from './scene.ts';

export function endingsScenes(scene: RegisterScene, expect: Runner['expect']): void {
  scene('an orderly close sends what waits, and is no error', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    const frame = new Uint8Array(50_000);
    for (let index = 0; index < 200; index++) a.session().send(frame, index % 2 === 0 ? 'rumor' : 'reply');
    await a.transport.close('deployed anew');
    expect(count(a.transport)).toBe(0);
    await until('b is told', () => b.log.length === 2);
    expect(b.received.length).toBe(200);
    expect([a.log[1], b.log[1]]).toEqual([`closed b ${closeCodes.GOING_AWAY}`, `closed a ${closeCodes.GOING_AWAY}`]);
  });

  scene('an orderly close does not wait longer than closeTimeoutMs for a peer that does not read', async (stage) => {
    const a = await stage.node('a', { closeTimeoutMs: 50 });
    const b = await stage.node('b');
    await connect(a, b);
    b.session().pause();
    for (let index = 0; index < 200; index++) a.session().send(new Uint8Array(60_000), 'reply');
    await a.transport.close();
    expect(a.log).toEqual(['opened b', `closed b ${closeCodes.GOING_AWAY}`]);
  });

  scene('a session closed by its owner is closed at once here, and with its code and reason there', async (stage) => {
    const told: unknown[] = [];
    const a = await stage.node('a', { redialMinMs: 1000, redialMaxMs: 1000, random: () => 0.9 });
    const b = await stage.node(
      'b',
      {},
      { closed: (_session, info) => void told.push(info.code, info.reason, info.error?.code) },
    );
    await connect(a, b);
    a.session().close(closeCodes.FRAME_MALFORMED, `kind 99 ${'ä'.repeat(200)}`);
    expect(a.log).toEqual(['opened b', `closed b ${closeCodes.FRAME_MALFORMED} FRAME_MALFORMED`]);
    await until('b is told', () => told.length > 0);
    expect(told).toEqual([closeCodes.FRAME_MALFORMED, `kind 99 ${'ä'.repeat(56)}…`, 'FRAME_MALFORMED']);
  });

  scene('what had arrived before the end is handed over before closed', async (stage) => {
    const a = await stage.node('a');
    let receivedAtClose = -1;
    const b = await stage.node('b', {}, { closed: () => void (receivedAtClose = b.received.length) });
    await connect(a, b);
    for (let index = 0; index < 10; index++) a.session().send(bytes('last words'), 'reply');
    a.session().close(closeCodes.NORMAL, '');
    await until('b is told', () => receivedAtClose >= 0);
    expect(receivedAtClose).toBe(10);
  });

  scene('a peer that is gone without a word is closed as SILENT on both sides', async (stage) => {
    const a = await stage.node('a', { pingIntervalMs: 20, closeTimeoutMs: 50 });
    const b = await stage.node('b', { pingIntervalMs: 20, closeTimeoutMs: 50 });
    const wire = await stage.harness.through(b.url, ['a', 'b']);
    a.transport.dial([wire.url]);
    await connected(a, b);
    wire.cut();
    const silent = ` ${closeCodes.SILENT} SILENT`;
    await until('both notice', () => a.log.includes(`closed b${silent}`) && b.log.includes(`closed a${silent}`));
  });

  scene('a silent peer that answers pings stays', async (stage) => {
    const a = await stage.node('a', { pingIntervalMs: 5 });
    const b = await stage.node('b', { pingIntervalMs: 1000 });
    await connect(a, b);
    let ticks = 0;
    const tick = setInterval(() => ticks++, 5);
    await until('many ticks', () => ticks >= 12);
    clearInterval(tick);
    expect(a.log).toEqual(['opened b']);
  });

  scene('a paused session is not taken for silent, on either side', async (stage) => {
    const a = await stage.node('a', { pingIntervalMs: 10 });
    const b = await stage.node('b', { pingIntervalMs: 10 });
    await connect(a, b);
    a.session().pause();
    let ticks = 0;
    const tick = setInterval(() => ticks++, 10);
    await until('many ticks', () => ticks >= 12);
    clearInterval(tick);
    expect([a.log, b.log]).toEqual([['opened b'], ['opened a']]);
  });

  scene('a side that lost the connection alone gets through at once', async (stage) => {
    // b never notices by itself: its keep-alive is too slow.
    const a = await stage.node('a', { pingIntervalMs: 20, closeTimeoutMs: 50 });
    const b = await stage.node('b');
    const wire = await stage.harness.through(b.url, ['a', 'b']);
    a.transport.dial([wire.url]);
    await connected(a, b);
    wire.cut();
    await until('a notices', () => a.log.length === 2);
    const way = await stage.harness.through(b.url, ['a', 'b']);
    a.transport.dial([way.url]);
    await until('a and b meet again', () => b.log.length === 3 && count(a.transport) === 1);
    expect(b.log.map((line) => line.split(' ', 2).join(' '))).toEqual(['opened a', 'closed a', 'opened a']);
  });

  scene('a peer that starts anew is found again, by its new epoch', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    await connect(a, b);
    const { epoch } = a.session().peer;
    await b.transport.close();
    await until('a failed dial', () => a.dialFailures.length > 1);
    expect(a.dialFailures[0]).toBe(`${b.url} PEER_UNREACHABLE`);
    const again = await stage.node('b', { listen: stage.harness.listenAt(b.url) });
    await connected(a, again);
    expect(a.session().peer.epoch).toBeGreaterThan(epoch);
  });

  scene('a URL that cannot be one is told, and the others are dialled', async (stage) => {
    const a = await stage.node('a');
    const b = await stage.node('b');
    a.transport.dial(['nonsense', b.url]);
    await connected(a, b);
    expect(a.dialFailures).toEqual(['nonsense OPTIONS_INVALID']);
  });

  scene('closing while it starts leaves nothing behind', async (stage) => {
    const listen = stage.harness.listenAt(null);
    const transport = stage.harness.create({ ...fast, name: 'a', epoch: 1, listen });
    const started = transport.start({ opened: () => {}, closed: () => {} });
    await transport.close();
    const { url } = await started;
    const b = await stage.node('b');
    b.transport.dial([url ?? '']);
    await until('nobody listens there', () => b.dialFailures.length > 1);
  });

  scene('closing twice, and before the start, is well', async (stage) => {
    const a = await stage.node('a');
    await Promise.all([a.transport.close(), a.transport.close()]);
    await stage.harness.create({ name: 'never', epoch: 1 }).close();
    a.transport.dial(['ignored']);
    expect(a.dialFailures).toEqual([]);
  });
}

import { describe, expect, test } from '@jest/globals';
import { WebSocketServer } from 'ws';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { Framing } from './framing.ts';

const lengths = [0, 1, 3, 31, 32, 33, 125, 126, 127, 1000, 65_535, 65_536, 70_001];
const payloadOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 0xff);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function keyOf(frame: Buffer): number {
  const at = { 126: 4, 127: 10 }[(frame[1] as number) & 0x7f] ?? 2;
  return frame.readUInt32LE(at);
}

describe('a frame', () => {
  test('masked or not is what ws reads as the payload, at every kind of length', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const arrived: Buffer[] = [];
    server.on('connection', (socket) => socket.on('message', (data) => arrived.push(data as Buffer)));
    const socket: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const framing = new Framing();
    for (const length of lengths) socket.write(framing.masked(payloadOf(length)));
    while (arrived.length < lengths.length) await turn();
    expect(arrived.map((frame) => Uint8Array.from(frame))).toEqual(lengths.map(payloadOf));
    socket.destroy();
    server.close();
  });

  test('without a mask ends with the payload as it is', () => {
    const framing = new Framing();
    for (const length of lengths) {
      const payload = payloadOf(length);
      const frame = framing.plain(payload);
      expect(Buffer.compare(frame.subarray(frame.length - length), payload)).toBe(0);
    }
  });

  test('of one payload is made once for all peers of a turn, and kept no longer', async () => {
    const framing = new Framing();
    const payload = payloadOf(100);
    const plain = framing.plain(payload);
    const masked = framing.masked(payload);
    expect(framing.plain(payload)).toBe(plain);
    expect(framing.masked(payload)).toBe(masked);
    await turn();
    expect(framing.plain(payload)).not.toBe(plain);
    expect(framing.masked(payload)).not.toBe(masked);
  });

  test('of other bytes has another mask, in the same turn too, and leaves what was given out as it is', () => {
    const framing = new Framing();
    const frames = Array.from({ length: 5000 }, () => framing.masked(payloadOf(40)));
    const copies = frames.map((frame) => Buffer.from(frame));
    framing.masked(payloadOf(41));
    expect(new Set(frames.map(keyOf)).size).toBeGreaterThan(4990);
    expect(frames.map(keyOf)).not.toContain(0);
    expect(frames.every((frame, at) => frame.equals(copies[at] as Buffer))).toBe(true);
  });

  test('leaves the payload as it is', () => {
    const payload = payloadOf(1000);
    new Framing().masked(payload);
    expect(payload).toEqual(payloadOf(1000));
  });
});

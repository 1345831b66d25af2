import { expect, test } from '@jest/globals';
import { Origin } from '@grapevine/core';
import type { Session } from '@grapevine/transport';
import { Decoder, encodeChannel, Encoder } from '@grapevine/wire';

import { Line } from './line.ts';
import { Outbox } from './outbox.ts';

test('origins that only peers have spoken of keep no number, and the peers are told so before the numbers run out', () => {
  const decoder = new Decoder();
  decoder.decode(encodeChannel({ channel: 1, instance: 'i', protocol: 'p', newestEpochOfYou: 0 }));
  let frames = 0;
  const session = {
    id: 1,
    peer: { name: 'b' },
    send: (bytes: Uint8Array) => {
      frames += 1;
      decoder.decode(bytes);
      return true;
    },
  } as unknown as Session;
  const line = new Line(session);
  const encoder = new Encoder();
  const ours = new Origin('ours', 1);
  const lines = new Map([['b', line]]);
  const outbox = new Outbox({ channel: 1, encoder, lines, isKnown: ({ key }) => key === ours.key }, () => 1);
  outbox.send('b', { type: 'ask', dots: [{ origin: ours, intervals: [1, 1], newest: 0 }] });
  // More than a connection may number at a time: the decoder would refuse them.
  for (let i = 0; i < 100_000; i += 1000) {
    const dots = Array.from({ length: 1000 }, (_, j) => ({
      origin: new Origin(`o${i + j}`, 1),
      intervals: [1, 1],
      newest: 0,
    }));
    outbox.send('b', { type: 'refused', dots });
    expect(encoder.numbered).toBeLessThanOrEqual(17_500 + 1000);
  }
  // Numbers are taken back thousands at a time: a frame each would fill the queue of a connection.
  expect(frames).toBeLessThan(250);
  expect(encoder.forget(ours)).toBe(1);
});

import { describe, expect, test } from '@jest/globals';
import { type Message, Origin, Update } from '@grapevine/core';

import { Arrivals, SHARE } from './arrivals.ts';
import type { Inbound, PeerGone } from './party.ts';
import { workOf } from './weight.ts';

const line = { hold: () => {}, release: () => {} };
const origin = new Origin('somebody', 1);

/** A message of so many updates, that can be told from others. */
const updates = (count: number, name: string): Message => ({
  type: 'updates',
  cause: 'mail',
  updates: Array.from({ length: count }, () => new Update(name, undefined, 1, origin, 1, undefined)),
});

const inbound = (session: number, ...messages: Message[]): Inbound => ({
  type: 'inbound',
  from: `peer ${session}`,
  session,
  batch: messages.map((message) => ({ from: `peer ${session}`, message })),
  bytes: messages.length,
  works: messages.map((message) => workOf(message, 0)),
  line,
});

const gone = (session: number): PeerGone => ({ type: 'peer-gone', name: `peer ${session}`, session });

class Scene {
  readonly finished: Inbound[] = [];
  readonly ended: PeerGone[] = [];
  readonly arrivals: Arrivals = new Arrivals((each) => void this.finished.push(each));

  /** The names of the messages of one step. */
  take(): string[] {
    return this.arrivals
      .take(this.ended)
      .map(({ message }) => (message.type === 'updates' ? ([...message.updates][0]?.id ?? '') : message.type));
  }
}

describe('arrivals', () => {
  test('go into one step while nobody brings more than a share, in order, and as they came where one came alone', () => {
    const { arrivals, ended, finished } = new Scene();
    const alone = inbound(1, updates(3, 'a'), updates(3, 'b'));
    arrivals.add(alone);
    expect(arrivals.take(ended)).toBe(alone.batch);
    expect(finished).toEqual([alone]);
    expect(arrivals.isEmpty).toBe(true);
  });

  test('of several connections and turns are taken together', () => {
    const scene = new Scene();
    scene.arrivals.add(inbound(1, updates(3, 'a')));
    scene.arrivals.add(inbound(2, updates(3, 'b'), updates(1, 'c')));
    scene.arrivals.add(inbound(1, updates(3, 'd')));
    expect(scene.take()).toEqual(['a', 'd', 'b', 'c']);
    expect(scene.finished).toHaveLength(3);
    expect(scene.arrivals.isEmpty).toBe(true);
  });

  test('of who floods wait for their shares, and nobody waits for more than one of them', () => {
    const scene = new Scene();
    const half = SHARE / 2;
    scene.arrivals.add(inbound(1, ...['a', 'b', 'c', 'd', 'e'].map((name) => updates(half, name))));
    scene.arrivals.add(inbound(1, updates(1, 'f')));
    scene.arrivals.add(inbound(2, updates(1, 'honest')));
    expect(scene.take()).toEqual(['a', 'b', 'honest']);
    scene.arrivals.add(inbound(3, updates(1, 'another')));
    expect(scene.take()).toEqual(['c', 'd', 'another']);
    // What has not been taken whole still counts as waiting.
    expect(scene.finished.map(({ session }) => session)).toEqual([2, 3]);
    expect(scene.take()).toEqual(['e', 'f']);
    expect(scene.finished).toHaveLength(4);
    expect(scene.arrivals.isEmpty).toBe(true);
  });

  test('bring a message that is more than a share alone', () => {
    const scene = new Scene();
    scene.arrivals.add(inbound(1, updates(3 * SHARE, 'large'), updates(1, 'small')));
    expect(scene.take()).toEqual(['large']);
    expect(scene.take()).toEqual(['small']);
  });

  test('come before the end of their connection, which is told once', () => {
    const scene = new Scene();
    scene.arrivals.add(inbound(1, updates(SHARE, 'a'), updates(1, 'b')));
    expect(scene.arrivals.end(gone(1))).toBe(true);
    expect(scene.take()).toEqual(['a']);
    expect(scene.ended).toEqual([]);
    expect(scene.take()).toEqual(['b']);
    expect(scene.ended).toEqual([gone(1)]);
    expect(scene.take()).toEqual([]);
    expect(scene.arrivals.end(gone(1))).toBe(false);
    expect(scene.ended).toHaveLength(1);
  });

  test('of a connection that is replaced are dropped, in the middle of a batch too', () => {
    const scene = new Scene();
    const many = inbound(1, updates(SHARE, 'a'), updates(1, 'b'));
    scene.arrivals.add(many);
    scene.arrivals.end(gone(1));
    scene.take();
    scene.arrivals.drop(1);
    expect(scene.finished).toEqual([many]);
    expect(scene.take()).toEqual([]);
    expect(scene.ended).toEqual([]);
  });
});

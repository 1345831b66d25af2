import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dispatch, spawn, start, stop } from 'nact';

import { injectFault, isGone, spawnChild, statsOf, stopTree, tell } from './actor.ts';
import type { ActorSpec, Behaviour, Self } from './behaviour.ts';
import { ManualClock } from './testing/manual-clock.ts';
import type { Ref } from './nact.ts';
import { turns, until } from './testing/event-loop.ts';

let system: Ref<never>;
beforeEach(() => {
  system = start();
});
afterEach(() => stop(system));

/** An actor that notes what it receives; a message may be work to do instead. */
type Task = string | ((self: Self<Task>) => void | Promise<void>);
const noting = (notes: string[], more: Partial<ActorSpec<Task>> = {}): ActorSpec<Task> => ({
  name: 'actor',
  start: () => ({
    receive(message, self) {
      if (typeof message === 'function') return message(self);
      notes.push(message);
    },
  }),
  ...more,
});
const poison = (): never => {
  throw new Error('poison');
};

describe('an actor', () => {
  test('receives what is told and what a user dispatches, in one order', async () => {
    const notes: string[] = [];
    const actor = spawnChild(system, noting(notes));
    expect(tell(actor, 'a')).toBe(true);
    dispatch(actor, 'b');
    tell(actor, 'c');
    await until(() => notes.length === 3);
    expect(notes).toEqual(['a', 'b', 'c']);
  });

  test('receives nothing before the turn of its sender has ended', () => {
    const notes: string[] = [];
    tell(spawnChild(system, noting(notes)), 'a');
    expect(notes).toEqual([]);
  });

  test('bears any text as its name', () => {
    const actor = spawnChild(system, noting([], { name: 'ws://10.0.0.2:7001/é' }));
    expect(isGone(actor)).toBe(false);
  });

  test('can live under a user’s actor, at any depth', async () => {
    const notes: string[] = [];
    const grandparent = spawn(system, (state: unknown) => state, 'grandparent');
    const parent = spawn(grandparent, (state: unknown) => state, 'parent');
    tell(spawnChild(parent, noting(notes)), 'here');
    await until(() => notes.length === 1);
    expect(notes).toEqual(['here']);
  });

  test('is told apart from its siblings by name', () => {
    spawnChild(system, noting([]));
    expect(() => spawnChild(system, noting([]))).toThrow(expect.objectContaining({ code: 'ACTOR_NAME_TAKEN' }));
  });

  test('that has stopped can have no children', async () => {
    const actor = spawnChild(system, noting([]));
    await stopTree(actor);
    expect(() => spawnChild(actor, noting([]))).toThrow(expect.objectContaining({ code: 'ACTOR_GONE' }));
  });

  test('handles an asynchronous message to its end before it takes the next', async () => {
    const notes: string[] = [];
    const actor = spawnChild(system, noting(notes));
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    tell(actor, async () => {
      await gate;
      notes.push('slow');
    });
    tell(actor, 'next');
    await turns();
    tell(actor, 'last');
    await turns(2);
    expect(notes).toEqual([]);
    open();
    await until(() => notes.length === 3);
    expect(notes).toEqual(['slow', 'next', 'last']);
  });

  test('hands over what it gathered once per drain, not once per message', async () => {
    const sent: number[][] = [];
    let gathered: number[] = [];
    const actor = spawnChild<number>(system, {
      name: 'gatherer',
      start: () => ({
        receive: (message) => void gathered.push(message),
        drained() {
          sent.push(gathered);
          gathered = [];
        },
      }),
      budgetMs: 1000,
    });
    for (let message = 0; message < 100; message += 1) dispatch(actor, message);
    await until(() => sent.length > 0);
    expect(sent).toEqual([Array.from({ length: 100 }, (_, message) => message)]);
  });

  test('is drained after an asynchronous message too', async () => {
    let drains = 0;
    const actor = spawnChild<string>(system, {
      name: 'slow',
      start: () => ({ receive: () => turns(), drained: () => void (drains += 1) }),
    });
    tell(actor, 'a');
    await turns();
    expect(drains).toBe(0);
    await until(() => drains === 1);
  });

  test('that has much to do lets timers and sockets in between', async () => {
    let handled = 0;
    const actor = spawnChild<number>(system, {
      name: 'busy',
      start: () => ({ receive: () => void (handled += 1) }),
      budgetMs: 0,
    });
    for (let message = 0; message < 100_000; message += 1) tell(actor, message);
    await turns();
    await turns();
    expect(handled).toBeGreaterThan(0);
    expect(handled).toBeLessThan(100_000);
    await until(() => handled === 100_000);
  });

  test('passes a message along a chain of actors within one turn of the event loop', async () => {
    const notes: string[] = [];
    let next = spawnChild(system, noting(notes, { name: 'last' }));
    for (let hop = 0; hop < 5; hop += 1) {
      const target = next;
      next = spawnChild<Task>(system, {
        name: `hop-${hop}`,
        start: () => ({ receive: (message) => void tell(target, message) }),
      });
    }
    tell(next, 'through');
    await turns();
    expect(notes).toEqual(['through']);
  });

  test('refuses or drops what its mailbox has no room for, counted', async () => {
    const notes: string[] = [];
    const bounded = noting(notes, { mailbox: { limit: 2, overflow: 'reject' } });
    const actor = spawnChild(system, bounded);
    expect(['a', 'b', 'c'].map((message) => tell(actor, message))).toEqual([true, true, false]);
    expect(statsOf(actor)).toEqual({ queued: 2, dropped: 1, restarts: 0, children: 0, watchers: 0 });
    await until(() => notes.length === 2);
    expect(tell(actor, 'd')).toBe(true);
  });
});

describe('a crash', () => {
  test('loses the poisonous message only, and keeps the address', async () => {
    const notes: string[] = [];
    const actor = spawnChild(system, noting(notes));
    for (let message = 0; message < 10; message += 1) tell(actor, `${message}`);
    tell(actor, poison);
    for (let message = 10; message < 20; message += 1) tell(actor, `${message}`);
    await until(() => notes.length === 20);
    expect(notes).toEqual(Array.from({ length: 20 }, (_, message) => `${message}`));
    expect(statsOf(actor)?.restarts).toBe(1);
    dispatch(actor, 'still here');
    await until(() => notes.includes('still here'));
  });

  test('by a rejected promise is a crash like any other', async () => {
    const notes: string[] = [];
    const actor = spawnChild(system, noting(notes));
    tell(actor, () => Promise.reject(new Error('poison')));
    tell(actor, 'next');
    await until(() => notes.length === 1);
    expect(statsOf(actor)?.restarts).toBe(1);
  });

  test('of drained is a crash like any other', async () => {
    const lives: Behaviour<string>[] = [];
    const actor = spawnChild<string>(system, {
      name: 'drainer',
      start: () => {
        const life: Behaviour<string> = { receive: () => {}, ...(lives.length === 0 && { drained: poison }) };
        lives.push(life);
        return life;
      },
    });
    tell(actor, 'a');
    await until(() => lives.length === 2);
    expect(statsOf(actor)).toMatchObject({ restarts: 1, queued: 0 });
  });

  test('can be injected, loses no message, and is reported', async () => {
    const errors: object[] = [];
    const notes: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => void errors.push(fields) };
    const actor = spawnChild(system, noting(notes), { logger });
    const fault = new Error('injected');
    tell(actor, 'a');
    expect(injectFault(actor, fault)).toBe(true);
    await until(() => notes.length === 1);
    expect(errors).toEqual([{ err: fault, actor: expect.stringContaining('actor'), restarts: 0 }]);
  });

  test('of the logger harms nobody', async () => {
    const notes: string[] = [];
    const logger = { debug: poison, info: poison, warn: poison, error: poison };
    const actor = spawnChild(system, noting(notes), { logger });
    tell(actor, poison);
    tell(actor, 'a');
    await until(() => notes.length === 1);
    expect(statsOf(actor)?.restarts).toBe(1);
  });
});

describe('an incarnation', () => {
  test('sends itself messages later, and again and again, until it cancels', async () => {
    const clock = new ManualClock();
    const notes: string[] = [];
    const actor = spawnChild(system, noting(notes), { clock });
    tell(actor, (self) => {
      self.schedule(10, 'once');
      self.schedule(10, 'never')();
      const cancel = self.every(4, 'often');
      self.schedule(9, () => cancel());
    });
    await turns();
    clock.advance(8);
    await turns();
    expect(notes).toEqual(['often', 'often']);
    clock.advance(1);
    await turns();
    clock.advance(10);
    await turns();
    expect(notes).toEqual(['often', 'often', 'once']);
    expect(clock.waits).toEqual([]);
  });

  test('takes its timers with it when it crashes and when it stops', async () => {
    const clock = new ManualClock();
    const actor = spawnChild(system, noting([]), { clock });
    const setTimers = (self: Self<Task>): void => {
      self.schedule(10, 'once');
      self.every(10, 'often');
    };
    tell(actor, setTimers);
    await turns();
    expect(clock.waits).toEqual([10, 10]);
    tell(actor, poison);
    await until(() => statsOf(actor)?.restarts === 1);
    expect(clock.waits).toEqual([]);
    tell(actor, setTimers);
    await turns();
    await stopTree(actor);
    expect(clock.waits).toEqual([]);
  });

  test('that has ended can do nothing to its successor', async () => {
    const clock = new ManualClock();
    const selves: Self<Task>[] = [];
    const notes: string[] = [];
    const spec = noting(notes);
    const actor = spawnChild<Task>(
      system,
      {
        ...spec,
        start(self) {
          selves.push(self);
          return spec.start(self);
        },
      },
      { clock },
    );
    let failLate = (_error: Error): void => {};
    tell(actor, (self) => {
      self.exit();
      return new Promise((_, reject) => (failLate = reject));
    });
    await turns(5);
    clock.advance(5000);
    await until(() => selves.length === 2);
    const [former] = selves;
    former?.schedule(1, 'late');
    former?.every(1, 'late');
    former?.fail(new Error('late'));
    former?.exit();
    failLate(new Error('late'));
    await turns();
    expect(() => former?.spawn(noting([]))).toThrow(expect.objectContaining({ code: 'ACTOR_GONE' }));
    clock.advance(5);
    tell(actor, 'fine');
    await until(() => notes.length === 1);
    expect(notes).toEqual(['fine']);
    expect(statsOf(actor)?.restarts).toBe(1);
  });
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dispatch, start, stop } from 'nact';

import { injectFault, isGone, spawnChild, statsOf, stopTree, tell } from './actor.ts';
import type { ActorSpec, Behaviour, Self } from './behaviour.ts';
import { ManualClock } from './testing/manual-clock.ts';
import type { Ref } from './nact.ts';
import { turns } from './testing/event-loop.ts';

let system: Ref<never>;
let clock: ManualClock;
let notes: string[];
let warnings: string[];
beforeEach(() => {
  system = start();
  clock = new ManualClock();
  notes = [];
  warnings = [];
});
afterEach(() => stop(system));

const settled = (): Promise<void> => turns(20);

const environment = (): object => ({
  clock,
  logger: { debug() {}, info() {}, warn: (_: object, message: string) => warnings.push(message), error() {} },
});

const aNode = (
  name: string,
  children: readonly ActorSpec<string>[] = [],
  more: Partial<Behaviour<string>> = {},
): ActorSpec<string> => ({
  name,
  start(self) {
    for (const child of children) self.spawn(child);
    return { receive: () => {}, stopped: (reason) => void notes.push(`-${name} ${reason}`), ...more };
  },
});

/** An actor whose `stopped` takes until it is let go. */
const aSlowNode = (name: string, shutdownMs: number): { spec: ActorSpec<string>; letGo: () => void } => {
  let letGo = (): void => {};
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const stopped = async (): Promise<void> => {
    notes.push(`-${name} begins`);
    await gate;
    notes.push(`-${name} ends`);
  };
  return { spec: { ...aNode(name, [], { stopped }), shutdownMs }, letGo: () => letGo() };
};

describe('an orderly stop', () => {
  test('stops children first, last started first, all the way down', async () => {
    const tree = aNode('root', [aNode('a', [aNode('a1'), aNode('a2')]), aNode('b', [aNode('b1')])]);
    await stopTree(spawnChild(system, tree));
    expect(notes).toEqual(['-b1 stopped', '-b stopped', '-a2 stopped', '-a1 stopped', '-a stopped', '-root stopped']);
  });

  test('awaits each before it goes on', async () => {
    const slow = aSlowNode('slow', 1000);
    const stopping = stopTree(spawnChild(system, aNode('root', [aNode('first'), slow.spec]), environment()));
    await settled();
    expect(notes).toEqual(['-slow begins']);
    slow.letGo();
    await stopping;
    expect(notes).toEqual(['-slow begins', '-slow ends', '-first stopped', '-root stopped']);
    expect(clock.waits).toEqual([]);
  });

  test('goes on without one that takes longer than it may, and warns', async () => {
    const slow = aSlowNode('slow', 1000);
    const stopping = stopTree(spawnChild(system, aNode('root', [slow.spec]), environment()));
    await settled();
    clock.advance(999);
    await settled();
    expect(notes).toEqual(['-slow begins']);
    clock.advance(1);
    await stopping;
    expect(notes).toEqual(['-slow begins', '-root stopped']);
    expect(warnings).toEqual(['stopped took too long, the actor ends without it']);
  });

  test('is cut short by its own deadline for all together', async () => {
    const slow = aSlowNode('slow', 1000);
    const root = spawnChild(system, aNode('root', [slow.spec]), environment());
    const stopping = stopTree(root, { deadlineMs: 10 });
    await settled();
    clock.advance(10);
    await stopping;
    expect(isGone(root)).toBe(true);
  });

  test('lets the message that is being handled come to its end, but takes no other', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const receive = async (message: string): Promise<void> => {
      notes.push(`${message} begins`);
      await gate;
      notes.push(`${message} ends`);
    };
    const actor = spawnChild(system, aNode('actor', [], { receive }));
    tell(actor, 'first');
    tell(actor, 'second');
    await turns();
    const stopping = stopTree(actor);
    expect(tell(actor, 'third')).toBe(false);
    await settled();
    expect(notes).toEqual(['first begins']);
    open();
    await stopping;
    expect(notes).toEqual(['first begins', 'first ends', '-actor stopped']);
  });

  test('survives a stopped that throws or rejects', async () => {
    const thrown = aNode('a', [], {
      stopped() {
        throw new Error('a');
      },
    });
    const rejected = aNode('b', [], { stopped: () => Promise.reject(new Error('b')) });
    await stopTree(spawnChild(system, aNode('root', [thrown, rejected])));
    expect(notes).toEqual(['-root stopped']);
  });

  test('can be asked for by the actor itself, in the middle of a drain, whose effects still go out', async () => {
    const actor: Ref<string> = spawnChild(
      system,
      aNode('actor', [], {
        receive(message) {
          notes.push(message);
          void stopTree(actor);
        },
        drained: () => void notes.push('drained'),
      }),
    );
    tell(actor, 'first');
    tell(actor, 'second');
    await settled();
    expect(notes).toEqual(['first', 'drained', '-actor stopped']);
  });

  test('asked for twice happens once', async () => {
    const root = spawnChild(system, aNode('root'));
    await Promise.all([stopTree(root), stopTree(root)]);
    await stopTree(root);
    expect(notes).toEqual(['-root stopped']);
  });

  test('frees the name, and an old reference of ours reaches nobody', async () => {
    const received: string[] = [];
    const receive = (message: string): void => void received.push(message);
    const former = spawnChild(system, aNode('actor', [], { receive }));
    await stopTree(former);
    const latter = spawnChild(system, aNode('actor', [], { receive }));
    expect(tell(former, 'lost')).toBe(false);
    expect(isGone(former)).toBe(true);
    dispatch(latter, 'found');
    await settled();
    expect(received).toEqual(['found']);
  });

  test('has its deadline also when what it stops is being restarted', async () => {
    const slow = aSlowNode('slow', 1000);
    const root = spawnChild(system, slow.spec, environment());
    injectFault(root, new Error('injected'));
    await turns(5);
    expect(notes).toEqual(['-slow begins']);
    const stopping = stopTree(root, { deadlineMs: 10 });
    await turns(5);
    clock.advance(10);
    await stopping;
    expect(isGone(root)).toBe(true);
  });

  test('of a child is waited for by its parent that is restarted, and takes the name again only then', async () => {
    const slow = aSlowNode('slow', 1000);
    const children: Ref<string>[] = [];
    const begin = (self: Self<string>): void => void children.push(self.spawn(slow.spec));
    const root = spawnChild<string>(system, { name: 'root', start: begin }, environment());
    const stopping = stopTree(children[0] as Ref<string>);
    await turns(5);
    injectFault(root, new Error('injected'));
    await turns(5);
    expect(notes).toEqual(['-slow begins']);
    slow.letGo();
    await stopping;
    await settled();
    expect(statsOf(root)).toMatchObject({ restarts: 1, children: 1 });
  });

  test('of a child during the start of its parent is not undone by that start', async () => {
    const guests: Ref<string>[] = [];
    const root = spawnChild<string>(system, {
      name: 'root',
      start() {
        for (const guest of guests) void stopTree(guest);
      },
    });
    const guest = aNode('guest');
    let starts = 0;
    const counted = (self: Self<string>): Behaviour<string> | void => {
      starts += 1;
      return guest.start(self);
    };
    guests.push(spawnChild(root, { ...guest, start: counted }));
    injectFault(root, new Error('injected'));
    await settled();
    expect(statsOf(root)).toMatchObject({ restarts: 1, children: 0 });
    expect(starts).toBe(1);
    expect(notes).toEqual(['-guest restarting']);
  });

  test('during a restart wins over the restart', async () => {
    const slow = aSlowNode('slow', 1000);
    const root = spawnChild(
      system,
      aNode('root', [slow.spec], {
        receive() {
          throw new Error('poison');
        },
      }),
      environment(),
    );
    tell(root, 'poison');
    await settled();
    expect(notes).toEqual(['-slow begins']);
    const stopping = stopTree(root);
    slow.letGo();
    await stopping;
    await settled();
    expect(notes).toEqual(['-slow begins', '-slow ends', '-root crashed']);
    expect(isGone(root)).toBe(true);
  });
});

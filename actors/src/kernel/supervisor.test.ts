import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dispatch, start, stop } from 'nact';

import { injectFault, isGone, spawnChild, statsOf, stopTree, tell } from './actor.ts';
import type { ActorSpec, Self } from './behaviour.ts';
import type { Environment } from './cell.ts';
import { ManualClock } from './testing/manual-clock.ts';
import type { Ref } from './nact.ts';
import type { SupervisionOptions } from './restart-policy.ts';
import { turns, until } from './testing/event-loop.ts';
import { watch, type Terminated } from './watch.ts';

let system: Ref<never>;
let clock: ManualClock;
let notes: string[];
beforeEach(() => {
  system = start();
  clock = new ManualClock();
  notes = [];
});
afterEach(() => stop(system));

/** Lets everything happen that does not need the clock to move. */
const settled = (): Promise<void> => turns(20);

/** A child that notes its starts, ends and messages; told `crash` it throws, told `exit` it exits. */
const aChild = (name: string, more: Partial<ActorSpec<string>> = {}): ActorSpec<string> => ({
  name,
  start() {
    notes.push(`+${name}`);
    return {
      receive(message, self) {
        if (message === 'crash') throw new Error(`${name} crashed`);
        if (message === 'exit') self.exit();
        else notes.push(`${name}: ${message}`);
      },
      stopped: (reason) => void notes.push(`-${name} ${reason}`),
    };
  },
  ...more,
});

interface Family {
  readonly root: Ref<never>;
  readonly child: (name: string) => Ref<string>;
}

const aFamily = (
  supervision: SupervisionOptions,
  children: readonly ActorSpec<string>[] = [aChild('a'), aChild('b'), aChild('c')],
  environment: Partial<Environment> = {},
): Family => {
  const refs = new Map<string, Ref<string>>();
  const root = spawnChild<never>(
    system,
    {
      name: 'root',
      supervision,
      start(self) {
        for (const spec of children) refs.set(spec.name, self.spawn(spec));
      },
    },
    { clock, random: () => 1, ...environment },
  );
  notes.length = 0;
  return { root, child: (name) => refs.get(name) as Ref<string> };
};

describe('a strategy', () => {
  test('one for one restarts the child that crashed, and no other', async () => {
    const { child } = aFamily({ strategy: 'one-for-one' });
    tell(child('b'), 'crash');
    await settled();
    expect(notes).toEqual(['-b crashed', '+b']);
  });

  test('one for all stops all, last started first, and then starts all again', async () => {
    const { child } = aFamily({ strategy: 'one-for-all' });
    tell(child('b'), 'crash');
    await settled();
    expect(notes).toEqual(['-c restarting', '-b crashed', '-a restarting', '+a', '+b', '+c']);
  });

  test('rest for one restarts the child that crashed and those started after it', async () => {
    const { child } = aFamily({ strategy: 'rest-for-one' });
    tell(child('b'), 'crash');
    await settled();
    expect(notes).toEqual(['-c restarting', '-b crashed', '+b', '+c']);
  });

  test('keeps the mail of all whom it restarts', async () => {
    const { child } = aFamily({ strategy: 'one-for-all' });
    tell(child('a'), 'crash');
    for (const name of ['a', 'b', 'c']) tell(child(name), 'mail');
    await settled();
    expect(notes.filter((note) => note.endsWith('mail')).sort()).toEqual(['a: mail', 'b: mail', 'c: mail']);
  });

  test('lets two messages of one actor never run at once, though it is restarted in the middle of one', async () => {
    let running = 0;
    let most = 0;
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const slow: ActorSpec<string> = {
      name: 'slow',
      start: () => ({
        async receive() {
          running += 1;
          most = Math.max(most, running);
          await gate;
          running -= 1;
          notes.push('slow');
        },
      }),
    };
    const { child } = aFamily({ strategy: 'one-for-all' }, [slow, aChild('b')]);
    tell(child('slow'), '1');
    tell(child('slow'), '2');
    await turns();
    tell(child('b'), 'crash');
    await settled();
    expect(most).toBe(1);
    open();
    await until(() => notes.filter((note) => note === 'slow').length === 2);
    expect(most).toBe(1);
  });

  test('takes a waiting restart over when another crash concerns the same children, and keeps its wait', async () => {
    const { child } = aFamily({ strategy: 'rest-for-one', backoff: { minMs: 100, maxMs: 1000 } });
    tell(child('b'), 'crash');
    await settled();
    tell(child('b'), 'crash');
    await settled();
    expect(clock.waits).toEqual([100]);
    notes.length = 0;
    clock.advance(50);
    tell(child('a'), 'crash');
    await settled();
    expect(notes).toEqual(['-a crashed']);
    expect(clock.waits).toEqual([50]);
    clock.advance(50);
    expect(notes).toEqual(['-a crashed', '+a', '+b', '+c']);
  });
});

describe('a group that is restarted', () => {
  test('gives way to a larger one that a crash founds while it still stops', async () => {
    let letGo = (): void => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const slow: ActorSpec<string> = {
      name: 'slow',
      start() {
        notes.push('+slow');
        return { receive: () => {}, stopped: () => gate };
      },
    };
    const { child } = aFamily({ strategy: 'rest-for-one' }, [aChild('a'), aChild('b'), slow]);
    tell(child('b'), 'crash');
    await settled();
    tell(child('a'), 'crash');
    await settled();
    expect(notes).toEqual([]);
    letGo();
    await settled();
    expect(notes).toEqual(['-b crashed', '-a crashed', '+a', '+b', '+slow']);
  });

  test('starts none after one that cannot start, until that one can', async () => {
    let starts = 0;
    const fragile = aChild('fragile');
    const failsTwice: ActorSpec<string> = {
      ...fragile,
      start(self) {
        starts += 1;
        if (starts === 2) throw new Error('not yet');
        return fragile.start(self);
      },
    };
    const { child } = aFamily({ strategy: 'rest-for-one' }, [failsTwice, aChild('b')]);
    tell(child('fragile'), 'crash');
    await settled();
    expect(notes).toEqual(['-b restarting', '-fragile crashed']);
    clock.advance(100);
    expect(notes).toEqual(['-b restarting', '-fragile crashed', '+fragile', '+b']);
  });
});

describe('a child spec', () => {
  test('permanent is started again also when it exits by itself', async () => {
    const { child } = aFamily({}, [aChild('a')]);
    tell(child('a'), 'exit');
    await settled();
    expect(notes).toEqual(['-a exited', '+a']);
  });

  test('transient is started again after a crash, not after an exit', async () => {
    const { root, child } = aFamily({}, [aChild('a', { restart: 'transient' })]);
    tell(child('a'), 'crash');
    await settled();
    tell(child('a'), 'exit');
    await settled();
    expect(notes).toEqual(['-a crashed', '+a', '-a exited']);
    expect(statsOf(root)?.children).toBe(0);
  });

  test('temporary is never started again, not along with its siblings either', async () => {
    const temporary = { restart: 'temporary' } as const;
    const { root, child } = aFamily({ strategy: 'one-for-all' }, [
      aChild('a', temporary),
      aChild('b', temporary),
      aChild('c'),
    ]);
    tell(child('a'), 'crash');
    await settled();
    expect(notes).toEqual(['-a crashed']);
    tell(child('c'), 'crash');
    await settled();
    expect(notes).toEqual(['-a crashed', '-c crashed', '-b stopped', '+c']);
    expect(statsOf(root)?.children).toBe(1);
  });

  test('can be added and taken away while its supervisor runs', async () => {
    const { root } = aFamily({}, []);
    const late = spawnChild(root, aChild('late'));
    tell(late, 'crash');
    await settled();
    await stopTree(late);
    expect(notes).toEqual(['+late', '-late crashed', '+late', '-late stopped']);
    expect(isGone(late)).toBe(true);
    expect(statsOf(root)?.children).toBe(0);
  });
});

describe('restart intensity', () => {
  test('at its limit still restarts, and one more stops a root’s tree orderly, as watchers and the hook hear', async () => {
    const heard: unknown[] = [];
    const { root, child } = aFamily({ maxRestarts: 2, withinMs: 1000, backoff: { minMs: 1, maxMs: 1 } }, undefined, {
      onEscalate: (error) => heard.push(error.code),
    });
    const watcher = spawnChild<Terminated>(system, {
      name: 'watcher',
      start: () => ({ receive: ({ ref, reason }) => void heard.push(ref === root && reason) }),
    });
    watch(root, watcher);
    for (let crash = 1; crash <= 2; crash += 1) {
      tell(child('b'), 'crash');
      await settled();
      clock.advance(1);
    }
    expect(isGone(root)).toBe(false);
    notes.length = 0;
    tell(child('b'), 'crash');
    await until(() => heard.length === 2);
    expect(heard).toEqual(['RESTART_LIMIT', 'escalated']);
    expect(notes).toEqual(['-c stopped', '-b stopped', '-a stopped']);
    expect(isGone(child('a'))).toBe(true);
  });

  test('is counted within its period only', async () => {
    const { root, child } = aFamily({ maxRestarts: 1, withinMs: 1000 });
    for (let crash = 0; crash < 5; crash += 1) {
      tell(child('b'), 'crash');
      await settled();
      clock.advance(1000);
    }
    expect(isGone(root)).toBe(false);
    expect(statsOf(child('b'))?.restarts).toBe(5);
  });

  test('of an inner supervisor escalates to the outer, which restarts it with its children at their addresses', async () => {
    const inner: { child?: Ref<string> } = {};
    const supervisor: ActorSpec<string> = {
      name: 'inner',
      supervision: { maxRestarts: 0 },
      start(self) {
        notes.push('+inner');
        inner.child = self.spawn(aChild('deep'));
      },
    };
    const { root, child } = aFamily({}, [supervisor]);
    const deep = inner.child as Ref<string>;
    tell(deep, 'crash');
    tell(deep, 'kept');
    await until(() => notes.includes('deep: kept'));
    expect(notes).toEqual(['-deep restarting', '+inner', '+deep', 'deep: kept']);
    expect(inner.child).toBe(deep);
    expect([root, child('inner')].map((ref) => statsOf(ref)?.restarts)).toEqual([0, 1]);
  });

  test('bounds the crashes of a root itself, too', async () => {
    const heard: string[] = [];
    const supervision = { maxRestarts: 1, withinMs: 1000 };
    const root = spawnChild(system, aChild('root', { supervision }), {
      clock,
      onEscalate: ({ code }) => heard.push(code),
    });
    tell(root, 'crash');
    tell(root, 'crash');
    await until(() => isGone(root));
    expect(heard).toEqual(['RESTART_LIMIT']);
    expect(notes.filter((note) => note === '+root')).toHaveLength(2);
  });

  test('survives a hook that throws', async () => {
    const { root, child } = aFamily({ maxRestarts: 0 }, undefined, {
      onEscalate() {
        throw new Error('hook');
      },
    });
    tell(child('a'), 'crash');
    await until(() => isGone(root));
    expect(isGone(root)).toBe(true);
  });
});

describe('backoff', () => {
  const supervision: SupervisionOptions = { maxRestarts: 100, withinMs: 5000, backoff: { minMs: 100, maxMs: 350 } };
  const crash = async (ref: Ref<string>): Promise<number> => {
    tell(ref, 'crash');
    await settled();
    const [waitMs = 0] = clock.waits;
    clock.advance(waitMs);
    return waitMs;
  };

  test('restarts at once, then after ever longer waits up to the longest', async () => {
    const { child } = aFamily(supervision);
    const waits: number[] = [];
    for (let count = 0; count < 5; count += 1) waits.push(await crash(child('a')));
    expect(waits).toEqual([0, 100, 200, 350, 350]);
  });

  test('of one child does not make another wait', async () => {
    const { child } = aFamily(supervision);
    await crash(child('a'));
    tell(child('a'), 'crash');
    await settled();
    notes.length = 0;
    tell(child('b'), 'crash');
    await settled();
    expect(notes).toEqual(['-b crashed', '+b']);
  });

  test('begins anew for a child that has lived for the whole period', async () => {
    const { child } = aFamily(supervision);
    await crash(child('a'));
    expect(await crash(child('a'))).toBe(100);
    clock.advance(5000);
    expect(await crash(child('a'))).toBe(0);
  });

  test('queues the mail of the child that waits', async () => {
    const { child } = aFamily(supervision);
    await crash(child('a'));
    tell(child('a'), 'crash');
    await settled();
    expect(tell(child('a'), 'one')).toBe(true);
    dispatch(child('a'), 'two');
    await settled();
    expect(statsOf(child('a'))?.queued).toBe(2);
    clock.advance(100);
    await settled();
    expect(notes.slice(-2)).toEqual(['a: one', 'a: two']);
  });

  test('leaves no timer behind when the tree stops meanwhile', async () => {
    const { root, child } = aFamily(supervision);
    await crash(child('a'));
    tell(child('a'), 'crash');
    await settled();
    expect(clock.waits).toEqual([100]);
    notes.length = 0;
    await stopTree(root);
    expect(clock.waits).toEqual([]);
    expect(notes).toEqual(['-c stopped', '-b stopped']);
  });

  test('keeps a factory that always throws from spinning, until the intensity ends it', async () => {
    let starts = 0;
    const failing = (): never => {
      starts += 1;
      throw new Error('cannot start');
    };
    const { root } = aFamily({ ...supervision, maxRestarts: 3 }, [{ name: 'broken', start: failing }]);
    await settled();
    expect(starts).toBe(2);
    clock.advance(100);
    await settled();
    expect(starts).toBe(3);
    clock.advance(200);
    await settled();
    expect(starts).toBe(4);
    await until(() => isGone(root));
    expect(starts).toBe(4);
  });
});

describe('a supervisor that is restarted itself', () => {
  const aParent = (children: (self: Self<string>) => void): ActorSpec<string> => ({
    name: 'parent',
    start(self) {
      notes.push('+parent');
      children(self);
      return { receive: () => {}, stopped: (reason) => void notes.push(`-parent ${reason}`) };
    },
  });

  test('stops its subtree before itself, and starts it after itself', async () => {
    const root = spawnChild(
      system,
      aParent((self) => ['a', 'b'].forEach((name) => self.spawn(aChild(name)))),
      { clock },
    );
    notes.length = 0;
    injectFault(root, new Error('injected'));
    await settled();
    expect(notes).toEqual(['-b restarting', '-a restarting', '-parent crashed', '+parent', '+a', '+b']);
  });

  test('ends the children that its start does not spawn again', async () => {
    const refs: Ref<string>[] = [];
    const root = spawnChild(
      system,
      aParent((self) => void (self.restarts === 0 && refs.push(self.spawn(aChild('once'))))),
      { clock },
    );
    injectFault(root, new Error('injected'));
    await settled();
    expect(refs.map(isGone)).toEqual([true]);
    expect(statsOf(root)).toMatchObject({ children: 0, restarts: 1 });
  });

  test('starts again those that others spawned under it, with their addresses and their mail', async () => {
    const root = spawnChild(
      system,
      aParent(() => {}),
      { clock },
    );
    const guest = spawnChild(root, aChild('guest'));
    notes.length = 0;
    injectFault(root, new Error('injected'));
    await turns();
    tell(guest, 'mail');
    await settled();
    expect(notes).toEqual(['-guest restarting', '-parent crashed', '+parent', '+guest', 'guest: mail']);
  });

  test('lets no child come back before itself', async () => {
    let letGo = (): void => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const refs: Ref<string>[] = [];
    const slow: ActorSpec<string> = { name: 'slow', start: () => ({ receive: () => {}, stopped: () => gate }) };
    const root = spawnChild(
      system,
      aParent((self) => {
        refs.push(self.spawn(aChild('a')));
        self.spawn(slow);
      }),
      { clock },
    );
    notes.length = 0;
    injectFault(root, new Error('injected'));
    await settled();
    tell(refs[0] as Ref<string>, 'crash');
    await settled();
    expect(notes).toEqual([]);
    letGo();
    await settled();
    expect(notes).toEqual(['-a restarting', '-parent crashed', '+parent', '+a']);
  });

  test('stops its children in the order of their latest start', async () => {
    const root = spawnChild(
      system,
      aParent((self) => (self.restarts === 0 ? ['a', 'b'] : ['b', 'a']).forEach((name) => self.spawn(aChild(name)))),
      { clock },
    );
    injectFault(root, new Error('injected'));
    await settled();
    notes.length = 0;
    await stopTree(root);
    expect(notes).toEqual(['-a stopped', '-b stopped', '-parent stopped']);
  });

  test('starts no temporary child again', async () => {
    const root = spawnChild(
      system,
      aParent(() => {}),
      { clock },
    );
    const guest = spawnChild(root, aChild('guest', { restart: 'temporary' }));
    injectFault(root, new Error('injected'));
    await settled();
    expect(isGone(guest)).toBe(true);
    expect(statsOf(root)).toMatchObject({ restarts: 1, children: 0 });
  });

  test('counts the restarts of its children anew', async () => {
    const refs: Ref<string>[] = [];
    const spec = aParent((self) => void refs.push(self.spawn(aChild('a'))));
    const root = spawnChild(system, { ...spec, supervision: { maxRestarts: 1 } }, { clock });
    const [child] = refs;
    tell(child as Ref<string>, 'crash');
    await settled();
    injectFault(root, new Error('injected'));
    await settled();
    tell(child as Ref<string>, 'crash');
    await settled();
    expect(isGone(root)).toBe(false);
  });

  test('takes children while it waits, and starts them with itself', async () => {
    const root = spawnChild(
      system,
      aParent(() => {}),
      { clock, random: () => 1 },
    );
    injectFault(root, new Error('injected'));
    await settled();
    injectFault(root, new Error('injected'));
    await settled();
    notes.length = 0;
    const late = spawnChild(root, aChild('late'));
    tell(late, 'mail');
    await settled();
    expect(notes).toEqual([]);
    clock.advance(100);
    await settled();
    expect(notes).toEqual(['+parent', '+late', 'late: mail']);
  });
});

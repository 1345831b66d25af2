/**
 * How each fault is done, and undone.
 *
 * Invariant: when the promise is settled, the fault is over: processes run, clocks are right, the network is whole and the
 * disk has room. What it has broken is not yet mended.
 */
import { statSync } from 'node:fs';

import { pass } from '../bench/clock.ts';
import type { Cluster } from './cluster.ts';
import type { Network } from './network.ts';
import type { Fault } from './plan.ts';

export interface Scene {
  readonly cluster: Cluster;
  readonly network: Network;
  /** Waits until an agent holds what all others hold, or what is left of them. */
  readonly caughtUp: (name: string) => Promise<void>;
  readonly patienceMs: number;
}

/** @returns what it hit, where that is up to the moment */
export async function inflict(fault: Fault, scene: Scene): Promise<string | null> {
  const { cluster, network } = scene;
  await pass(fault.atMs);
  switch (fault.kind) {
    case 'kill':
    case 'leave':
      await cluster.stop(fault.node, fault.kind === 'kill' ? 'SIGKILL' : 'SIGTERM');
      await pass(fault.forMs);
      await cluster.start(fault.node);
      return null;
    case 'stop': {
      const agent = cluster.agent(fault.node);
      agent.signal('SIGSTOP');
      await pass(fault.forMs);
      agent.signal('SIGCONT');
      return null;
    }
    case 'reset':
      return strike(fault, scene, () => network.reset(fault.node, fault.other));
    case 'half-open':
      return strike(fault, scene, () =>
        network.swallow(fault.node, fault.other, fault.bothWays ? [fault.node, fault.other] : [fault.node]),
      );
    case 'partition': {
      const { side, silent } = fault;
      return during(
        fault.forMs,
        network.add({
          applies: (a, b) => side.includes(a) !== side.includes(b),
          weather: silent ? 'silent' : 'refused',
        }),
      );
    }
    case 'delay': {
      const pair = [fault.node, fault.other];
      return during(
        fault.forMs,
        network.add({ applies: (a, b) => pair.includes(a) && pair.includes(b), weather: { delayMs: fault.delayMs } }),
      );
    }
    case 'clock':
      cluster.setClock(fault.node, fault.offMs);
      return during(fault.forMs, () => cluster.setClock(fault.node, 0));
    case 'disk':
      return fillDisk(fault.node, fault.forMs, scene);
    case 'rolling':
      for (const name of fault.order) {
        await cluster.stop(name, 'SIGTERM');
        await cluster.start(name);
        await scene.caughtUp(name);
      }
      return null;
    case 'blackout':
      await Promise.all(fault.order.map((name) => cluster.stop(name, 'SIGKILL')));
      await pass(fault.forMs);
      // Nothing of the old is left, so all may go on by the other protocol.
      cluster.protocol = cluster.protocol === 'hybrid' ? 'entropy' : 'hybrid';
      await Promise.all(fault.order.map((name) => cluster.start(name)));
      return `now ${cluster.protocol}`;
    default:
      return fault satisfies never;
  }
}

/** An agent that is started on a full disk says that it cannot write, and lives; on one with room it writes again. */
async function fillDisk(name: string, forMs: number, { cluster, patienceMs }: Scene): Promise<null> {
  const path = cluster.stateFileOf(name);
  const fileNow = (): number => statSync(path).ino;
  /** Starts it anew. */
  const hasWritten = async (isFull: boolean): Promise<boolean> => {
    await cluster.stop(name, 'SIGKILL');
    const [before, beganAt] = [fileNow(), cluster.logLengthOf(name)];
    if (isFull) cluster.disk.fill();
    await cluster.start(name);
    const says = (): boolean => cluster.logOf(name, beganAt).includes('STATE_FILE_FAILED');
    if (await cluster.until(() => says() || fileNow() !== before, patienceMs)) return !says();
    throw new Error(`${name} neither wrote its state file nor said that it cannot`);
  };
  // What others are just replacing leaves room for a moment.
  for (let tries = 1; await hasWritten(true); tries += 1)
    if (tries === 5) throw new Error(`${name} writes on a full disk`);
  await pass(forMs);
  cluster.disk.empty();
  if (!(await hasWritten(false))) throw new Error(`${name} cannot write although there is room`);
  return null;
}

async function during(forMs: number, end: () => void): Promise<null> {
  await pass(forMs);
  end();
  return null;
}

/** Where nothing is connected for now, waits until there is something to hit; then writes may miss it for a while. */
async function strike({ kind, forMs }: Fault, { patienceMs }: Scene, hit: () => number): Promise<string> {
  const untilMs = performance.now() + patienceMs;
  let count = hit();
  while (count === 0) {
    if (performance.now() > untilMs) throw new Error(`${kind}: there was no connection in ${patienceMs} ms`);
    await pass(20);
    count = hit();
  }
  await pass(forMs);
  return count === 1 ? '1 connection' : `${count} connections`;
}

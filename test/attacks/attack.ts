/**
 * What an attack is: who comes, again and again or once and for long, and what came of it.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Credentials } from '../security/authority.ts';
import type { Stranger, StrangerOptions, Strangers } from './strangers.ts';

/** What an attacker knows. */
export interface Target {
  /** Of the victim. */
  readonly url: string;
  /** Of an honest node beside it. */
  readonly honest: { readonly name: string; readonly url: string };
  /** Where a node was told to dial, for those who wait there. */
  readonly bait: string | null;
  /** The key that the cluster uses, in hexadecimal, for those who hold it; and one that it used before. */
  readonly keys: { readonly current: string; readonly older: string };
  /** A certificate, for those who show one. */
  readonly credentials: Credentials | null;
  /** The address to come from. */
  readonly from: string | undefined;
}

/** How one connection went, as the attacker saw it. */
export interface Attempt {
  /** The close code; without one the code of the failure below, or `end`. `stopped` where the attacker let go himself. */
  readonly saw: string;
  readonly sentence: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly heldMs: number;
}

export interface Scene {
  readonly target: Target;
  readonly strangers: Strangers;
  readonly key: KeyObject;
  readonly from: StrangerOptions;
  /** Whether the attack is to end. */
  readonly isOver: () => boolean;
  /** Resolves when it is. */
  readonly over: Promise<void>;
}

export interface Attack {
  /** Connections at a time. */
  readonly abreast: number;
  /** One connection from the dial on, resolved while it still stands or when it has ended. */
  readonly come?: (scene: Scene) => Promise<Stranger>;
  /** Waits at the bait; `met` is told of every connection. */
  readonly wait?: (scene: Scene, met: (attempt: Promise<Attempt>) => void) => Promise<void>;
}

export const keyOf = (hex: string): KeyObject => createSecretKey(Buffer.from(hex, 'hex'));

/** Waits until the connection has ended, or the attack is over: then it is closed. */
export async function outcome(stranger: Stranger, scene: Scene): Promise<Attempt> {
  const how = await Promise.race([stranger.closed, scene.over]);
  const heldMs = performance.now() - stranger.cameAt;
  const { stream, socket } = stranger;
  if (how === undefined) {
    socket.close(1000);
    await Promise.race([stranger.closed, new Promise((resolve) => void setTimeout(resolve, 2000))]);
    socket.terminate();
  }
  const [code = '', ...words] = (how ?? 'stopped').split(' ');
  return {
    saw: code === '1006' ? (stranger.failure ?? 'end') : code,
    sentence: words.join(' '),
    bytesIn: stream.bytesRead,
    bytesOut: stream.bytesWritten,
    heldMs,
  };
}

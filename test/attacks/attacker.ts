/**
 * The attacker's process: keeps an attack going while it is told to, and says what came of it.
 *
 * Invariants
 *  1. Every connection that ends is replaced at once, `abreast` at a time: as fast as the victim lets him.
 *  2. Between attacks nothing is left of one.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { serveCommands } from '../bench/child.ts';
import { afterProof } from './after-proof.ts';
import { type Attack, type Attempt, keyOf, outcome, type Scene, type Target } from './attack.ts';
import { beforeProof } from './before-proof.ts';
import { Strangers } from './strangers.ts';

const attacks: Readonly<Record<string, Attack>> = { ...beforeProof, ...afterProof };

export class AttackerCommands {
  #strangers = new Strangers();
  #isOver = true;
  #end: () => void = () => {};
  #done: Promise<unknown> = Promise.resolve();
  #attempts: Attempt[] = [];

  /** @returns a URL where nobody listens until an attack waits there */
  async bait(): Promise<string> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return `ws://127.0.0.1:${port}`;
  }

  async start(id: string, target: Target): Promise<void> {
    const attack = attacks[id];
    if (attack === undefined) throw new Error(`No attack is called ${id}.`);
    this.#isOver = false;
    const over = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    const scene: Scene = {
      target,
      strangers: this.#strangers,
      key: keyOf(target.keys.current),
      from: { from: target.from },
      isOver: () => this.#isOver,
      over,
    };
    const { come, wait, abreast } = attack;
    await wait?.(scene, (attempt) => {
      void attempt.then((ended) => this.#attempts.push(ended));
    });
    if (come === undefined) return;
    const workers = Array.from({ length: abreast }, async () => {
      while (!this.#isOver) {
        try {
          this.#attempts.push(await outcome(await come(scene), scene));
        } catch (error) {
          // It was closed in the middle of what it had to say, or the attack is over.
          if (!this.#isOver)
            this.#attempts.push({ saw: 'broken', sentence: String(error), bytesIn: 0, bytesOut: 0, heldMs: 0 });
        }
      }
    });
    this.#done = Promise.all(workers);
  }

  /** @returns the connections that ended since this was last asked */
  attempts(): Attempt[] {
    return this.#attempts.splice(0);
  }

  /** @returns the connections that ended, the last ones by his own hand */
  async stop(): Promise<Attempt[]> {
    this.#isOver = true;
    this.#end();
    await this.#done;
    await this.#strangers.end();
    this.#strangers = new Strangers();
    return this.attempts();
  }
}

serveCommands(new AttackerCommands());

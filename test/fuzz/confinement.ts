/**
 * What a liar may say where the honest must end equal all the same: whatever he likes of himself, nothing of them.
 *
 * SECURITY.md does not promise more. A proven member may claim to have seen what it has not, and then nobody sends that to
 * its victim any more; it may write two updates under one dot of another; it may say of others that they are gone. What is
 * promised is kept to here: ids and origins of his own, numbers of nodes that he has made up.
 */
import type { Dots, Message, Origin } from '@grapevine/core';
import type { Incoming } from '@grapevine/wire';
import type { World } from './speaker.ts';

export class Confinement {
  readonly #origins: ReadonlySet<string>;
  readonly #ids: ReadonlySet<string>;
  readonly #members: ReadonlySet<unknown>;

  constructor({ origins, ids, members }: World) {
    this.#origins = new Set(origins.map(({ key }) => key));
    this.#ids = new Set(ids);
    this.#members = new Set(members.map(({ name }) => name));
  }

  allows(incoming: Incoming | null): boolean {
    return incoming?.type !== 'gossip' || this.#allowsMessage(incoming.message);
  }

  #allowsMessage(message: Message): boolean {
    switch (message.type) {
      case 'chunk':
      case 'updates':
        return [...message.updates].every(({ id, origin }) => this.#ids.has(id) && this.#isOwn(origin));
      case 'end':
        return this.#areOwn(message.claim);
      case 'live-dots':
        return this.#areOwn(message.dots) && this.#areOwn(message.context);
      case 'feedback':
        return this.#areOwn(message.known) && this.#areOwn(message.news);
      case 'contexts':
      case 'refused':
      case 'room':
      case 'announce':
      case 'ask':
      case 'gone':
        return this.#areOwn(message.dots);
      case 'custom':
        return this.#allowsBody(message.body);
      default:
        return true;
    }
  }

  /** Records stand in a list, at one of two places. */
  #allowsBody(body: unknown): boolean {
    if (!Array.isArray(body)) return true;
    const lists = body.slice(1, 3).filter((field): field is unknown[] => Array.isArray(field));
    return lists.flat().every((record) => !Array.isArray(record) || this.#members.has(record[0]));
  }

  #areOwn(dots: Dots): boolean {
    return dots.every(({ origin }) => this.#isOwn(origin));
  }

  #isOwn({ key }: Origin): boolean {
    return this.#origins.has(key);
  }
}

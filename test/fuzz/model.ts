/**
 * What a liar knows of how his frames will be read: a decoder as the node has one for his connection.
 *
 * So he can tell which frame ends the session, and sends none behind it: a frame that nobody reads would count for nothing.
 * And what he expects is held against what the node does.
 */
import { isGossipError, type Message } from '@grapevine/core';
import { Decoder, type Incoming } from '@grapevine/wire';
import { swim } from '@grapevine/node';
import { protocols } from './scene.ts';

/** `ends`: it is malformed. `unsure`: the node may take it or not, by what else it has been told. */
export type Expected = 'goes on' | 'ends' | 'unsure';

export interface Reading {
  readonly incoming: Incoming | null;
  readonly expected: Expected;
  /** Whether the decoder may know more than before: a malformed list of numbers is learned up to where it breaks. */
  readonly mayHaveTaught: boolean;
}

const membership = swim();

/** By the names of an instance and of its protocol: what a node takes in it. */
const acceptors = new Map<string, (message: Message) => boolean>([
  ...Object.entries(protocols).map(
    ([instance, protocol]) => [`${instance} ${protocol.name}`, protocol.accepts] as const,
  ),
  [`$membership ${membership.name}`, (message) => message.type === 'custom' && membership.accepts(message.body)],
]);

export class Model {
  readonly #decoder = new Decoder();
  readonly #accepts = new Map<number, ((message: Message) => boolean) | undefined>();
  #refusedChannels = false;

  /** @returns what the frame is, and what will come of it */
  read(frame: Uint8Array): Reading {
    let incoming: Incoming | null;
    try {
      incoming = this.#decoder.decode(frame);
    } catch (error) {
      if (!isGossipError(error) || error.code !== 'FRAME_MALFORMED') throw error;
      return { incoming: null, expected: 'ends', mayHaveTaught: tellsOfOrigins(error) };
    }
    return { incoming, expected: incoming === null ? 'goes on' : this.#expected(incoming), mayHaveTaught: true };
  }

  #expected(incoming: Incoming): Expected {
    switch (incoming.type) {
      case 'channel':
        this.#accepts.set(incoming.channel, acceptors.get(`${incoming.instance} ${incoming.protocol}`));
        return 'goes on';
      case 'refuse-channel':
        this.#refusedChannels = true;
        return 'goes on';
      case 'gossip': {
        const accepts = this.#accepts.get(incoming.channel);
        if (accepts === undefined || accepts(incoming.message)) return 'goes on';
        return this.#refusedChannels ? 'unsure' : 'ends';
      }
      default:
        return incoming satisfies never;
    }
  }
}

function tellsOfOrigins({ message }: Error): boolean {
  return / of (forget-)?origins is | is told twice, | origins are numbered/.test(message);
}

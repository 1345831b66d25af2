/**
 * Carries messages as the bytes that are shipped: through the encoder of the sender and the decoder of the connection.
 */
import { Decoder, encodeChannel, Encoder, Told } from '@grapevine/wire';
import type { NetworkOptions } from './network.ts';

const CHANNEL = 1;

/** One direction of a connection. */
interface Way {
  readonly told: Told;
  readonly decoder: Decoder;
}

/** A `carry` for one network. Every node has one encoder; every connection starts with nothing told. */
export function wireCarrier(): Required<NetworkOptions>['carry'] {
  const encoders = new Map<string, Encoder>();
  const ways = new Map<string, Way>();
  return (from, to, message, session) => {
    let encoder = encoders.get(from.name);
    if (encoder === undefined) encoders.set(from.name, (encoder = new Encoder()));
    const key = `${session} ${from.name} ${to.name}`;
    let way = ways.get(key);
    if (way === undefined) {
      way = { told: new Told(), decoder: new Decoder() };
      way.decoder.decode(
        encodeChannel({
          channel: CHANNEL,
          instance: 'x',
          protocol: from.network.options.protocol.name,
          newestEpochOfYou: 0,
        }),
      );
      ways.set(key, way);
    }
    const frame = encoder.encode(CHANNEL, message);
    for (const origins of way.told.missing(frame)) way.decoder.decode(origins);
    const incoming = way.decoder.decode(frame.bytes);
    if (incoming?.type !== 'gossip') throw new Error(`A ${message.type} did not come out as it went in.`);
    return incoming.message;
  };
}

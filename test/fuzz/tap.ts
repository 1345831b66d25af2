/** A transport whose sessions are listened to: what a node was given, frame by frame, on its way to the link. */
import type { Session, Transport, TransportEvents } from '@grapevine/transport';

/** @param heard of each session the frames of one turn, before the node takes them */
export function tapped(
  transport: Transport,
  heard: (session: Session, frames: readonly Uint8Array[]) => void,
): Transport {
  return {
    start: (events) => transport.start(tappedEvents(events, heard)),
    dial: (urls) => transport.dial(urls),
    connect: (url) => transport.connect(url),
    rotateKeys: (keys, options) => transport.rotateKeys(keys, options),
    renewTls: (tls) => transport.renewTls(tls),
    sessions: () => transport.sessions(),
    close: (reason) => transport.close(reason),
  };
}

function tappedEvents(
  events: TransportEvents,
  heard: (session: Session, frames: readonly Uint8Array[]) => void,
): TransportEvents {
  return {
    opened: (session) => {
      events.opened(session);
      const take = session.onFrames;
      if (take === null) return;
      session.onFrames = (frames) => {
        heard(session, frames);
        take(frames);
      };
    },
    closed: (session, info) => events.closed(session, info),
    refused: (refusal) => events.refused?.(refusal),
    dialFailed: (url, error, nextAttemptInMs) => events.dialFailed?.(url, error, nextAttemptInMs),
    dialEnded: (end) => events.dialEnded?.(end),
  };
}

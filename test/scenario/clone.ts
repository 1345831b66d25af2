/**
 * A message as another process would get it: equal, and of objects of its own.
 *
 * A replica takes over the updates that it is given, so no message may reach two replicas as the same objects.
 */
import { type Dots, type Message, Origin, Update, type UpdateList } from '@grapevine/core';

function originOf({ name, epoch }: Origin): Origin {
  return new Origin(name, epoch);
}

function dotsOf(dots: Dots): Dots {
  return dots.map(({ origin, intervals, newest }) => ({
    origin: originOf(origin),
    intervals: intervals.slice(),
    newest,
  }));
}

function updatesOf(updates: UpdateList): Update[] {
  return Array.from(
    updates,
    ({ id, value, stamp, origin, sequence, expiresAt }) =>
      new Update(id, value, stamp, originOf(origin), sequence, expiresAt),
  );
}

export function cloneMessage(message: Message): Message {
  switch (message.type) {
    case 'hashes':
      return { ...message, context: message.context.slice(), live: message.live.slice() };
    case 'bucket-sums':
    case 'live-sums':
      return { ...message, sums: message.sums.slice() };
    case 'contexts':
    case 'held-back':
    case 'disowned':
    case 'refused':
    case 'room':
    case 'announce':
    case 'ask':
    case 'gone':
      return { ...message, dots: dotsOf(message.dots) };
    case 'chunk':
    case 'updates':
      return { ...message, updates: updatesOf(message.updates) };
    case 'end':
      return { ...message, claim: dotsOf(message.claim), context: message.context.slice(), live: message.live.slice() };
    case 'live-dots':
      return { ...message, dots: dotsOf(message.dots), context: dotsOf(message.context) };
    case 'feedback':
      return { ...message, known: dotsOf(message.known), news: dotsOf(message.news) };
    case 'withheld':
      return { ...message, origin: originOf(message.origin) };
    case 'ack':
    case 'pull':
      return { ...message };
    case 'custom':
      return { ...message, body: structuredClone(message.body) };
    default:
      return message satisfies never;
  }
}

/**
 * Updates as the hand-written contestants send them: ids and values by turns, in one MessagePack array a frame.
 *
 * The values are records of msgpackr: a frame tells the keys of the first value of a shape and numbers them, so that the
 * others of it are their values alone. Each frame can be read by itself.
 */
import { Packr } from 'msgpackr';

/** Id, value, id, value, … */
export type Updates = (string | { readonly value: number })[];

const packr = new Packr({ useRecords: true });

/** @param size the most updates of a frame */
export function* frames(updates: Updates, size: number): IterableIterator<Buffer> {
  if (updates.length <= 2 * size) {
    if (updates.length > 0) yield packr.pack(updates);
    return;
  }
  for (let start = 0; start < updates.length; start += 2 * size)
    yield packr.pack(updates.slice(start, start + 2 * size));
}

export function readFrame(frame: Buffer): Updates {
  return packr.unpack(frame) as Updates;
}

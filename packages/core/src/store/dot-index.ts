/**
 * The rows of a store by their dots: of each origin, blocks of neighbouring sequence numbers, side by side in a few arrays.
 *
 * Invariants
 *  1. A block is there exactly as long as a dot of it is: what costs memory is what is held, wherever its numbers lie.
 *  2. Dots that follow each other cost one look into a hash table a block, and a few bytes each.
 */

import { hashSequence } from './keyed-hash.ts';
import { RowTable } from './row-table.ts';

/** Sequence numbers of a block. */
const SPAN = 16;
/** Blocks that get memory together. */
const SHELF = 256;

/** An origin, by a number that its store has given it, with the key of its hashes. */
export interface Numbered {
  readonly number: number;
  readonly key0: number;
  readonly key1: number;
}

/** Memory for some blocks. */
class Shelf {
  /** The rows plus 1; 0: the dot is not held. */
  readonly rows = new Int32Array(SHELF * SPAN);
  readonly writers = new Int32Array(SHELF);
  /** Which block of its writer: the sequence number by `SPAN`, rounded down. */
  readonly ordinals = new Float64Array(SHELF);
  readonly counts = new Uint8Array(SHELF);
}

export class DotIndex {
  readonly #table = new RowTable();
  readonly #shelves: Shelf[] = [];
  readonly #free: number[] = [];
  #blocks = 0;
  /** The block that was found last. */
  #writer = -1;
  #ordinal = -1;
  #block = -1;

  /** @returns the row of a dot; -1: it is not held */
  get(writer: Numbered, sequence: number): number {
    const ordinal = Math.floor(sequence / SPAN);
    const block = this.#find(writer, ordinal);
    return block === -1 ? -1 : (this.#shelfOf(block).rows[placeOf(block, sequence - ordinal * SPAN)] as number) - 1;
  }

  /** @param sequence of a dot that is not in here */
  add(writer: Numbered, sequence: number, row: number): void {
    const ordinal = Math.floor(sequence / SPAN);
    let block = this.#find(writer, ordinal);
    if (block === -1) block = this.#make(writer, ordinal);
    const shelf = this.#shelfOf(block);
    shelf.rows[placeOf(block, sequence - ordinal * SPAN)] = row + 1;
    shelf.counts[block % SHELF] = (shelf.counts[block % SHELF] as number) + 1;
  }

  /** The row of a dot that is in here has another number from now on. */
  renumber(writer: Numbered, sequence: number, row: number): void {
    const ordinal = Math.floor(sequence / SPAN);
    const block = this.#find(writer, ordinal);
    this.#shelfOf(block).rows[placeOf(block, sequence - ordinal * SPAN)] = row + 1;
  }

  /** @param sequence of a dot that is in here */
  delete(writer: Numbered, sequence: number): void {
    const ordinal = Math.floor(sequence / SPAN);
    const block = this.#find(writer, ordinal);
    const shelf = this.#shelfOf(block);
    shelf.rows[placeOf(block, sequence - ordinal * SPAN)] = 0;
    const count = (shelf.counts[block % SHELF] as number) - 1;
    shelf.counts[block % SHELF] = count;
    if (count > 0) return;
    this.#table.delete(hashSequence(writer.key0, writer.key1, ordinal), block);
    this.#free.push(block);
    this.#block = -1;
    this.#writer = -1;
  }

  #find({ number, key0, key1 }: Numbered, ordinal: number): number {
    if (ordinal === this.#ordinal && number === this.#writer) return this.#block;
    const table = this.#table;
    const hash = hashSequence(key0, key1, ordinal);
    for (let block = table.first(hash); block !== -1; block = table.next(hash)) {
      const shelf = this.#shelfOf(block);
      if (shelf.ordinals[block % SHELF] !== ordinal || shelf.writers[block % SHELF] !== number) continue;
      this.#writer = number;
      this.#ordinal = ordinal;
      this.#block = block;
      return block;
    }
    return -1;
  }

  #make({ number, key0, key1 }: Numbered, ordinal: number): number {
    const block = this.#free.pop() ?? this.#blocks++;
    if (block >= this.#shelves.length * SHELF) this.#shelves.push(new Shelf());
    const shelf = this.#shelfOf(block);
    shelf.writers[block % SHELF] = number;
    shelf.ordinals[block % SHELF] = ordinal;
    this.#table.add(hashSequence(key0, key1, ordinal), block);
    this.#writer = number;
    this.#ordinal = ordinal;
    this.#block = block;
    return block;
  }

  #shelfOf(block: number): Shelf {
    return this.#shelves[Math.floor(block / SHELF)] as Shelf;
  }
}

function placeOf(block: number, offset: number): number {
  return (block % SHELF) * SPAN + offset;
}

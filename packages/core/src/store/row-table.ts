/**
 * A hash table of row numbers: which rows have a hash. Whoever asks compares the rows' own keys.
 *
 * The entries lie in segments with open addressing and linear probing. The top bits of a hash choose the segment, and the bits
 * below the place in it. A segment that is full is made larger, and a large one is split in two by one more bit.
 *
 * Invariants
 *  1. An entry is found from its first place on without passing an empty one: deletion closes the gap that it leaves.
 *  2. No step moves more than the entries of one segment, however many rows there are.
 *  3. Rows whose hashes are equal are all found, and any one of them can be deleted.
 *
 * Source: Fagin et al., "Extendible Hashing", 1979; Knuth, volume 3, section 6.4, algorithm R (deletion without marks).
 */

/** A segment with more entries is split. */
const MOST = 4096;
/** Bits that choose the segment, at most: rows whose hashes begin alike cannot be split apart for ever. */
const MOST_BITS = 16;
const LEAST_PLACES = 8;
/** So much of its places a segment fills at most. */
const FULL = 0.8;
/** One that is emptier is made smaller. */
const SPARSE = 0.1;
/** A segment that is about to be split has so many places. */
const MOST_PLACES: number = MOST / FULL;

/** An entry is two numbers beside each other: the hash, and the row plus 1; 0: the place is empty. */
class Segment {
  /** How many bits of the hash choose it. */
  readonly bits: number;
  readonly places: number;
  readonly entries: Int32Array;
  count = 0;

  constructor(bits: number, places: number) {
    this.bits = bits;
    this.places = places;
    this.entries = new Int32Array(2 * places);
  }

  /** Where an entry of this hash is looked for first. */
  home(hash: number): number {
    return (((hash << this.bits) >>> 0) * (this.places / 4294967296)) | 0;
  }

  /** Puts an entry in, for which there must be a place. */
  put(hash: number, row: number): void {
    const { entries, places } = this;
    let place = this.home(hash);
    while (entries[2 * place + 1] !== 0) place = place + 1 === places ? 0 : place + 1;
    entries[2 * place] = hash;
    entries[2 * place + 1] = row + 1;
    this.count++;
  }

  /** Empties a place, and moves into it what would not be found behind a gap. */
  clear(place: number): void {
    const { entries, places } = this;
    let gap = place;
    let next = place;
    for (;;) {
      next = next + 1 === places ? 0 : next + 1;
      if (entries[2 * next + 1] === 0) break;
      const home = this.home(entries[2 * next] as number);
      const isBehindGap = gap <= next ? home > gap && home <= next : home > gap || home <= next;
      if (isBehindGap) continue;
      entries[2 * gap] = entries[2 * next] as number;
      entries[2 * gap + 1] = entries[2 * next + 1] as number;
      gap = next;
    }
    entries[2 * gap + 1] = 0;
    this.count--;
  }
}

export class RowTable {
  /** By the top `#bits` bits of a hash; a segment with fewer bits stands here more than once. */
  #segments: Segment[] = [new Segment(0, LEAST_PLACES)];
  #bits = 0;
  /** Where `first` and `next` have found their row. */
  #segment: Segment = this.#segments[0] as Segment;
  #place = 0;

  /** @returns a row with this hash; -1: there is none */
  first(hash: number): number {
    const segment = this.#segmentOf(hash);
    this.#segment = segment;
    return this.#look(hash, segment.home(hash));
  }

  /** @returns a further row with the hash that `first` was given last; -1: there is none */
  next(hash: number): number {
    return this.#look(hash, this.#place + 1 === this.#segment.places ? 0 : this.#place + 1);
  }

  #look(hash: number, from: number): number {
    const { entries, places } = this.#segment;
    for (let place = from; ; place = place + 1 === places ? 0 : place + 1) {
      const row = entries[2 * place + 1] as number;
      if (row === 0) return -1;
      if (entries[2 * place] !== hash) continue;
      this.#place = place;
      return row - 1;
    }
  }

  /** @param row that is not in here */
  add(hash: number, row: number): void {
    let segment = this.#segmentOf(hash);
    while (segment.count + 1 > FULL * segment.places) {
      this.#extend(segment, hash);
      segment = this.#segmentOf(hash);
    }
    segment.put(hash, row);
  }

  /** @param row that is in here, under this hash */
  delete(hash: number, row: number): void {
    if (!this.#find(hash, row)) return;
    const segment = this.#segment;
    segment.clear(this.#place);
    if (segment.places > LEAST_PLACES && segment.count < SPARSE * segment.places)
      this.#replace(segment, hash, anew(segment, Math.max(LEAST_PLACES, 4 * segment.count)));
  }

  /** The row has another number from now on. @param row that is in here, under this hash */
  renumber(hash: number, row: number, number: number): void {
    if (this.#find(hash, row)) this.#segment.entries[2 * this.#place + 1] = number + 1;
  }

  #find(hash: number, row: number): boolean {
    let found = this.first(hash);
    while (found !== row && found !== -1) found = this.next(hash);
    return found === row;
  }

  #segmentOf(hash: number): Segment {
    return this.#segments[this.#bits === 0 ? 0 : hash >>> (32 - this.#bits)] as Segment;
  }

  /** Makes room in a segment: a larger one, or two by one bit more. */
  #extend(segment: Segment, hash: number): void {
    const { bits, places, entries } = segment;
    if (places < MOST_PLACES) return this.#replace(segment, hash, anew(segment, Math.min(MOST_PLACES, 2 * places)));
    if (bits === MOST_BITS) return this.#replace(segment, hash, anew(segment, 2 * places));
    if (bits === this.#bits) {
      this.#segments = this.#segments.flatMap((each) => [each, each]);
      this.#bits++;
    }
    const low = new Segment(bits + 1, places);
    const high = new Segment(bits + 1, places);
    for (let at = 0; at < entries.length; at += 2) {
      const row = entries[at + 1] as number;
      if (row === 0) continue;
      const of = entries[at] as number;
      (isOne(of, bits) ? high : low).put(of, row - 1);
    }
    const span = 1 << (this.#bits - bits);
    const from = this.#firstOf(hash, bits);
    for (let i = 0; i < span; i++) this.#segments[from + i] = i < span / 2 ? low : high;
  }

  #replace({ bits }: Segment, hash: number, by: Segment): void {
    const from = this.#firstOf(hash, bits);
    const span = 1 << (this.#bits - bits);
    for (let i = 0; i < span; i++) this.#segments[from + i] = by;
  }

  /** The first place of a segment with so many bits among all segments. */
  #firstOf(hash: number, bits: number): number {
    return bits === 0 ? 0 : (hash >>> (32 - bits)) << (this.#bits - bits);
  }
}

function isOne(hash: number, bit: number): boolean {
  return ((hash >>> (31 - bit)) & 1) === 1;
}

/** The same entries in so many places. */
function anew({ bits, entries }: Segment, places: number): Segment {
  const segment = new Segment(bits, places);
  for (let at = 0; at < entries.length; at += 2)
    if (entries[at + 1] !== 0) segment.put(entries[at] as number, (entries[at + 1] as number) - 1);
  return segment;
}

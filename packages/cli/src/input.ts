/**
 * Standard input of an agent: lines in, writes out.
 *
 * Neighbouring adds become one `addMany`, so that a burst of lines costs one message and not one each.
 *
 * Invariants
 *  1. Writes are made in the order of their lines, and the next chunk is read when those of the last one are stored.
 *  2. A bad line is answered with its number, after those before it, and costs nothing else: its neighbours in a batch
 *     are written.
 */
import { type AddOptions, type Gossip, isGossipError } from '@grapevine/node';

import { type Command, parseCommand } from './command.ts';
import { type Line, LineSplitter, MAX_LINE_CHARS } from './lines.ts';

type Add = Extract<Command, { type: 'add' }>;

export interface InputOptions {
  /** By name; the first is meant when a line names none. */
  readonly gossips: ReadonlyMap<string, Gossip>;
  readonly answerStatus: () => void;
  /** Told of every line that was not carried out. */
  readonly complain: (line: number, problem: string) => void;
}

interface Batch {
  readonly first: Add;
  readonly gossip: Gossip;
  readonly adds: Add[];
  readonly numbers: number[];
}

export class Input {
  readonly #options: InputOptions;
  readonly #splitter = new LineSplitter();
  #batch: Batch | null = null;
  #busy: Promise<void> = Promise.resolve();

  constructor(options: InputOptions) {
    this.#options = options;
  }

  /** Carries out all lines until the text ends. */
  async read(chunks: AsyncIterable<string>): Promise<void> {
    for await (const chunk of chunks) {
      this.#busy = this.#carryOut(this.#splitter.push(chunk));
      await this.#busy;
    }
    this.#busy = this.#carryOut(this.#splitter.end());
    await this.#busy;
  }

  /** Resolves when all that was read so far has been carried out. */
  async idle(): Promise<void> {
    await this.#busy;
  }

  async #carryOut(lines: readonly Line[]): Promise<void> {
    for (const { number, text } of lines) {
      try {
        if (text === null) throw new Error(`longer than ${MAX_LINE_CHARS} characters`);
        const command = parseCommand(text);
        if (command.type === 'add') await this.#collect(command, number);
        else await this.#one(command);
      } catch (error) {
        await this.#flush();
        this.#complain(number, error);
      }
    }
    await this.#flush();
  }

  /** Adds with the same gossip and options wait for each other. */
  async #collect(add: Add, number: number): Promise<void> {
    const gossip = this.#gossip(add.gossip);
    const batch = this.#batch;
    if (batch !== null && batch.gossip === gossip && isLike(batch.first, add)) {
      batch.adds.push(add);
      batch.numbers.push(number);
      return;
    }
    await this.#flush();
    this.#batch = { first: add, gossip, adds: [add], numbers: [number] };
  }

  async #one(command: Exclude<Command, Add>): Promise<void> {
    await this.#flush();
    if (command.type === 'status') this.#options.answerStatus();
    else await this.#gossip(command.gossip).remove(command.id);
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = null;
    if (batch === null) return;
    const { first, gossip, adds, numbers } = batch;
    try {
      await gossip.addMany(
        adds.map(({ id, value }) => [id, value] as const),
        optionsOf(first),
      );
    } catch (error) {
      // All or nothing: when nothing was written, one by one finds the bad ones.
      const several = adds.length > 1 && isGossipError(error) && error.fault === 'caller' && !error.stateChanged;
      if (several) await this.#oneByOne(batch);
      else for (const number of numbers) this.#complain(number, error);
    }
  }

  async #oneByOne({ gossip, adds, numbers }: Batch): Promise<void> {
    for (const [index, add] of adds.entries()) {
      try {
        await gossip.add(add.id, add.value, optionsOf(add));
      } catch (error) {
        this.#complain(numbers[index] as number, error);
      }
    }
  }

  #gossip(name: string | undefined): Gossip {
    const { gossips } = this.#options;
    const [first] = gossips.values();
    const gossip = name === undefined ? first : gossips.get(name);
    if (gossip === undefined) throw new Error(`no gossip "${name}" here; there are ${[...gossips.keys()].join(', ')}`);
    return gossip;
  }

  #complain(number: number, error: unknown): void {
    this.#options.complain(number, (error as Error).message);
  }
}

function isLike(a: Add, b: Add): boolean {
  return a.expiresIn === b.expiresIn && a.ephemeral === b.ephemeral;
}

function optionsOf({ expiresIn, ephemeral = false }: Add): AddOptions {
  return { ephemeral, ...(expiresIn === undefined ? {} : { expiresIn }) };
}

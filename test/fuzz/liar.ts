/**
 * A liar with a key: connects as a member does, opens channels, and says what he likes until he is cut off or tired of it.
 *
 * Invariants
 *  1. What he says in a session depends on its number and the seed alone, but for the numbers of transfers that the node
 *     gives him.
 *  2. He sends nothing behind a frame that must end the session, and waits until what he sent has been taken.
 */
import { encodeChannel, Encoder, Told } from '@grapevine/wire';
import { type CloseInfo, closeCodes, type Session, type Transport } from '@grapevine/transport';
import { isGossipError, type Message } from '@grapevine/core';
import { swim } from '@grapevine/node';
import type { Confinement } from './confinement.ts';
import { Dice } from './dice.ts';
import { Model } from './model.ts';
import { mutated } from './mutators.ts';
import { oddValues } from './oddities.ts';
import type { Oracle } from './oracle.ts';
import { protocols, type Scene } from './scene.ts';
import { type Heard, Speaker, type World } from './speaker.ts';

export interface LiarDetails {
  readonly name: string;
  readonly seed: number;
  readonly scene: Scene;
  readonly world: World;
  /** Null: he says anything. */
  readonly confinement: Confinement | null;
  readonly oracle: Oracle;
  /** Conversations that are told to him as material. */
  readonly corpus: readonly (readonly Uint8Array[])[];
}

/** The share of frames that are changed before they are sent. */
const MUTATED = 0.1;
/** The share of frames that would end the session and are said nevertheless: a session costs as much as many frames. */
const FATAL = 0.1;
const BATCH = 32;
/** After so many frames he has enough of a session, on average. */
const TIRED_AFTER = 400;
/** So many turns of the event loop he waits for the node to take what he sent. */
const PATIENCE_TURNS = 20_000;
const instances = ['flags', 'news', 'state'] as const;
const membership = swim();

export class Liar {
  readonly #details: LiarDetails;
  readonly #transport: Transport;
  readonly #encoder = new Encoder();
  #session: Session | null = null;
  #end: CloseInfo | null = null;
  #dialled: string | null = null;
  #sessions = 0;
  #unheard = 0;
  readonly #heard: Heard = { invitations: [] };

  private constructor(details: LiarDetails) {
    this.#details = details;
    this.#transport = details.scene.transport({
      name: details.name,
      epoch: details.scene.now(),
      security: { keys: [details.scene.key] },
      maxFrameBytes: 4 * 1024 * 1024,
    });
  }

  static async start(details: LiarDetails): Promise<Liar> {
    const liar = new Liar(details);
    await liar.#transport.start({
      opened: (session) => liar.#opened(session),
      closed: (session, info) => {
        if (session === liar.#session) liar.#end = info;
      },
      dialEnded: ({ outcome, error }) => {
        liar.#dialled = error?.code ?? outcome;
      },
    });
    return liar;
  }

  get sessions(): number {
    return this.#sessions;
  }

  /** Holds one session after the other, as long as he is told to. */
  async talk(goesOn: () => boolean): Promise<void> {
    while (goesOn() && !this.#details.oracle.hasFailed) await this.#hold(goesOn);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  #opened(session: Session): void {
    this.#session = session;
    this.#end = null;
    const decoder = new Model();
    session.onFrames = (frames) => {
      for (const frame of frames) {
        const { incoming, expected } = decoder.read(frame);
        if (expected === 'ends') this.#details.oracle.fail(`the node sent ${Buffer.from(frame).toString('hex')}`);
        if (incoming?.type !== 'gossip' || incoming.message.type !== 'contexts') continue;
        if (incoming.message.invitation > 0) this.#heard.invitations.push(incoming.message.invitation);
      }
    };
  }

  async #hold(goesOn: () => boolean): Promise<void> {
    const { oracle, scene, seed } = this.#details;
    this.#session = null;
    this.#dialled = null;
    this.#heard.invitations.length = 0;
    this.#transport.connect(scene.url);
    await turns(() => this.#session !== null || this.#dialled !== null, Number.POSITIVE_INFINITY);
    const session = this.#session as Session | null;
    if (session === null) {
      oracle.count(this.#dialled ?? 'nobody answers');
      this.#unheard += 1;
      if (this.#unheard > 1000) oracle.fail(`${this.#details.name} is not heard any more: ${this.#dialled}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return;
    }
    this.#unheard = 0;
    const talk = new Talk(this.#details, Dice.of(seed, this.#sessions++), this.#heard, this.#encoder);
    const outcome = await this.#send(session, talk, goesOn);
    if (this.#end === null) {
      session.close(closeCodes.NORMAL, outcome);
      await turns(() => this.#end !== null, Number.POSITIVE_INFINITY);
      oracle.ended(this.#end as unknown as CloseInfo, 'liar');
      return;
    }
    const end = oracle.ended(this.#end, 'node');
    if (outcome === 'goes on' && end === 'FRAME_MALFORMED')
      oracle.fail(
        `${this.#details.name} was cut off for a frame that is none to be cut off for: ${reasonOf(this.#end)}`,
      );
  }

  /** @returns what shall come of what was sent */
  async #send(session: Session, talk: Talk, goesOn: () => boolean): Promise<string> {
    while (this.#end === null) {
      let last = talk.next();
      for (let i = 1; ; i++) {
        session.send(last.frame, 'reply');
        if (i >= BATCH || last.expected === 'ends' || this.#end !== null) break;
        last = talk.next();
      }
      const taken = await turns(() => this.#end !== null || session.queuedBytes === 0, PATIENCE_TURNS);
      if (last.expected === 'ends') {
        if (await turns(() => this.#end !== null, PATIENCE_TURNS)) return 'ends';
        this.#details.oracle.fail(
          `${this.#details.name} was not cut off for ${Buffer.from(last.frame).toString('hex')}`,
        );
      }
      if (!taken) return 'is not read any more';
      if (talk.isUnsure) return 'unsure';
      if (!goesOn() || talk.isOver) break;
    }
    // What he sent last may be read a little later.
    await turns(() => this.#end !== null, 3);
    return talk.isUnsure ? 'unsure' : 'goes on';
  }
}

/** What is said in one session, frame by frame. */
class Talk {
  readonly #details: LiarDetails;
  readonly #dice: Dice;
  readonly #encoder: Encoder;
  readonly #speaker: Speaker;
  readonly #model = new Model();
  readonly #told = new Told();
  readonly #channels: ReadonlyMap<string, number>;
  readonly #waiting: Uint8Array[] = [];
  /** What was said, to be said again. */
  readonly #said: Uint8Array[] = [];
  #left: number;
  isUnsure = false;

  constructor(details: LiarDetails, dice: Dice, heard: Heard, encoder: Encoder) {
    this.#details = details;
    this.#dice = dice;
    this.#encoder = encoder;
    this.#speaker = new Speaker(dice, details.world, heard);
    this.#left = Math.ceil(-Math.log(1 - dice.random()) * TIRED_AFTER);
    const names = [...instances, '$membership'];
    this.#channels = new Map(names.map((name, i) => [name, dice.chance(0.9) ? i : dice.below(65_536)]));
    for (const [instance, channel] of this.#channels) {
      const protocol = dice.chance(0.99) ? (protocols[instance]?.name ?? membership.name) : 'none';
      const newestEpochOfYou = dice.chance(0.99) ? 0 : dice.below(1000);
      this.#waiting.push(encodeChannel({ channel, instance, protocol, newestEpochOfYou }));
    }
  }

  get isOver(): boolean {
    return this.#left <= 0;
  }

  next(): { readonly frame: Uint8Array; readonly expected: string } {
    for (;;) {
      if (this.#waiting.length === 0) this.#say();
      const frame = this.#changed(this.#waiting.shift() as Uint8Array);
      // What may not be said must not be read either: a frame that is read may tell numbers of origins.
      const { incoming, expected, mayHaveTaught } = this.#model.read(frame);
      if (this.#details.confinement?.allows(incoming) === false) continue;
      if (expected === 'ends' && !mayHaveTaught && !this.#dice.chance(FATAL)) continue;
      this.#left -= 1;
      if (expected === 'unsure') this.isUnsure = true;
      if (this.#said.length < 64) this.#said.push(frame);
      else this.#said[this.#dice.below(64)] = frame;
      return { frame, expected };
    }
  }

  #changed(frame: Uint8Array): Uint8Array {
    const dice = this.#dice;
    if (!dice.chance(tellsNumbers(frame) ? MUTATED / 10 : MUTATED) || frame.length === 0) return frame;
    return mutated(frame, dice, this.#said.length > 0 ? dice.pick(this.#said) : frame);
  }

  /** Puts at least one frame where the next is taken from. */
  #say(): void {
    const dice = this.#dice;
    switch (
      dice.weighted([
        [85, 'speak'],
        [8, 'repeat'],
        [2, 'swap'],
        [0.2, 'corpus'],
        [0.3, 'odd'],
        [0.5, 'bytes'],
        [1, 'channel'],
      ] as const)
    ) {
      case 'repeat':
        if (this.#said.length > 0) for (let i = dice.below(3); i >= 0; i--) this.#waiting.push(dice.pick(this.#said));
        else this.#speak();
        return;
      case 'swap': {
        const before = this.#waiting.length;
        this.#speak();
        this.#speak();
        this.#waiting.push(...this.#waiting.splice(before, 1));
        return;
      }
      case 'corpus':
        // Of a conversation the frames as they are, in a session where other things were said.
        if (this.#details.corpus.length > 0) this.#waiting.push(...dice.pick(this.#details.corpus));
        else this.#speak();
        return;
      case 'odd':
        this.#waiting.push(dice.pick(oddValues));
        return;
      case 'bytes':
        this.#waiting.push(dice.bytes(1 + dice.below(100)));
        return;
      case 'channel':
        this.#waiting.push(this.#aboutChannels());
        return;
      default:
        this.#speak();
    }
  }

  #aboutChannels(): Uint8Array {
    const dice = this.#dice;
    const channel = dice.below(50);
    // Numbers of origins that are forgotten make the next frame that uses them malformed.
    if (dice.chance(0.1)) return Uint8Array.from([0x92, 4, 1 + dice.below(20)]);
    if (dice.chance(0.1)) return Uint8Array.from([0x93, 2, channel % 5, 0xa1, 0x78]);
    const instance = dice.pick([...instances, 'unknown']);
    const protocol = dice.chance(0.5) ? (protocols[instance]?.name ?? 'x') : dice.pick(['hybrid', 'rumor', 'swim']);
    return encodeChannel({ channel: 100 + channel, instance, protocol, newestEpochOfYou: 0 });
  }

  #speak(): void {
    const dice = this.#dice;
    const instance = dice.weighted([
      [4, 'flags'],
      [3, 'news'],
      [3, 'state'],
      [2, '$membership'],
    ] as const);
    const message =
      instance === '$membership'
        ? this.#speaker.membership()
        : this.#speaker.message((protocols[instance] as { accepts: (message: Message) => boolean }).accepts);
    const frame = encoded(this.#encoder, this.#channels.get(instance) as number, message);
    if (frame === undefined) return this.#speak();
    this.#waiting.push(...this.#told.missing(frame), frame.bytes);
  }
}

/** Whether it is a list of numbers, which mostly ends the session when it is changed. */
function tellsNumbers(frame: Uint8Array): boolean {
  return frame[1] === 3 || frame[1] === 4;
}

/** Nothing for what cannot be said at all. */
function encoded(encoder: Encoder, channel: number, message: Message): ReturnType<Encoder['encode']> | undefined {
  try {
    return encoder.encode(channel, message);
  } catch (error) {
    if (isGossipError(error)) return undefined;
    throw error;
  }
}

/** Waits for so many turns of the event loop. @returns whether it came */
async function turns(holds: () => boolean, patience: number): Promise<boolean> {
  for (let turn = 0; !holds(); turn++) {
    if (turn >= patience) return false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}

function reasonOf({ code, reason }: CloseInfo): string {
  return `${code} ${reason}`;
}

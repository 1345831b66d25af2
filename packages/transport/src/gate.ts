/**
 * The gate: whether a connection may go on, as things stand: by the rules of pairs, by what a former self says, and by
 * the room that is left.
 *
 * Invariants
 *  1. There are never more than `maxConnections` sessions, nor more accepted connections beside them than there is room
 *     for, plus a few that have not yet said who they are: one that takes the place of an open session needs no room.
 *  2. Of those that were accepted no more than `maxHandshakes` are being heard or are closing, sessions that were closed here
 *     included, but for one that has just given way, and no more than `maxConnectionsPerAddress` come from one address, open
 *     sessions included. A transport that closes more sessions at once than that is below again as others come.
 *  3. No address keeps others out by connections that prove nothing.
 *  4. Of two living nodes of one name the one that was there stays; one that took the other's URL is its successor.
 *
 * Source: docs/wire.md; pairing.ts has the rules of pairs, former.ts the question.
 */
import { closeCodes, type Reason } from './close-codes.ts';
import { askFormer } from './former.ts';
import type { Handshake } from './handshake.ts';
import type { ResolvedOptions } from './options.ts';
import { judge, mayBeAnother, type Refused, type Rival, type Step } from './pairing.ts';
import type { Link, Peer } from './session.ts';

/** How many may be asked for their names while there is no room: one of them may come to replace its broken session. */
const strangers = 16;

export type Reservation = Handshake & { readonly peer: Peer };

export interface GateDetails {
  readonly options: ResolvedOptions;
  readonly links: ReadonlyMap<string, Link>;
  readonly handshakes: ReadonlySet<Handshake>;
  /** Sessions that were closed here and whose connections are still there, the longest closed first. */
  readonly closing: ReadonlySet<Link>;
  /** The spelling of a URL that is compared. */
  readonly canonical: (url: string) => string | null;
}

export class Gate {
  readonly #details: GateDetails;

  constructor(details: GateDetails) {
    this.#details = details;
  }

  /**
   * Whether a connection that was accepted is heard. Where there is no room, another gives way: one that is closing already,
   * or the oldest unproven one of the address that has most of them.
   * @param address where it comes from, if that is known
   */
  atDoor(address: string | null): Refused | null {
    const { links, options } = this.#details;
    const { maxHandshakes, maxConnections, maxConnectionsPerAddress, name } = options;
    const waiting = this.#atDoor();
    if (waiting.length >= maxHandshakes) {
      const { length } = waiting;
      const refused = tooMany(
        (shown) => `${length} that dial have not said who they are (maxHandshakes of "${shown(name)}"): try again`,
      );
      if (!giveWay(waiting, refused)) return refused;
    }
    const ofAddress = this.#atDoor().filter((one) => one.address === address);
    let count = ofAddress.length;
    for (const link of links.values()) if (!link.dialled && link.address === address) count++;
    if (address !== null && count >= maxConnectionsPerAddress) {
      const refused = tooMany(
        (shown) =>
          `"${shown(name)}" takes ${maxConnectionsPerAddress} of an address: raise its maxConnectionsPerAddress`,
      );
      if (!giveWay(ofAddress, refused)) return refused;
    }
    const left = this.#atDoor();
    if (links.size + left.length < maxConnections + strangers) return null;
    const refused = this.#full();
    return giveWay(left, refused) ? null : refused;
  }

  /** Whether there is room for what a dial would bring. */
  beforeDial(): Refused | null {
    return this.#taken(null) < this.#details.options.maxConnections ? null : this.#full();
  }

  /**
   * Whether the connection may go on with this peer: `decide` is told, null for yes, at once or later.
   * @param silent a former self that was asked already
   * @returns a function that gives up
   */
  judge(step: Step, peer: Peer, decide: (refused: Refused | null) => void, silent?: Link): () => void {
    const { options, links } = this.#details;
    const { rivalTimeoutMs: timeoutMs, setTimer } = options;
    const refused = this.#judgePair(step, peer) ?? this.#judgeRoom(step, peer);
    const former = links.get(peer.name);
    if (
      refused !== null ||
      step === 'commit' ||
      former === undefined ||
      former === silent ||
      !this.#isInQuestion(former, peer)
    ) {
      decide(refused);
      return () => {};
    }
    let giveUp = askFormer(former, {
      timeoutMs,
      setTimer,
      answered: (lives) => {
        if (lives) decide(nameTaken(former));
        // Meanwhile things may stand otherwise.
        else giveUp = this.judge(step, peer, decide, former);
      },
    });
    return () => giveUp();
  }

  /** The accepted dials of a peer that wait for its commit. */
  reservations(name: string): Reservation[] {
    const found: Reservation[] = [];
    for (const handshake of this.#details.handshakes) {
      if (handshake.isReservation && handshake.peer?.name === name) found.push(handshake as Reservation);
    }
    return found;
  }

  /** What was accepted and is no session: those that are closing first, then those that are heard, the oldest first. */
  #atDoor(): (Link | Handshake)[] {
    const { closing, handshakes } = this.#details;
    return [...closing, ...handshakes].filter(({ dialled }) => !dialled);
  }

  #judgePair(step: Step, peer: Peer): Refused | null {
    const { options, links } = this.#details;
    const rivals: Rival[] = this.reservations(peer.name).map(({ peer: { epoch } }) => ({ epoch, state: 'reserved' }));
    const open = links.get(peer.name);
    if (open !== undefined) rivals.push({ epoch: open.peer.epoch, state: 'open' });
    return judge(step, { self: options, peer, rivals });
  }

  #judgeRoom(step: Step, { name }: Peer): Refused | null {
    const { options, links } = this.#details;
    if (links.has(name)) return null;
    // Who commits has a reservation, and who is welcomed ends those of the same peer.
    const taken = step === 'commit' ? links.size : this.#taken(step === 'welcome' ? name : null);
    return taken < options.maxConnections ? null : this.#full();
  }

  /** Sessions and reservations, but for those of the peer of this name. */
  #taken(but: string | null): number {
    let taken = this.#details.links.size;
    for (const { isReservation, peer } of this.#details.handshakes) if (isReservation && peer?.name !== but) taken++;
    return taken;
  }

  #full(): Refused {
    const { name, maxConnections } = this.#details.options;
    return tooMany(
      (shown) => `all ${maxConnections} connections of "${shown(name)}" are taken: raise its maxConnections`,
    );
  }

  #isInQuestion({ peer: former }: Link, newcomer: Peer): boolean {
    const canonical = ({ url }: Peer): string | null => (url === null ? null : this.#details.canonical(url));
    const at = ({ epoch }: Peer, url: string | null): { epoch: number; url: string | null } => ({ epoch, url });
    return mayBeAnother(at(newcomer, canonical(newcomer)), at(former, canonical(former)));
  }
}

/**
 * Has one connection give way.
 * @param waiting that were accepted, the oldest first
 * @returns false where all have proven themselves
 */
function giveWay(waiting: readonly (Link | Handshake)[], { code, reason }: Refused): boolean {
  const closing = waiting.find(({ isOver }) => isOver);
  if (closing !== undefined) {
    // It was told why already. What is left of it is waiting for its close frame.
    closing.cut();
    return true;
  }
  const oldest = oldestOfBusiest(waiting.filter((one): one is Handshake => one.isUnproven));
  oldest?.refuse(code, reason);
  return oldest !== undefined;
}

function oldestOfBusiest(unproven: readonly Handshake[]): Handshake | undefined {
  const counts = new Map<string | null, number>();
  let busiest: string | null = null;
  for (const { address } of unproven) {
    const count = (counts.get(address) ?? 0) + 1;
    counts.set(address, count);
    if (count > (counts.get(busiest) ?? 0)) busiest = address;
  }
  return unproven.find(({ address }) => address === busiest);
}

function tooMany(reason: Reason): Refused {
  return { code: closeCodes.TOO_MANY_CONNECTIONS, reason };
}

/** The URL stands last: it may be cut off. */
function nameTaken({ peer: { name, url } }: Link): Refused {
  const where = url === null ? '' : `; it is at ${url}`;
  return {
    code: closeCodes.NAME_TAKEN,
    reason: (shown) => `a living node is named "${shown(name)}": give each its own name (--name)${where}`,
  };
}

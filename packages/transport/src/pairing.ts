/**
 * One connection per pair: who stays when there are several.
 *
 * The dialler says hello, the acceptor answers with its own, and the dialler then commits with an empty frame or closes.
 * Until the commit the acceptor holds a mere reservation.
 *
 * Invariants
 *  1. A dialler commits only while it has no open session with the peer, and an acceptor obeys every commit. So a side
 *     that lost the connection replaces the corpse at once, and a second URL of a connected peer disturbs nobody.
 *  2. Where two dials cross, both diallers see the other's reservation and decide alike: the lower name's dial wins.
 *  3. Of two epochs of one name the higher stays, unless the lower, which was there, shows that it lives.
 *
 * Source: docs/wire.md.
 */
import { closeCodes, type Reason } from './close-codes.ts';

export interface Identity {
  readonly name: string;
  readonly epoch: number;
}

/** Another connection with a peer of the same name: an open session, or the reservation for a dial of the peer. */
export interface Rival {
  readonly epoch: number;
  readonly state: 'open' | 'reserved';
}

export interface Refused {
  readonly code: number;
  readonly reason: Reason;
}

/**
 * Where a connection stands. `hello`: we accepted it and would answer. `welcome`: we dialled and would commit. `commit`:
 * we accepted it and the peer has committed.
 */
export type Step = 'hello' | 'welcome' | 'commit';

/** Whether a connection whose hello came in may go on; null is yes. */
export function judge(
  step: Step,
  { self, peer, rivals }: { readonly self: Identity; readonly peer: Identity; readonly rivals: readonly Rival[] },
): Refused | null {
  if (peer.name === self.name) {
    if (peer.epoch === self.epoch) return { code: closeCodes.SELF, reason: 'the URL leads to the node itself' };
    return {
      code: closeCodes.NAME_TAKEN,
      reason: (shown) => `both nodes are named "${shown(peer.name)}": give each its own name (--name)`,
    };
  }
  if (rivals.some((rival) => rival.epoch > peer.epoch)) {
    return {
      code: closeCodes.NAME_TAKEN,
      reason: (shown) =>
        `a node named "${shown(peer.name)}" with a higher epoch is connected: give each its own name (--name)`,
    };
  }
  if (step !== 'welcome') return null;
  const theirsWins = peer.name < self.name;
  const isDuplicate = rivals.some((rival) => rival.epoch === peer.epoch && (rival.state === 'open' || theirsWins));
  return isDuplicate ? { code: closeCodes.DUPLICATE, reason: 'the pair has another connection' } : null;
}

/** A node that bears a name, and the compared spelling of its URL; null where it has none. */
export interface Place {
  readonly epoch: number;
  readonly url: string | null;
}

/**
 * Whether a newcomer may be another node than the connected one of its name, which must then be asked whether it lives.
 * Two nodes cannot listen at one URL: who has that of the other took its place.
 */
export function mayBeAnother(newcomer: Place, former: Place): boolean {
  return newcomer.epoch > former.epoch && (newcomer.url === null || newcomer.url !== former.url);
}

/** How a rival ends once a connection with the peer has settled; null when it is left to its dialler. */
export function settle(step: 'welcome' | 'commit', peer: Identity, rival: Rival): Refused | null {
  if (rival.epoch < peer.epoch)
    return { code: closeCodes.REPLACED, reason: 'the peer of this name came with a higher epoch' };
  if (rival.state === 'open' || step === 'welcome')
    return { code: closeCodes.DUPLICATE, reason: 'the pair has another connection' };
  // A second dial of the peer's own: the peer keeps one and closes the other itself.
  return null;
}

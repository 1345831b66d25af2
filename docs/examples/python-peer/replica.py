"""What an instance holds, and the exchange of anti-entropy: docs/wire.md, "What is said when"."""

import random
import time

import frames
import sums
from frames import EPOCH_MS, Malformed, Origin, Update, whole

MAX_DRIFT_MS = 60_000
TOMBSTONE_MS = 3_600_000
CHUNK_BYTES, CHUNK_UPDATES, WINDOW = 48 * 1024, 2000, 8
ANSWER_BYTES, ASK_DOTS = 1024 * 1024, 8192
PATIENCE_MS = 5000


def now_ms():
    return int(time.time() * 1000)


# Sets of dots


def has(dots, origin, sequence):
    return any(first <= sequence <= last for first, last in dots.get(origin, ()))


def add(dots, origin, first, last):
    kept = dots.setdefault(origin, [])
    if kept and kept[-1][1] + 1 == first:
        kept[-1][1] = last
        return
    merged = []
    for interval in sorted(kept + [[first, last]]):
        if merged and interval[0] <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], interval[1])
        else:
            merged.append(list(interval))
    dots[origin] = merged


def add_all(dots, more):
    for origin, intervals in more.items():
        for first, last in intervals:
            add(dots, origin, first, last)


def without(dots, others):
    """What of `dots` is not in `others`."""
    rest = {}
    for origin, intervals in dots.items():
        left = []
        taken = others.get(origin, [])
        for first, last in intervals:
            for gone_first, gone_last in taken:
                if gone_last < first or gone_first > last:
                    continue
                if gone_first > first:
                    left.append([first, gone_first - 1])
                first = gone_last + 1
                if first > last:
                    break
            if first <= last:
                left.append([first, last])
        if left:
            rest[origin] = left
    return rest


def each(dots):
    for origin, intervals in dots.items():
        for first, last in intervals:
            for sequence in range(first, last + 1):
                yield origin, sequence


class Exchange:
    """What this node knows of a peer in an instance, for as long as the connection lasts."""

    def __init__(self):
        self.refused = {}  # what the peer has refused of ours
        self.outgoing = None
        self.told = self.agreed = -1  # our version when the peer was told our sums, and when its own were equal


class Replica:
    def __init__(self, name, protocol, send):
        """`send(peer, kind, *fields, told=origins)` sends a message of this instance."""
        self.name, self.protocol, self.send = name, protocol, send
        self.origin, self.sequence, self.stamp = Origin(name, now_ms()), 0, 0
        self.ids, self.dots = {}, {}  # id → newest update; dot → the same, while it is held
        self.context, self.newest = {}, {}
        self.seeds, self.hashes = {}, {}
        self.held_back = []  # from the future, in no context
        self.version = 0  # of the context and of what is live
        self.peers = {}
        self.invitations = random.randrange(2**30)
        self.incoming = None  # [peer, invitation, next index, untaken, when]
        self.numbers = frames.Numbers()
        self.removals = []  # (when it arrived, tombstone)

    # The store

    def write(self, id, value, expires_in=None):
        now = now_ms()
        self.stamp = max(self.stamp + 1, (now - EPOCH_MS) * 4096)
        self.sequence += 1
        expires = None if expires_in is None else now + expires_in
        update = Update(id, value, self.stamp, self.origin, self.sequence, expires)
        self.store(update)
        return update

    def adopt(self, epoch):
        """A peer knows this epoch of our name: what is written must bear a higher one."""
        if epoch >= self.origin.epoch and self.sequence == 0 and epoch < 2**53 - 2**22:
            self.origin = Origin(self.name, epoch + 1)

    def store(self, update):
        """Enters an update into store and context, in one step."""
        add(self.context, update.origin, update.sequence, update.sequence)
        self.newest[update.origin] = max(self.newest.get(update.origin, 0), update.stamp)
        self.stamp = max(self.stamp, update.stamp)
        self.version += 1
        former = self.ids.get(update.id)
        if former is not None and former.version > update.version:
            return
        if former is not None:
            del self.dots[former.origin, former.sequence]
            del self.ids[update.id]  # the order of the ids is that of arrival
            self.newest[former.origin] = max(self.newest[former.origin], update.stamp)
        self.ids[update.id] = self.dots[update.origin, update.sequence] = update
        if update.value is None:
            self.removals.append((now_ms(), update))

    def drop(self, update):
        del self.ids[update.id]
        del self.dots[update.origin, update.sequence]
        self.version += 1

    def expire(self):
        now = now_ms()
        for update in [u for u in self.ids.values() if u.expires is not None and u.expires <= now and not u.has_expired]:
            update.value, update.has_expired = None, True
            self.removals.append((now, update))
            self.version += 1
        while self.removals and self.removals[0][0] <= now - TOMBSTONE_MS:
            _, update = self.removals.pop(0)
            if self.dots.get((update.origin, update.sequence)) is update:
                self.drop(update)
        due, limit = self.held_back, self.stamp_limit()
        self.held_back = [update for update in due if update.stamp > limit]
        for update in due:
            if update.stamp <= limit and not has(self.context, update.origin, update.sequence):
                self.store(update)

    def stamp_limit(self):
        return (now_ms() + MAX_DRIFT_MS - EPOCH_MS) * 4096

    def receive(self, updates):
        """Takes updates. Returns which were known, and which were news, as dots."""
        known, news, limit = {}, {}, self.stamp_limit()
        for update in updates:
            dot = update.origin, update.sequence
            if has(self.context, *dot):
                add(known, *dot, update.sequence)
            elif update.stamp > limit:
                if all((u.origin, u.sequence) != dot for u in self.held_back):
                    self.held_back.append(update)
            else:
                self.store(update)
                add(news, *dot, update.sequence)
        self.expire()
        return known, news

    # Sums

    def lanes(self, origin):
        if origin not in self.seeds:
            self.seeds[origin] = sums.seeds(*origin)
        return self.seeds[origin]

    def sum_of(self, dots):
        total = sums.ZERO
        for origin, intervals in dots.items():
            for first, last in intervals:
                total = sums.plus(total, sums.of_interval(self.lanes(origin), first, last))
        return total

    def sum_of_live(self, updates):
        total = sums.ZERO
        for update in updates:
            key = update.origin, update.sequence
            if key not in self.hashes:
                self.hashes[key] = sums.of_number(self.lanes(update.origin), update.sequence)
            total = sums.plus(total, self.hashes[key])
        return total

    def live(self, horizon, but_for=()):
        return [
            update
            for update in self.ids.values()
            if update.outlives(horizon) and not (but_for and has(but_for, update.origin, update.sequence))
        ]

    def status_hash(self):
        self.expire()
        return sums.shown(self.sum_of(self.context)) + sums.shown(self.sum_of_live(self.live(0)))

    # Peers

    def arrived(self, peer):
        self.peers[peer] = Exchange()
        if self.name < peer:
            self.compare(peer)

    def gone(self, peer):
        self.peers.pop(peer, None)
        if self.incoming is not None and self.incoming[0] == peer:
            self.incoming = None

    def mail(self, updates):
        """Own writes go to everybody at once, where the protocol has mail."""
        for peer in self.peers if self.protocol == 'hybrid' else ():
            self.send_updates(peer, frames.BY_MAIL, updates)

    def send_updates(self, peer, cause, updates):
        for batch in batches(updates):
            told = []
            self.send(peer, frames.UPDATES, cause, *frames.write_updates(batch, self.numbers, told), told=told)

    def cycle(self):
        """Compares with one peer that may differ."""
        self.expire()
        if self.incoming is not None and now_ms() - self.incoming[4] > PATIENCE_MS:
            self.incoming = None
        differing = [peer for peer, exchange in self.peers.items() if exchange.agreed != self.version]
        if differing:
            self.compare(random.choice(differing))

    def still_refused(self, exchange):
        """Of what a peer refused, that which is still held here: the rest is no matter any more."""
        held = {}
        for origin, sequence in each(exchange.refused):
            update = self.dots.get((origin, sequence))
            if update is not None and not update.has_expired:
                add(held, origin, sequence, sequence)
        exchange.refused = held
        return held

    def own_sums(self, exchange, horizon):
        """The sums to tell a peer and to compare with its own: without what it refused."""
        refused = self.still_refused(exchange)
        return self.sum_of(without(self.context, refused)), self.sum_of_live(self.live(horizon, refused))

    def compare(self, peer):
        exchange, horizon = self.peers[peer], now_ms() + MAX_DRIFT_MS
        exchange.told = self.version
        context, live = self.own_sums(exchange, horizon)
        fields, more = frames.sum_fields(context, live)
        self.send(peer, frames.HASHES, *fields, horizon, frames.PUSH_PULL, *more)

    def bucket(self, buckets):
        """The context in these buckets; None: in all."""
        if buckets is None:
            return {origin: list(map(list, intervals)) for origin, intervals in self.context.items()}
        chosen = set(buckets)
        return {o: list(map(list, i)) for o, i in self.context.items() if sums.origin_bucket(self.lanes(o)) in chosen}

    def tell_context(self, peer, buckets, direction):
        invitation = 0 if direction == frames.PULLING else self.invite(peer)
        self.send_context(peer, buckets, invitation, direction != frames.PUSH)

    def send_context(self, peer, buckets, invitation, answer):
        told = []
        dots = frames.write_dots(self.bucket(buckets), self.numbers, told, self.newest)
        self.send(peer, frames.CONTEXTS, frames.write_buckets(buckets), dots, invitation, answer, told=told)

    def invite(self, peer):
        if self.incoming is not None and now_ms() - self.incoming[4] <= PATIENCE_MS:
            return 0
        self.invitations += 1
        self.incoming = [peer, self.invitations, 0, {}, now_ms()]
        return self.invitations

    # Messages

    def hear(self, peer, kind, fields, origins):
        exchange = self.peers.get(peer)
        if exchange is None:
            return
        if kind == frames.HASHES:
            self.on_hashes(peer, exchange, fields)
        elif kind == frames.BUCKET_SUMS:
            theirs = frames.read_all_sums(whole(fields[0]), fields[1], fields[3:], 256)
            ours = [sums.ZERO] * 256
            for origin in self.context:
                bucket = sums.origin_bucket(self.lanes(origin))
                ours[bucket] = sums.plus(ours[bucket], self.sum_of({origin: self.context[origin]}))
            differing = [bucket for bucket in range(256) if ours[bucket] != theirs[bucket]]
            mirrored = {frames.PUSH: frames.PULLING, frames.PULLING: frames.PUSH}
            if differing:
                self.tell_context(peer, differing, mirrored.get(whole(fields[2]), frames.PUSH_PULL))
        elif kind == frames.CONTEXTS:
            buckets, (theirs, _) = frames.read_buckets(fields[0]), frames.read_dots(fields[1], origins, True)
            if fields[3] and without(theirs, self.context):
                invitation = self.invite(peer)
                if invitation:
                    self.send_context(peer, buckets, invitation, False)
            if whole(fields[2]):
                exchange.outgoing = [whole(fields[2]), buckets, theirs, [], 0, 0]
                add_all(theirs, self.still_refused(exchange))
                self.produce(peer, exchange)
        elif kind == frames.CHUNK:
            self.on_chunk(peer, whole(fields[0]), whole(fields[1]), frames.read_updates(fields[2:], origins))
        elif kind == frames.END:
            self.on_end(peer, fields, origins)
        elif kind == frames.ACK:
            outgoing = exchange.outgoing
            if outgoing and outgoing[0] == whole(fields[0]) and whole(fields[1]) < outgoing[4]:
                outgoing[5] = max(outgoing[5], fields[1] + 1)
                self.produce(peer, exchange)
        elif kind == frames.LIVE_SUMS:
            theirs, horizon = frames.read_all_sums(whole(fields[0]), fields[1], fields[3:], 1024), whole(fields[2], -(2**53))
            ours = [[] for _ in range(1024)]
            for update in self.live(horizon):
                ours[sums.id_bucket(update.id)].append(update)
            differing = [b for b in range(1024) if self.sum_of_live(ours[b]) != theirs[b]]
            if differing:
                self.list_live(peer, differing, max(horizon, now_ms() + MAX_DRIFT_MS), True)
        elif kind == frames.LIVE_DOTS:
            self.on_live_dots(peer, fields, origins)
        elif kind == frames.REFUSED:
            add_all(exchange.refused, frames.read_dots(fields[0], origins))
            exchange.told = exchange.agreed = -1
        elif kind == frames.ROOM:
            dots = frames.read_dots(fields[0], origins)
            exchange.refused = without(exchange.refused, dots) if dots else {}
            exchange.told = exchange.agreed = -1
            if exchange.outgoing:
                exchange.outgoing[2] = without(exchange.outgoing[2], dots) if dots else exchange.outgoing[2]
        elif kind == frames.UPDATES:
            known, news = self.receive(frames.read_updates(fields[1:], origins))
            if whole(fields[0]) == frames.BY_PUSH:
                self.feedback(peer, known, news)
        elif kind == frames.ANNOUNCE:
            dots = frames.read_dots(fields[0], origins)
            news = without(dots, self.context)
            self.feedback(peer, without(dots, news), news)
            if news:
                self.send_dots(peer, frames.ASK, news)
        elif kind == frames.ASK:
            self.answer(peer, frames.read_dots(fields[0], origins))

    def feedback(self, peer, known, news):
        told = []
        columns = [frames.write_dots(dots, self.numbers, told) for dots in (known, news)]
        self.send(peer, frames.FEEDBACK, *columns, told=told)

    def send_dots(self, peer, kind, dots):
        told = []
        self.send(peer, kind, frames.write_dots(dots, self.numbers, told), told=told)

    def answer(self, peer, asked):
        updates, gone, size, is_cut = [], {}, 0, False
        for count, (origin, sequence) in enumerate(each(asked)):
            is_cut = size >= ANSWER_BYTES or count == ASK_DOTS
            if is_cut:
                break
            update = self.dots.get((origin, sequence))
            if update is None or update.has_expired:
                add(gone, origin, sequence, sequence)
            else:
                updates.append(update)
                size += len(update.id) + len(update.value or b'')
        self.send_updates(peer, frames.AS_ANSWER, updates)
        if gone or is_cut:  # of no dots, perhaps: the rest is to be asked for again
            self.send_dots(peer, frames.GONE, gone)

    def on_hashes(self, peer, exchange, fields):
        horizon, direction = whole(fields[4], -(2**53)), whole(fields[5])
        theirs = frames.read_two_sums(fields[:4], fields[6:10])
        ours = self.own_sums(exchange, horizon)
        if ours[0] != theirs[0]:
            self.tell_context(peer, None, direction)
        elif ours[1] != theirs[1]:
            self.list_live(peer, None, max(horizon, now_ms() + MAX_DRIFT_MS), True)
        else:
            exchange.agreed = self.version
            if exchange.told != self.version:
                self.compare(peer)  # it has not heard yet that we are equal

    # What the peer lacks

    def produce(self, peer, exchange):
        """Sends chunks while the window is open, and the end when the peer lacks nothing more."""
        self.expire()
        outgoing = exchange.outgoing
        invitation, buckets, theirs = outgoing[:3]
        while True:
            while outgoing[3]:
                if outgoing[4] - outgoing[5] >= WINDOW:
                    return
                chunk = [u for u in outgoing[3].pop(0) if self.dots.get((u.origin, u.sequence)) is u and not u.has_expired]
                if chunk:
                    told = []
                    columns = frames.write_updates(chunk, self.numbers, told)
                    self.send(peer, frames.CHUNK, invitation, outgoing[4], *columns, told=told)
                    outgoing[4] += 1
            missing = without(self.bucket(buckets), theirs)
            if not missing:
                break
            held = [u for u in self.ids.values() if not u.has_expired and has(missing, u.origin, u.sequence)]
            outgoing[3] = list(batches(held))
            add_all(theirs, missing)
        exchange.outgoing = None
        refused, horizon, told = self.still_refused(exchange), now_ms() + MAX_DRIFT_MS, []
        whole_context = self.bucket(buckets)
        claim = without(whole_context, refused)
        # The sum of the whole context, as if it held no more of these buckets than the claim says.
        context = sums.plus(sums.minus(self.sum_of(self.context), self.sum_of(whole_context)), self.sum_of(claim))
        live = self.sum_of_live(self.live(horizon, refused))
        dots = frames.write_dots(claim, self.numbers, told, self.newest)
        first, more = frames.sum_fields(context, live)
        fields = [*first, horizon, *more]
        self.send(peer, frames.END, invitation, outgoing[4], frames.write_buckets(buckets), dots, *fields, told=told)

    # What we lack

    def advance(self, peer, invitation, index):
        """Whether a frame is the next of the open transfer; one that is not ends it."""
        if self.incoming is None or self.incoming[:2] != [peer, invitation]:
            return False
        if self.incoming[2] != index:
            self.incoming = None
            return False
        self.incoming[2] += 1
        self.incoming[4] = now_ms()
        return True

    def on_chunk(self, peer, invitation, index, updates):
        is_next = self.advance(peer, invitation, index)
        self.receive(updates)
        if not is_next:
            return
        for update in updates:
            if not has(self.context, update.origin, update.sequence):
                add(self.incoming[3], update.origin, update.sequence, update.sequence)
        self.send(peer, frames.ACK, invitation, index)

    def on_end(self, peer, fields, origins):
        if not self.advance(peer, whole(fields[0]), whole(fields[1])):
            return
        untaken, self.incoming = self.incoming[3], None
        buckets, (claim, newest) = frames.read_buckets(fields[2]), frames.read_dots(fields[3], origins, True)
        context, live = frames.read_two_sums(fields[4:8], fields[9:13])
        horizon = whole(fields[8], -(2**53))
        if buckets == []:
            return
        if buckets is not None:
            elsewhere = sums.minus(self.sum_of(self.context), self.sum_of(self.bucket(buckets)))
            if elsewhere != sums.minus(context, self.sum_of(claim)):
                return  # it may have dropped what it claims for something there that we lack
        for update in self.held_back:
            if has(claim, update.origin, update.sequence):
                return  # what it may be over for is not here yet
        taken = without(claim, untaken)
        if without(taken, self.context):
            self.version += 1
        add_all(self.context, taken)
        for origin, stamp in newest.items():
            if origin in self.context:
                self.newest[origin] = max(self.newest.get(origin, 0), stamp)
        extra = without(self.bucket(buckets), claim)
        if self.sum_of_live(self.live(horizon, extra)) != live:
            self.list_live(peer, None, max(horizon, now_ms() + MAX_DRIFT_MS), True)

    # The sweep

    def list_live(self, peer, buckets, horizon, answer):
        chosen, dots, told = None if buckets is None else set(buckets), {}, []
        live = [u for u in self.live(horizon) if chosen is None or sums.id_bucket(u.id) in chosen]
        for update in sorted(live, key=lambda u: (u.origin, u.sequence)):
            add(dots, update.origin, update.sequence, update.sequence)
        listed = frames.write_dots(dots, self.numbers, told)
        context = frames.write_dots(self.context, self.numbers, told, self.newest)
        self.send(peer, frames.LIVE_DOTS, frames.write_buckets(buckets), listed, context, horizon, answer, told=told)

    def on_live_dots(self, peer, fields, origins):
        buckets, listed = frames.read_buckets(fields[0]), frames.read_dots(fields[1], origins)
        (seen, _), horizon = frames.read_dots(fields[2], origins, True), whole(fields[3], -(2**53))
        horizon = max(horizon, now_ms() + MAX_DRIFT_MS)
        if not self.held_back and not without(seen, self.context):
            for update in self.live(horizon):
                dot = update.origin, update.sequence
                if (buckets is None or sums.id_bucket(update.id) in buckets) and has(seen, *dot) and not has(listed, *dot):
                    self.drop(update)
        if fields[4]:
            self.list_live(peer, buckets, horizon, False)


def batches(updates):
    batch, size = [], 0
    for update in updates:
        more = len(update.id) + len(update.value or b'')
        if batch and (size + more > CHUNK_BYTES or len(batch) == CHUNK_UPDATES):
            yield batch
            batch, size = [], 0
        batch.append(update)
        size += more
    if batch:
        yield batch

"""Who is there, by SWIM: docs/wire.md, "Membership"."""

import math
import random

import sums
from frames import Malformed, whole

PING, ACK, ASK, NACK, GOSSIP, HASH, SYNC, WHO = range(8)
ALIVE, SUSPECT, DOWN, LEFT = range(4)
NAME, EPOCH, INCARNATION, STATE, URL, META, ACCUSERS = range(7)
PROBE_MS, PROBE_TIMEOUT_MS, SYNC_MS, PASS_ON = 1000, 500, 30_000, 6


class Swim:
    def __init__(self, name, epoch, send, clock):
        """`send(peer, body)` sends to a connected peer; `clock()` is in milliseconds and never runs back."""
        self.send, self.clock = send, clock
        self.own = [name, epoch, 1, ALIVE, None, {}, []]
        self.records = {}  # name → record
        self.suspected = {}  # name → until when it may refute
        self.news = {name: 0}  # name → how often its record was passed on
        self.tied = set()
        self.probes = {}  # sequence → [name, asker or None, the asker's sequence, when]
        self.sequence = 0
        self.next_probe = self.next_sync = 0

    # What is believed

    def there(self):
        return [record for record in self.records.values() if record[STATE] in (ALIVE, SUSPECT)]

    def hash(self):
        total = sums.ZERO
        for name, epoch, incarnation, *_ in [self.own, *self.there()]:
            total = sums.plus(total, sums.of_number(sums.seeds(name, epoch), incarnation))
        return [sums.signed(lane) for lane in total]

    def learn(self, record, sender, is_comparison):
        name, epoch, incarnation, state, url, meta, accusers = record
        if name == self.own[NAME]:
            return self.hear_of_self(record, sender)
        before = self.records.get(name)
        if state in (DOWN, LEFT) and before is None:
            return
        if state == DOWN and (is_comparison or name in self.tied) and before[STATE] in (ALIVE, SUSPECT):
            # It may have been cut off from the sender alone.
            state, accusers = SUSPECT, [sender]
        if before is not None:
            if (before[EPOCH], incarnation, state) == (epoch, before[INCARNATION], SUSPECT) and before[STATE] == SUSPECT:
                accusers = sorted({*before[ACCUSERS], *accusers})[:32]
                if accusers == before[ACCUSERS]:
                    return
            elif rank(record_of(name, epoch, incarnation, state)) <= rank(before):
                return
        self.take([name, epoch, incarnation, state, url, meta, accusers if state == SUSPECT else []])

    def take(self, record):
        self.records[record[NAME]] = record
        self.news[record[NAME]] = 0
        if record[STATE] == SUSPECT:
            n = len(self.there()) + 1
            limit = 4 * max(1, math.log10(n)) * PROBE_MS * 3
            self.suspected.setdefault(record[NAME], self.clock() + limit)
        else:
            self.suspected.pop(record[NAME], None)

    def hear_of_self(self, record, sender):
        if record[EPOCH] < self.own[EPOCH] or record[INCARNATION] < self.own[INCARNATION]:
            return
        if record[EPOCH] == self.own[EPOCH] and record[:6] == self.own[:6]:
            return
        self.own[INCARNATION] = record[INCARNATION] + 1
        self.news[self.own[NAME]] = 0
        for peer in {sender, *record[ACCUSERS]} & self.tied:
            self.send(peer, [GOSSIP, [self.own]])

    # Connections

    def connected(self, name, epoch, url):
        self.tied.add(name)
        before = self.records.get(name)
        if before is None or before[EPOCH] < epoch:
            self.take([name, epoch, 0, ALIVE, url, {}, []])
        if self.own[NAME] < name:
            self.send(name, [HASH, *self.hash()])

    def disconnected(self, name):
        self.tied.discard(name)

    def leave(self):
        self.own[STATE] = LEFT
        for peer in self.tied:
            self.send(peer, [GOSSIP, [self.own]])

    # Messages

    def some_news(self, to=None):
        chosen = []
        if to in self.records and self.records[to][STATE] in (SUSPECT, DOWN):
            chosen.append(self.records[to])  # it hears first what is said of it
        for name, times in sorted(self.news.items(), key=lambda item: item[1])[: 64 - len(chosen)]:
            record = self.own if name == self.own[NAME] else self.records[name]
            if record not in chosen:
                chosen.append(record)
            self.news[name] = times + 1
            if times + 1 >= PASS_ON:
                del self.news[name]
        return chosen

    def tell_all(self, peer, answer):
        records = [self.own, *self.records.values()]
        for at in range(0, len(records), 500):
            self.send(peer, [SYNC, records[at : at + 500], answer and at + 500 >= len(records)])

    def hear(self, peer, body):
        kind, *fields = body if isinstance(body, list) and body else [None]
        whole(kind)
        if kind in (PING, ACK):
            self.learn_all(fields[1], peer, False)
            if kind == PING:
                self.send(peer, [ACK, whole(fields[0]), self.some_news(peer)])
            else:
                self.answered(whole(fields[0]))
        elif kind == ASK:
            if fields[1] in self.tied:
                self.ping(fields[1], peer, whole(fields[0]))
            else:
                self.send(peer, [NACK, whole(fields[0])])
        elif kind == GOSSIP:
            self.learn_all(fields[0], peer, False)
        elif kind == HASH:
            if [whole(lane, -(2**31)) for lane in fields[:4]] != self.hash():
                self.tell_all(peer, True)
        elif kind == SYNC:
            self.learn_all(fields[0], peer, True)
            if fields[1]:
                self.tell_all(peer, False)
        elif kind == WHO:
            self.tell_all(peer, False)
            self.send(peer, [HASH, *self.hash()])

    def learn_all(self, records, peer, is_comparison):
        for record in records:
            if not isinstance(record, list) or len(record) < 7:
                raise Malformed('a record has less than seven fields')
            name, epoch, incarnation, state, url, meta, accusers = record[:7]
            self.learn([name, whole(epoch), whole(incarnation), whole(state), url, meta, accusers], peer, is_comparison)

    # Probes

    def ping(self, name, asker=None, asker_sequence=0):
        self.sequence += 1
        self.probes[self.sequence] = [name, asker, asker_sequence, self.clock()]
        self.send(name, [PING, self.sequence, self.some_news(name)])

    def answered(self, sequence):
        _, asker, asker_sequence, _ = self.probes.pop(sequence, (None, None, 0, 0))
        if asker in self.tied:
            self.send(asker, [ACK, asker_sequence, self.some_news(asker)])

    def tick(self):
        """To be called several times a second."""
        now = self.clock()
        for sequence, (name, asker, asker_sequence, since) in list(self.probes.items()):
            if asker is not None and now >= since + 0.8 * PROBE_TIMEOUT_MS:
                del self.probes[sequence]
                if asker in self.tied:
                    self.send(asker, [NACK, asker_sequence])
            elif asker is None and now >= since + PROBE_MS:
                del self.probes[sequence]
                record = self.records[name]
                if record[STATE] == ALIVE:
                    self.take([*record[:STATE], SUSPECT, record[URL], record[META], [self.own[NAME]]])
        for name, until in list(self.suspected.items()):
            if now >= until:
                record = self.records[name]
                self.take([*record[:STATE], DOWN, record[URL], record[META], []])
        if now >= self.next_probe and self.tied:
            self.next_probe = now + PROBE_MS
            self.ping(random.choice(sorted(self.tied)))
        if now >= self.next_sync and self.tied:
            self.next_sync = now + SYNC_MS
            self.send(random.choice(sorted(self.tied)), [HASH, *self.hash()])
        if self.news and self.tied:
            for peer in random.sample(sorted(self.tied), min(3, len(self.tied))):
                self.send(peer, [GOSSIP, self.some_news()])


def record_of(name, epoch, incarnation, state):
    return [name, epoch, incarnation, state]


def rank(record):
    """Which report counts: the epoch; of one epoch left; then the incarnation, then the state."""
    return record[EPOCH], record[STATE] == LEFT, record[INCARNATION], record[STATE]

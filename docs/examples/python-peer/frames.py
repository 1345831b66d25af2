"""Frames and their building blocks: docs/wire.md, "Frames" to "Updates"."""

import struct
from collections import namedtuple

import msgpack

import sums

HELLO, CHANNEL, REFUSE_CHANNEL, ORIGINS, FORGET_ORIGINS = range(5)
HASHES, BUCKET_SUMS, CONTEXTS, CHUNK, END, ACK, LIVE_SUMS, LIVE_DOTS, REFUSED, ROOM = range(16, 26)
UPDATES, ANNOUNCE, FEEDBACK, ASK, GONE, PULL = range(32, 38)
CUSTOM = 48
PUSH, PULLING, PUSH_PULL = range(3)
BY_MAIL, BY_PUSH, AS_ANSWER = range(3)

EPOCH_MS = 1577836800000
LANES = 2  # of a sum, in one column

Origin = namedtuple('Origin', 'name epoch')


class Malformed(Exception):
    """A frame breaks a rule of the page."""


def whole(value, least=0):
    """A whole number in whatever form it came."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**53:
        raise Malformed(f'{value!r} is no whole number from {least}')
    return value


def binary(value):
    if not isinstance(value, bytes):
        raise Malformed('a column is no binary')
    return value


def pack(*fields):
    return msgpack.packb(list(fields))


def unpack(data):
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, timestamp=0)
    except Exception as error:
        raise Malformed(f'no well-formed MessagePack: {error}') from error


# Columns


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(2 * n if n >= 0 else -2 * n - 1)


class Column:
    """Reads a column from its first byte to its last."""

    def __init__(self, data):
        self.data = binary(data)
        self.at = 0

    @property
    def left(self):
        return len(self.data) - self.at

    def varint(self):
        n = shift = 0
        while True:
            if self.left == 0 or shift > 49:
                raise Malformed('a column ends too early, or a number has more than 8 bytes')
            byte = self.data[self.at]
            self.at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    def signed(self):
        n = self.varint()
        return n // 2 if n % 2 == 0 else -(n + 1) // 2

    def take(self, length):
        if length > self.left:
            raise Malformed('a column ends too early')
        self.at += length
        return self.data[self.at - length : self.at]

    def end(self):
        if self.left:
            raise Malformed('a column has bytes too many')


# Sets of dots: {origin: [[first, last], ...]}, and {origin: newest} beside them where newest stamps are told.


class Numbers:
    """The numbers that this node gives to origins, the same on all its connections."""

    def __init__(self):
        self.of = {}

    def __getitem__(self, origin):
        return self.of.setdefault(origin, len(self.of) + 1)


def write_dots(dots, numbers, told, newest=None):
    """`told` collects the origins that the frame speaks of."""
    out = bytearray()
    for origin, intervals in dots.items():
        if not intervals:
            continue
        told.append(origin)
        out += varint(numbers[origin])
        if newest is not None:
            out += varint(newest.get(origin, 0))
        out += varint(len(intervals))
        free = 1
        for first, last in intervals:
            out += varint(first - free) + varint(last - first)
            free = last + 2
    return bytes(out)


def read_dots(data, origins, has_newest=False):
    column, dots, newest = Column(data), {}, {}
    while column.left:
        origin = origins.get(column.varint())
        if origin is None or origin in dots:
            raise Malformed('an origin was not told, or stands twice in a set of dots')
        if has_newest:
            newest[origin] = column.varint()
        free, intervals = 1, []
        for _ in range(column.varint()):
            first = free + column.varint()
            last = first + column.varint()
            intervals.append([first, last])
            free = last + 2
        if not intervals:
            raise Malformed('an origin stands without intervals')
        dots[origin] = intervals
    return (dots, newest) if has_newest else dots


def write_buckets(buckets):
    return None if buckets is None else b''.join(map(varint, buckets))


def read_buckets(data):
    if data is None:
        return None
    column, buckets = Column(data), set()
    while column.left:
        buckets.add(column.varint())
    return sorted(buckets)


def read_sums(form, data, count):
    """Two lanes of the sum of each bucket."""
    column, lanes = Column(data), [0] * (LANES * count)
    if form == 0:
        lanes = list(struct.unpack(f'<{len(lanes)}I', column.take(4 * len(lanes))))
    free = 0
    while form == 1 and column.left:
        place = free + column.varint()
        lanes[place] = struct.unpack('<I', column.take(4))[0]
        free = place + 1
    column.end()
    return [tuple(lanes[LANES * b : LANES * (b + 1)]) for b in range(count)]


def sum_fields(*totals):
    """Two fields of each sum, and the two of each that stand behind all other fields of the frame."""
    lanes = [[sums.signed(lane) for lane in total] for total in totals]
    return [lane for four in lanes for lane in four[:2]], [lane for four in lanes for lane in four[2:]]


def read_sum(fields):
    return tuple(whole(lane, -(2**31)) & 0xFFFFFFFF for lane in fields)


def read_two_sums(first, rest):
    """Of which the fields stand apart; a node of the first release tells two lanes of each, which equal nothing."""
    return read_sum([*first[:2], *rest[:2]]), read_sum([*first[2:4], *rest[2:4]])


def read_all_sums(form, data, rest, count):
    """As `read_sums`, with the two further lanes in `rest`, where the sender tells any."""
    first = read_sums(form, data, count)
    return [a + b for a, b in zip(first, read_sums(whole(rest[0]), rest[1], count))] if rest else first


# Updates


class Update:
    """`value` is the MessagePack of the value, or None for a tombstone; `expires` is in milliseconds since 1970, or None."""

    def __init__(self, id, value, stamp, origin, sequence, expires=None):
        self.id, self.value, self.stamp, self.expires = id, value, stamp, expires
        self.origin, self.sequence = origin, sequence
        self.has_expired = False
        self.version = (stamp, origin.name.encode('utf-16-be'), origin.epoch, sequence)

    def outlives(self, horizon):
        return self.value is not None and (self.expires is None or self.expires // 1000 * 1000 > horizon)


def write_updates(updates, numbers, told):
    """The eight fields of a list of updates."""
    runs, stamps, lengths, values, expiries = (bytearray() for _ in range(5))
    ids = [update.id.encode() for update in updates]
    expected, at = {}, 0
    while at < len(updates):
        origin, first, count = updates[at].origin, updates[at].sequence, 1
        while at + count < len(updates) and (updates[at + count].origin, updates[at + count].sequence) == (
            origin,
            first + count,
        ):
            count += 1
        told.append(origin)
        runs += varint(numbers[origin]) + varint(count) + zigzag(first - expected.get(origin, 1))
        expected[origin] = first + count
        at += count
    before = free = last = 0
    for place, update in enumerate(updates):
        if update.stamp == before + 1:
            stamps += varint(0)
        else:
            step, counter = update.stamp // 4096 - before // 4096, update.stamp % 4096
            z = 2 * step if step >= 0 else -2 * step - 1
            stamps += varint(1 + 2 * z + (counter != 0)) + (varint(counter) if counter else b'')
        before = update.stamp
        lengths += varint(len(ids[place]))
        values += varint(len(update.value or b''))
        if update.expires is not None:
            expiries += varint(place - free) + zigzag(update.expires - last)
            free, last = place + 1, update.expires
    blob = b''.join(update.value or b'' for update in updates)
    return [len(updates), bytes(runs), bytes(stamps), bytes(lengths), b''.join(ids), bytes(values), blob, bytes(expiries)]


def read_updates(fields, origins):
    count = whole(fields[0])
    runs, stamps, lengths, ids, sizes, blob, expiries = map(Column, fields[1:8])
    dots, expected = [], {}
    while runs.left:
        origin = origins.get(runs.varint())
        if origin is None:
            raise Malformed('an origin was not told')
        many = runs.varint()
        first = expected.get(origin, 1) + runs.signed()
        dots += [(origin, first + i) for i in range(min(many, count))]
        expected[origin] = first + many
    if len(dots) != count:
        raise Malformed('the runs do not fit the count')
    updates, stamp = [], 0
    for origin, sequence in dots:
        head = stamps.varint()
        if head == 0:
            stamp += 1
        else:
            z, has_counter = (head - 1) // 2, (head - 1) % 2
            milliseconds = stamp // 4096 + (z // 2 if z % 2 == 0 else -(z + 1) // 2)
            stamp = milliseconds * 4096 + (stamps.varint() if has_counter else 0)
        id = ids.take(lengths.varint()).decode()
        size = sizes.varint()
        updates.append(Update(id, blob.take(size) if size else None, stamp, origin, sequence))
    free = last = 0
    while expiries.left:
        place = free + expiries.varint()
        last += expiries.signed()
        updates[place].expires = last
        free = place + 1
    for column in (stamps, lengths, ids, sizes, blob):
        column.end()
    return updates

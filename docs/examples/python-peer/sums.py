"""The sums that replicas compare: docs/wire.md, "Hashes". All that depends on the hash function stands here."""

import hashlib
import struct

ZERO = (0, 0, 0, 0)


def _mix(h):
    h = ((h ^ h >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ h >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return h ^ h >> 16


def _text(text, seed):
    units = text.encode('utf-16-le', 'surrogatepass')
    h = seed
    for i in range(0, len(units), 2):
        h = ((h ^ (units[i] | units[i + 1] << 8)) * 0x01000193) & 0xFFFFFFFF
    return _mix(h)


def _rol(word, by):
    return (word << by | word >> 32 - by) & 0xFFFFFFFF


def _term(s, *words):
    v0, v1, v2, v3 = (word ^ key for word, key in zip(words, s))
    for _ in range(8):
        v0 = v0 + v1 & 0xFFFFFFFF
        v1 = _rol(v1, 5) ^ v0
        v0 = _rol(v0, 16)
        v2 = v2 + v3 & 0xFFFFFFFF
        v3 = _rol(v3, 8) ^ v2
        v0 = v0 + v3 & 0xFFFFFFFF
        v3 = _rol(v3, 13) ^ v0
        v2 = v2 + v1 & 0xFFFFFFFF
        v1 = _rol(v1, 7) ^ v2
        v2 = _rol(v2, 16)
    return v0 ^ s[4], v1 ^ s[5], v2 ^ s[6], v3 ^ s[7]


def signed(lane):
    return lane - 0x100000000 if lane & 0x80000000 else lane


def seeds(name, epoch):
    """The eight words of an origin, or of a node."""
    return struct.unpack('>8I', hashlib.sha256(struct.pack('>Q', epoch) + name.encode()).digest())


def of_number(s, n):
    return _term(s, n & 0xFFFFFFFF, n >> 32, 0, 0)


def of_interval(s, first, last):
    return _term(s, first & 0xFFFFFFFF, first >> 32, last & 0xFFFFFFFF, last >> 32)


def plus(a, b):
    return tuple((x + y) & 0xFFFFFFFF for x, y in zip(a, b))


def minus(a, b):
    return tuple((x - y) & 0xFFFFFFFF for x, y in zip(a, b))


def origin_bucket(s):
    return s[0] & 255


def id_bucket(text):
    return _text(text, 0x811C9DC5) >> 22


def shown(total):
    """As `status().hash` writes a sum."""
    return ''.join(f'{lane:08x}' for lane in total)

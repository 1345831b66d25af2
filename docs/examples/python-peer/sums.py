"""The sums that replicas compare: docs/wire.md, "Hashes". All that depends on the hash function stands here."""

ZERO = (0, 0)


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


def _number(seed, n):
    return _mix((((seed ^ n & 0xFFFFFFFF) * 0x9E3779B1) + (n >> 32)) & 0xFFFFFFFF)


def _interval(seed, first, last):
    return _mix((_number(seed, first) + _number(~seed & 0xFFFFFFFF, last) * 0x27D4EB2F) & 0xFFFFFFFF)


def signed(lane):
    return lane - 0x100000000 if lane & 0x80000000 else lane


def seeds(name, epoch):
    """The seed of each lane, of an origin or of a node."""
    return tuple(_number(_text(name, start), epoch) for start in (0x811C9DC5, 0x01234567))


def of_number(lanes, n):
    return tuple(_number(seed, n) for seed in lanes)


def of_interval(lanes, first, last):
    return tuple(_interval(seed, first, last) for seed in lanes)


def plus(a, b):
    return tuple((x + y) & 0xFFFFFFFF for x, y in zip(a, b))


def minus(a, b):
    return tuple((x - y) & 0xFFFFFFFF for x, y in zip(a, b))


def origin_bucket(lanes):
    return lanes[0] & 255


def id_bucket(text):
    return _text(text, 0x811C9DC5) >> 22


def shown(total):
    """As `status().hash` writes a sum: the highest lane first."""
    return ''.join(f'{lane:08x}' for lane in reversed(total))

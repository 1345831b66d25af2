"""
Pings an address from where this runs: ICMP, answered by the kernel there. Prints the round trips in milliseconds as JSON.

    ping.py ADDRESS COUNT INTERVAL_MS
"""
import json
import os
import select
import socket
import struct
import sys
import time

address, count, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000
PATIENCE = 1


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo(sequence):
    words = [8, 0, 0, os.getpid() & 0xFFFF, sequence]
    words[2] = checksum(struct.pack("!BBHHH", *words))
    return struct.pack("!BBHHH", *words)


icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
sent, times = {}, []
start = time.monotonic()
while (now := time.monotonic()) < start + count * interval + PATIENCE and len(times) < count:
    if len(sent) < count and now >= start + len(sent) * interval:
        sent[len(sent)] = time.monotonic()
        icmp.sendto(echo(len(sent) - 1), (address, 0))
    if not select.select([icmp], [], [], interval / 4)[0]:
        continue
    packet = icmp.recv(2048)
    kind, _, _, identity, sequence = struct.unpack("!BBHHH", packet[20:28])
    if kind == 0 and identity == os.getpid() & 0xFFFF and sequence in sent:
        times.append((time.monotonic() - sent[sequence]) * 1000)
print(json.dumps(times))

#!/usr/bin/python3
"""A Grapevine node of its own, written from docs/wire.md: see README.md."""

import argparse
import asyncio
import json
import signal
import sys
import time

import msgpack
import websockets

import frames
from frames import Malformed, Origin, whole
from membership import Swim
from replica import Replica, now_ms

SUBPROTOCOL, PATH, LARGEST_FRAME = 'grapevine.1', '/grapevine', 2 * 1024 * 1024
MEMBERS, GOSSIP = 0, 1  # our channels


class Close(Exception):
    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code


class Connection:
    def __init__(self, node, socket):
        self.node, self.socket = node, socket
        self.name = self.member = None
        self.told, self.origins, self.channels = set(), {}, {}
        self.waiting = asyncio.Queue()

    def send(self, data):
        self.waiting.put_nowait(data)

    def send_message(self, channel, kind, *fields, told=()):
        """Sends a message, and before it the origins that it is the first to speak of."""
        new = [origin for origin in dict.fromkeys(told) if origin not in self.told]
        if new:
            numbers = self.node.replica.numbers
            self.send(frames.pack(frames.ORIGINS, *[part for o in new for part in (numbers[o], o.name, o.epoch)]))
            self.told.update(new)
        self.send(frames.pack(kind, channel, *fields))

    async def write(self):
        while True:
            await self.socket.send(await self.waiting.get())

    async def run(self):
        """Dials as the page says: our hello, theirs, and the empty message that commits."""
        node = self.node
        await self.socket.send(frames.pack(frames.HELLO, 1, 1, node.cluster, node.name, node.epoch, None, []))
        kind, *hello = frames.unpack(await asyncio.wait_for(self.socket.recv(), 5))
        if kind != frames.HELLO or hello[2] != node.cluster:
            raise Close(4403, 'another cluster label')
        name, epoch, url = hello[3], whole(hello[4]), hello[5]
        if name == node.name:
            raise Close(4001 if epoch == node.epoch else 4409, 'our own name')
        if name in node.connections:
            raise Close(4000, 'the pair has another connection')
        await self.socket.send(b'')
        self.name, self.member = name, (name, epoch, url)
        node.connections[name] = self
        writer = asyncio.ensure_future(self.write())
        try:
            self.send(frames.pack(frames.CHANNEL, MEMBERS, '$membership', node.membership, 0))
            newest = max((o.epoch for o in node.replica.context if o.name == name), default=0)
            self.send(frames.pack(frames.CHANNEL, GOSSIP, node.gossip, node.protocol, newest))
            async for data in self.socket:
                self.take(frames.unpack(data))
        finally:
            writer.cancel()
            if node.connections.get(name) is self:
                del node.connections[name]
                node.replica.gone(name)
                if node.swim:
                    node.swim.disconnected(name)

    def take(self, frame):
        if not isinstance(frame, list) or not frame:
            raise Malformed('a frame is no array with a kind')
        kind, *fields = frame
        if kind == frames.CHANNEL:
            return self.declared(whole(fields[0]), fields[1], fields[2], whole(fields[3]))
        if kind == frames.ORIGINS:
            for at in range(0, len(fields), 3):
                self.origins[whole(fields[at])] = Origin(fields[at + 1], whole(fields[at + 2]))
        elif kind == frames.FORGET_ORIGINS:
            for number in fields:
                self.origins.pop(whole(number), None)
        elif kind >= 16:
            meaning = self.channels.get(whole(fields[0]))
            if meaning == 'members' and kind == frames.CUSTOM:
                self.node.swim.hear(self.name, frames.unpack(fields[1]))
            elif meaning == 'gossip':
                self.node.replica.hear(self.name, kind, fields[1:], self.origins)

    def declared(self, channel, instance, protocol, newest):
        node = self.node
        if instance == '$membership' and protocol == node.membership:
            is_new = channel not in self.channels
            self.channels[channel] = 'members'
            if is_new and node.swim:
                node.swim.connected(*self.member)
        elif instance == node.gossip and protocol == node.protocol:
            node.replica.adopt(newest)
            is_new = channel not in self.channels
            self.channels[channel] = 'gossip'
            if is_new:
                node.replica.arrived(self.name)
        elif instance in ('$membership', node.gossip):
            mine = node.membership if instance == '$membership' else node.protocol
            self.send(frames.pack(frames.REFUSE_CHANNEL, channel, f'{instance} runs {mine} here.'))


class Node:
    def __init__(self, options):
        self.name, self.cluster, self.epoch = options.name, options.cluster, now_ms()
        self.gossip, self.protocol, self.membership = options.gossip, options.protocol, options.membership
        self.urls = options.url
        self.connections = {}
        self.replica = Replica(self.name, self.protocol, self.send_gossip)
        self.swim = None
        if self.membership == 'swim':
            self.swim = Swim(self.name, self.epoch, self.send_member, lambda: time.monotonic() * 1000)

    def send_gossip(self, peer, kind, *fields, told=()):
        if peer in self.connections:
            self.connections[peer].send_message(GOSSIP, kind, *fields, told=told)

    def send_member(self, peer, body):
        if peer in self.connections:
            self.connections[peer].send_message(MEMBERS, frames.CUSTOM, msgpack.packb(body))

    # Connections

    async def dial(self, url):
        try:
            async with websockets.connect(
                url + PATH, subprotocols=[SUBPROTOCOL], compression=None, max_size=LARGEST_FRAME, max_queue=None
            ) as socket:
                try:
                    await Connection(self, socket).run()
                except Malformed as error:
                    log(f'{url} sent a malformed frame: {error}')
                    await socket.close(4400, str(error)[:120])
                except Close as close:
                    await socket.close(close.code, str(close)[:120])
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
            pass  # it is dialled again

    async def keep_dialling(self):
        dials = {}
        while True:
            there = {} if self.swim is None else {r[4]: r[0] for r in self.swim.there() if r[4]}
            known = {member[2] for member in (c.member for c in self.connections.values())}
            for url in {*self.urls, *there} - known:
                if there.get(url) not in self.connections and (url not in dials or dials[url].done()):
                    dials[url] = asyncio.ensure_future(self.dial(url))
            await asyncio.sleep(0.3)

    async def keep_comparing(self):
        while True:
            await asyncio.sleep(0.5)
            self.replica.cycle()

    async def keep_probing(self):
        while self.swim is not None:
            await asyncio.sleep(0.2)
            self.swim.tick()

    # Commands

    def members(self):
        return sorted(self.connections if self.swim is None else (record[0] for record in self.swim.there()))

    def status(self):
        held = {update.id: json_of(update.value) for update in self.replica.ids.values() if update.value is not None}
        return {
            'event': 'status',
            'hash': self.replica.status_hash(),
            'ids': len(held),
            'members': self.members(),
            'peers': sorted(self.replica.peers),
            'content': held,
        }

    async def keep_reading(self):
        reader = asyncio.StreamReader(limit=2**24)
        await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while True:
            line = await reader.readline()
            if not line:
                return
            command = json.loads(line)
            if command.get('status'):
                say(self.status())
                continue
            # A line holds one write, or several that leave together.
            self.replica.mail([self.write(write) for write in command.get('writes', [command])])

    def write(self, write):
        value = None if write.get('remove') else msgpack.packb(write['value'])
        return self.replica.write(write['id'], value, write.get('expiresIn'))

    async def run(self):
        tasks = [self.keep_dialling(), self.keep_comparing(), self.keep_probing()]
        tasks = [asyncio.ensure_future(task) for task in tasks]
        for task in tasks:
            task.add_done_callback(lambda done: done.cancelled() or done.exception() and log(repr(done.exception())))
        say({'event': 'ready', 'node': self.name})
        reading = asyncio.ensure_future(self.keep_reading())
        asyncio.get_event_loop().add_signal_handler(signal.SIGTERM, reading.cancel)
        try:
            await reading
        except asyncio.CancelledError:
            pass
        if self.swim:
            self.swim.leave()
        for task in tasks:
            task.cancel()
        for connection in list(self.connections.values()):
            while not connection.waiting.empty():
                await asyncio.sleep(0.01)
            await connection.socket.close(1001, 'the node leaves')


def json_of(value):
    return msgpack.unpackb(value, raw=False, strict_map_key=False)


def say(event):
    print(json.dumps(event, default=str), flush=True)


def log(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--name', required=True)
    parser.add_argument('--cluster', default='default')
    parser.add_argument('--gossip', default='grapevine')
    parser.add_argument('--protocol', choices=['hybrid', 'entropy'], default='hybrid')
    parser.add_argument('--membership', choices=['static', 'swim'], default='swim')
    parser.add_argument('--url', action='append', default=[], help='a node to dial, such as ws://127.0.0.1:7001')
    asyncio.run(Node(parser.parse_args()).run())

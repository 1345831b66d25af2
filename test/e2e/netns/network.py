"""
A network for tests: namespaces, each with one link, and packets carried between them as told, lost and late.

The link of a namespace is a TUN device whose other end is here. One line of input is one command, answered by one line of
JSON, and the end of the input ends the network: whatever becomes of who started this, nothing is left behind.

    node NAME                        a namespace with a link; answers its name and address
    host                             a link of the machine itself into the network; answers its address
    link FROM TO delay=MS jitter=MS loss=SHARE
                                     what happens to packets from now on; '*' is everybody; loss=1 cuts; nothing: all is well
    up NAME | down NAME              sets the device
    counts                           packets taken and lost, by 'FROM TO'
"""
import fcntl
import heapq
import json
import os
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
RUN = f"grapevine-{os.getpid()}"
# Of the block for tests of devices (RFC 2544): no machine lives there.
SUBNET = f"198.{18 + os.getpid() // 256 % 2}.{os.getpid() % 256}"
HOST = 254


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def remove(namespace):
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
    shutil.rmtree(f"/etc/netns/{namespace}", ignore_errors=True)


def sweep():
    """Removes what runs left behind that were killed together with their network."""
    for folder in ("/run/netns", "/etc/netns"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            found = re.fullmatch(r"grapevine-(\d+)-.*", name)
            if found and not os.path.exists(f"/proc/{found[1]}"):
                remove(name)


class Network:
    def __init__(self):
        self.poll = select.epoll()
        self.ends = {}  # by name, the other end of its device
        self.names = {}  # by that end
        self.byHost = {}  # by the last byte of its address
        self.links = {}  # by (from, to): (delay, jitter, loss), in seconds
        self.counts = {}  # by (from, to): [taken, lost]
        self.late = []  # (when, order, to, packet)
        self.order = 0

    def attach(self, name, host):
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        device = f"gv{os.getpid()}x{host}"
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22s", device.encode(), IFF_TUN | IFF_NO_PI, b""))
        self.ends[name], self.names[end], self.byHost[host] = end, name, name
        self.poll.register(end, select.EPOLLIN)
        return device

    def node(self, name):
        namespace, host = f"{RUN}-{name}", len(self.ends) + 1
        ip("netns", "add", namespace)
        ip("link", "set", self.attach(name, host), "netns", namespace, "name", "wire")
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "address", "add", f"{SUBNET}.{host}/24", "dev", "wire")
        ip("-n", namespace, "link", "set", "wire", "up")
        return {"namespace": namespace, "address": f"{SUBNET}.{host}"}

    def host(self):
        device = self.attach("host", HOST)
        ip("address", "add", f"{SUBNET}.{HOST}/24", "dev", device)
        ip("link", "set", device, "up")
        return {"address": f"{SUBNET}.{HOST}"}

    def link(self, start, end, *faults):
        told = dict(fault.split("=") for fault in faults)
        link = float(told.get("delay", 0)) / 1000, float(told.get("jitter", 0)) / 1000, float(told.get("loss", 0))
        for one in self.ends if start == "*" else [start]:
            for other in self.ends if end == "*" else [end]:
                self.links[one, other] = link
        return {}

    def command(self, line):
        word, *rest = line.split()
        if word in ("up", "down"):
            ip("-n", f"{RUN}-{rest[0]}", "link", "set", "wire", word)
            return {}
        if word == "counts":
            return {f"{start} {end}": pair for (start, end), pair in self.counts.items()}
        return {"node": self.node, "host": self.host, "link": self.link}[word](*rest)

    def take(self, name, packet):
        """A packet for nobody, or that is no IPv4, ends here."""
        to = self.byHost.get(packet[19]) if len(packet) >= 20 and packet[0] >> 4 == 4 else None
        if to is None or packet[16:19] != bytes(map(int, SUBNET.split("."))):
            return
        delay, jitter, loss = self.links.get((name, to), (0, 0, 0))
        count = self.counts.setdefault((name, to), [0, 0])
        count[0] += 1
        if random.random() < loss:
            count[1] += 1
            return
        self.order += 1
        when = time.monotonic() + delay + random.uniform(-jitter, jitter)
        heapq.heappush(self.late, (when, self.order, to, packet))

    def deliver(self):
        while self.late and self.late[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(self.late)
            try:
                os.write(self.ends[to], packet)
            except OSError:
                pass  # The device is down, or its queue is full: lost, as on any wire.

    def run(self):
        self.poll.register(0, select.EPOLLIN)
        said = b""
        while True:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            for end, _ in self.poll.poll(wait):
                if end == 0:
                    more = os.read(0, 65536)
                    if not more:
                        return
                    *lines, said = (said + more).split(b"\n")
                    for line in lines:
                        try:
                            answer = self.command(line.decode())
                        except Exception as error:
                            answer = {"error": f"{line.decode()}: {error}"}
                        print(json.dumps(answer), flush=True)
                    continue
                try:
                    self.take(self.names[end], os.read(end, 65536))
                except OSError:
                    pass  # The device went down meanwhile.
            self.deliver()

    def close(self):
        for name, end in self.ends.items():
            os.close(end)
            remove(f"{RUN}-{name}")


if __name__ == "__main__":
    # Who pressed Ctrl-C ended whoever started this, and thereby the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sweep()
    network = Network()
    try:
        network.run()
    finally:
        network.close()

#!/usr/bin/env python3
"""A link with weather: carries IP packets between a tun device of this network namespace and one of another.

    python3 bad_link.py NAMESPACE NEAR_DEVICE NEAR_ADDRESS FAR_DEVICE FAR_ADDRESS[,FAR_ADDRESS…] SECONDS [SEED]

Says "ready" when both ends are up. Each line it is given is JSON and changes the weather of one way or both; keys not named stay:

    {"way": "out", "latency": 400, "jitter": 50, "loss": 0.2, "reorder": 0.05, "rate": 1200, "queue": 24000, "open": false, "flap": [1500, 2500]}

latency and jitter in milliseconds; rate in bytes a second of IP packets, 0: any; queue: bytes that wait for a slow link, more is dropped;
flap: milliseconds up and down, by turns, [] for none; way: "out" is from near to far, "back" the other, absent both.
{"count": true} answers a line with what was carried since the last such question. Ends at the end of its input, and after SECONDS.
Needs root, iproute2 and /dev/net/tun.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"no way into {path}")


def open_tun(name, addresses, peer):
    """In the namespace that this process is in now."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for address in addresses:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", name], check=True)
    subprocess.run(["ip", "link", "set", name, "up", "txqueuelen", "2000"], check=True)
    for address in peer:
        subprocess.run(["ip", "route", "add", f"{address}/32", "dev", name, "src", addresses[0]], check=True)
    return device


class Way:
    """One direction. What it holds leaves in the order of `due`."""

    def __init__(self, source, sink, seed):
        self.source, self.sink, self.random = source, sink, random.Random(seed)
        self.latency = self.jitter = self.loss = self.reorder = 0.0
        self.rate = self.queue = 0
        self.open, self.flap, self.flapping_since = True, [], 0.0
        self.free_at = self.last_due = 0.0
        self.held, self.number = [], 0
        self.reset_count()

    def reset_count(self):
        self.count = {"packets": 0, "bytes": 0, "lost": 0, "overflowed": 0, "swallowed": 0}

    def change(self, weather, now):
        for key in ("latency", "jitter", "loss", "reorder", "rate", "queue", "open", "flap"):
            if key in weather:
                setattr(self, key, weather[key])
        if "flap" in weather:
            self.flapping_since = now

    def is_up(self, now):
        if not self.open or not self.flap:
            return self.open
        up, down = self.flap
        return (now - self.flapping_since) * 1000 % (up + down) < up

    def take(self, packet, now):
        size = len(packet)
        if packet[0] >> 4 != 4:  # a host's own questions about IPv6
            return
        if not self.is_up(now):
            self.count["swallowed"] += 1
            return
        if self.rate:
            begins = max(now, self.free_at)
            if self.queue and (begins - now) * self.rate + size > max(self.queue, size):
                self.count["overflowed"] += 1
                return
            leaves = self.free_at = begins + size / self.rate
        else:
            leaves = now
        # A lost packet has used the link all the same.
        self.count["packets"] += 1
        self.count["bytes"] += size
        if self.loss and self.random.random() < self.loss:
            self.count["lost"] += 1
            return
        due = leaves + (self.latency + self.jitter * self.random.random()) / 1000
        if self.reorder and self.random.random() < self.reorder:
            due = leaves
        else:
            due = self.last_due = max(due, self.last_due)
        self.number += 1
        heapq.heappush(self.held, (due, self.number, packet))

    def read(self, now):
        for _ in range(256):
            try:
                self.take(os.read(self.source, 2048), now)
            except BlockingIOError:
                return

    def release(self, now):
        while self.held and self.held[0][0] <= now:
            packet = heapq.heappop(self.held)[2]
            try:
                os.write(self.sink, packet)
            except OSError:
                self.count["lost"] += 1


def main():
    namespace, near, near_address, far, far_addresses, seconds = sys.argv[1:7]
    seed = int(sys.argv[7]) if len(sys.argv) > 7 else 1
    far_addresses = far_addresses.split(",")
    near_tun = open_tun(near, [near_address], far_addresses)
    enter(f"/run/netns/{namespace}")
    far_tun = open_tun(far, far_addresses, [near_address])
    ways = {"out": Way(near_tun, far_tun, seed), "back": Way(far_tun, near_tun, seed + 1)}
    os.set_blocking(0, False)
    poll = select.epoll()
    for descriptor in (near_tun, far_tun, 0):
        poll.register(descriptor, select.EPOLLIN)
    print("ready", flush=True)
    end, said = time.monotonic() + float(seconds), b""
    while (now := time.monotonic()) < end:
        next_due = min([way.held[0][0] for way in ways.values() if way.held], default=end)
        ready = poll.poll(max(0.0, min(next_due - now, 1.0)))
        now = time.monotonic()
        for descriptor, _ in ready:
            if descriptor != 0:
                ways["out" if descriptor == near_tun else "back"].read(now)
                continue
            piece = os.read(0, 65536)
            if not piece:
                return
            *lines, said = (said + piece).split(b"\n")
            for line in lines:
                weather = json.loads(line)
                for name, way in ways.items():
                    if weather.get("way", name) == name:
                        way.change(weather, now)
                if weather.get("count"):
                    print(json.dumps({name: way.count for name, way in ways.items()}), flush=True)
                    for way in ways.values():
                        way.reset_count()
        for way in ways.values():
            way.release(now)


main()

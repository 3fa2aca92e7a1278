#!/usr/bin/env python3
"""How much of a link's bandwidth a backlog uses, and what an event costs on the wire: docs/benchmarks.md, "On slow and long links".

    python3 tests/bench/link.py [--seconds N] [--size 3k] [--waiting GB] [--picket] [--tls] [--h2] [--trace] [--line 'compression_level = 19']… [KBIT/MS/LOSS…]

Each case is a rate in kbit/s, a round trip in ms and a loss in per cent of packets, each way: 64/800/5. Picket is started anew for each and
has a backlog that lasts about --seconds; the link is tests/support/bad_link.py, so this needs root. "whole" is from the first packet to
the last acknowledgement, connecting and finding the measure included; "steady" leaves out the first third and the last tenth of the backlog.
--waiting: so much waits, of large envelopes (fill() in subject.py), and each case takes the next --seconds of it on new connections; "steady" leaves out their first third.
--picket: the upstream is another Picket, which takes batches. --h2: TLS with HTTP/2, which Debian's nghttp2-proxy ends at the upstream.
--trace: how much was done, and how many requests were under way, each half a second (with --waiting each two).
"""
import argparse
import asyncio
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import time

from subject import BUILD, ROOT, Picket, fill, load

NAMESPACE, NEAR, FAR = f"pb{os.getpid()}", "10.215.240.1", "10.215.240.2"
FAIR = {"latency": 0, "jitter": 0, "loss": 0, "rate": 0, "queue": 0, "open": True}
CASES = [f"{rate}/{ms}/{loss}" for rate in (64, 1000, 20000) for ms, loss in ((0, 0), (100, 0), (800, 0), (100, 1), (100, 5), (800, 5))]


class Upstream(asyncio.Protocol):
    """Takes everything, with the heads that Sentry's answers have."""
    head = (b"HTTP/1.1 200 OK\r\nserver: nginx\r\ndate: Mon, 30 Nov 2026 22:00:00 GMT\r\ncontent-type: application/json\r\ncontent-length: 41\r\n"
            b"vary: origin, access-control-request-method, access-control-request-headers\r\naccess-control-allow-origin: *\r\n"
            b"access-control-expose-headers: x-sentry-error,x-sentry-rate-limits,retry-after\r\ncross-origin-resource-policy: cross-origin\r\n\r\n")

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, piece):
        self.data += piece
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            length = int(re.search(rb"\r\ncontent-length: *(\d+)", self.data[:end], re.I)[1])
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length:]
            self.transport.write(self.head + b'{"id":"0123456789abcdef0123456789abcdef"}')


async def be_upstream(certificate):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Upstream, FAR, 0, backlog=4096, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class Link:
    def __init__(self):
        subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
        command = [sys.executable, ROOT / "tests/support/bad_link.py", NAMESPACE, f"{NAMESPACE}n", NEAR, f"{NAMESPACE}f", FAR, "7200"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        subprocess.run(["ip", "-n", NAMESPACE, "link", "set", "lo", "up"], check=True)  # between what runs there

    def tell(self, **weather):
        self.process.stdin.write(json.dumps(weather) + "\n")
        self.process.stdin.flush()

    def count(self):
        self.tell(count=True)
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        subprocess.run(["ip", "netns", "del", NAMESPACE])


def send_directly(link, url, options):
    """What an SDK's gzip needs that sends to the upstream itself."""
    link.tell(**FAIR)
    link.count()
    key, rest = url.split("//")[1].split("@")
    place, project = rest.rsplit("/", 1)
    command = [BUILD / "picket_load", "--url", f"http://{place}/api/{project}/envelope/?sentry_key={key}", "--count", "200", "--size", options.size]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    carried = link.count()
    print(f"    directly: {carried['out']['bytes'] / 200:.0f} B out and {carried['back']['bytes'] / 200:.0f} B back an event (gzip body {result['body_bytes']:.0f})", flush=True)


def measure(case, link, upstream_url, options):
    kbit, ms, loss = (float(part) for part in case.split("/"))
    rate = kbit * 125
    count = max(30, int(rate * options.seconds / options.about))
    picket = Picket(config=["[[upstream]]", 'name = "far"', f'dsn = "{upstream_url}"', *options.line])
    try:
        picket.start()
        picket.verb("upstream", "pause", "far")
        time.sleep(1.5)  # it looks once a second
        body = load(picket, count=count, connections=8, size=options.size)["body_bytes"]
        before = picket.metric("forwarded_envelopes_total", "far")
        # Half a second of the link waits before it, as before a usual modem, and never less than ten packets.
        link.tell(**{**FAIR, "latency": ms / 2, "loss": loss / 100, "rate": rate, "queue": max(15_000, rate / 2)})
        link.count()
        picket.verb("upstream", "resume", "far")
        seen, out, back, lost = [], 0, 0, 0
        began, end = None, time.monotonic() + options.seconds * 12 + 60
        while time.monotonic() < end:
            time.sleep(0.25)
            carried = link.count()
            now, forwarded = time.monotonic(), picket.metric("forwarded_envelopes_total", "far") - before
            out, back = out + carried["out"]["bytes"], back + carried["back"]["bytes"]
            lost += carried["out"]["lost"] + carried["out"]["overflowed"]
            if began is None and out > 0:
                began = now - 0.25
            seen.append((now, forwarded, out))
            if options.trace and len(seen) % 2 == 0 and began is not None:
                print(f"    {now - began:5.1f} s: {forwarded} done, {picket.metric('in_flight_requests', 'far')} under way, {100 * (out - seen[-3][2] if len(seen) > 2 else out) / rate / 0.5:.0f} % used, {lost} lost", flush=True)
            if forwarded >= count:
                break
        whole = seen[-1][0] - began
        first = next(one for one in seen if one[1] >= count / 3)
        last = next((one for one in seen if one[1] >= count * 0.9), seen[-1])
        events = (last[1] - first[1]) / max(last[0] - first[0], 0.01)
        cost = out / max(seen[-1][1], 1)
        sent = picket.metric("forwarded_bytes_total", "far") / max(picket.metric("forwarded_envelopes_total", "far"), 1)
        print(f"{case:>12}: {seen[-1][1]} of {count}, {seen[-1][1] / whole:.1f}/s whole, {events:.1f}/s steady; link used {100 * out / whole / rate:.0f} % whole, "
              f"{100 * (last[2] - first[2]) / max(last[0] - first[0], 0.01) / rate:.0f} % steady; {cost:.0f} B out and {back / max(seen[-1][1], 1):.0f} B back an event "
              f"(body {sent:.0f}, as the SDK's gzip {body:.0f}), {lost} packets lost, {picket.metric('failed_attempts_total', 'far')} failures", flush=True)
    finally:
        link.tell(**FAIR)
        picket.stop()
        picket.remove()


def measure_waiting(link, upstream_url, options):
    picket = Picket(config=["[[upstream]]", 'name = "far"', f'dsn = "{upstream_url}"', *options.line], PICKET_STORAGE_JOURNAL_MAX_BYTES="60GiB")
    try:
        picket.start()
        picket.verb("upstream", "pause", "far")
        time.sleep(1.5)  # it looks once a second
        fill(picket, options.waiting)
        picket.wait_digest(3600)
        for case in options.cases:
            kbit, ms, loss = (float(part) for part in case.split("/"))
            rate = kbit * 125
            # What TCP found out of one link is not to burden the next.
            picket.stop()
            picket.start()
            link.tell(**{**FAIR, "latency": ms / 2, "loss": loss / 100, "rate": rate, "queue": max(15_000, rate / 2)})
            link.count()
            before = picket.metric("forwarded_envelopes_total", "far")
            picket.verb("upstream", "resume", "far")
            out, at_third, third = 0, 0, None
            began = time.monotonic()
            while (took := time.monotonic() - began) < options.seconds:
                time.sleep(0.25)
                out += link.count()["out"]["bytes"]
                if options.trace and int(took * 4) % 8 == 0:
                    print(f"    {took:5.1f} s: {picket.metric('in_flight_requests', 'far')} under way, {out / 2**20:.1f} MB out", flush=True)
                if third is None and took > options.seconds / 3:
                    third, at_third = time.monotonic(), out
            ended = time.monotonic()
            picket.verb("upstream", "pause", "far")
            print(f"{case:>12}: of {picket.status()['journal']['used_bytes'] / 2**30:.1f} GB {out / 2**20:.1f} MB went in {ended - began:.0f} s, {picket.metric('forwarded_envelopes_total', 'far') - before} envelopes; "
                  f"link used {100 * out / (ended - began) / rate:.0f} % whole, {100 * (out - at_third) / (ended - third) / rate:.0f} % steady; private memory {picket.private_mb():.1f} MB, "
                  f"{picket.metric('failed_attempts_total', 'far')} failures", flush=True)
            link.tell(**FAIR)
            time.sleep(3)
    finally:
        link.tell(**FAIR)
        picket.stop()
        picket.remove()


def make_certificate():
    """The key's file; the certificate lies beside it as .crt, and behind the key."""
    pem = pathlib.Path(tempfile.mkdtemp()) / "far.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={FAR}", "-addext", f"subjectAltName=IP:{FAR}",
                    "-keyout", pem, "-out", f"{pem}.crt"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + pathlib.Path(f"{pem}.crt").read_text())
    return pem


def main():
    if sys.argv[1:2] == ["--upstream"]:
        return asyncio.run(be_upstream(sys.argv[2] if len(sys.argv) > 2 else None))
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--size", default="3k")
    parser.add_argument("--about", type=int, help="bytes on the wire that an event is expected to take")
    parser.add_argument("--waiting", type=float, help="gigabytes")
    parser.add_argument("--picket", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--h2", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--line", action="append", default=[], help="of the section [[upstream]]")
    parser.add_argument("cases", nargs="*", default=CASES)
    options = parser.parse_args()
    options.about = options.about or (1_350 if options.picket else 3_600)
    inside = ["ip", "netns", "exec", NAMESPACE]
    link, certificate, ends = Link(), None, []
    if options.tls or options.h2:
        certificate = make_certificate()
        options.line.append(f'ca_file = "{certificate}.crt"')
    try:
        if options.picket:
            far = Picket(through=inside, PICKET_SERVER_LISTEN=f"{FAR}:0").start()
            ends += [far.kill, far.remove]
            url = far.dsn
        else:
            own = [] if options.h2 or certificate is None else [str(certificate)]
            upstream = subprocess.Popen([*inside, sys.executable, __file__, "--upstream", *own], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ends += [upstream.stdin.close, upstream.wait]
            url = f"http{'s' if own else ''}://{'ab' * 16}@{FAR}:{int(upstream.stdout.readline())}/7"
        if options.h2:
            behind = re.search(r":(\d+)/", url)[1]
            proxy = subprocess.Popen([*inside, "nghttpx", "--conf=/dev/null", "--no-ocsp", "--frontend-http2-connection-window-size=16M", f"--frontend={FAR},8443", f"--backend={FAR},{behind}", "--workers=1", "--errorlog-file=/dev/null", certificate, f"{certificate}.crt"])
            ends += [proxy.terminate, proxy.wait]
            url = url.replace("http:", "https:").replace(f":{behind}/", ":8443/")
            time.sleep(1)
        if options.waiting:
            return measure_waiting(link, url, options)
        if certificate is None:
            send_directly(link, url, options)
        for case in options.cases:
            measure(case, link, url, options)
    finally:
        for end in ends:
            end()
        link.end()


main()

"""Ten 200 MB minidumps at once: what they cost in memory, here and while they are forwarded.

  python3 tests/bench/large_bodies.py [COUNT [MEGABYTES]]

Private memory is the proportional set less what is backed by files: bodies lie in files. Beside the uploads small
envelopes are sent, and their latency is told. Needs some 8 GB of disk. Exit code 1 past 128 MB, or when one is lost.
"""
import http.client
import http.server
import os
import socketserver
import struct
import sys
import threading
import time

from subject import Picket

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 10
BYTES = (int(sys.argv[2]) if len(sys.argv) > 2 else 200) * 1_000_000
LIMIT_MB = 128
seen = []


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left = length = int(self.headers["Content-Length"])
        while left > 0:
            got = self.rfile.read(min(left, 1 << 20))
            if not got:
                return
            left -= len(got)
        seen.append(length)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def upload(picket, number, answers):
    head = b'--B\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="%d.dmp"\r\n\r\n' % number
    tail = b"\r\n--B--\r\n"
    dump_head = b"MDMP" + struct.pack("<IIII", 0xA793, 0, 32, 0) + struct.pack("<I", 1_700_000_000) + bytes(8)
    connection = http.client.HTTPConnection(picket.host, picket.port, timeout=600)
    connection.putrequest("POST", f"/api/{picket.made['project_id']}/minidump/?sentry_key={picket.made['public_key']}")
    connection.putheader("Content-Type", "multipart/form-data; boundary=B")
    connection.putheader("Content-Length", str(len(head) + BYTES + len(tail)))
    connection.endheaders(head + dump_head)
    left = BYTES - len(dump_head)
    while left > 0:
        # Half of it does not compress, as memory does not; never twice the same, which would.
        block = os.urandom(1 << 19) + bytes(1 << 19)
        connection.send(block[:left])
        left -= min(left, len(block))
    connection.send(tail)
    response = connection.getresponse()
    answers.append((response.status, response.read()))


def neighbours(picket, stop, took):
    connection = http.client.HTTPConnection(picket.host, picket.port, timeout=120)
    body = b'{}\n{"type":"event"}\n{"message":"neighbour"}\n'
    while not stop.is_set():
        began = time.monotonic()
        connection.request("POST", f"/api/{picket.made['project_id']}/envelope/", body, {"X-Sentry-Auth": f"Sentry sentry_key={picket.made['public_key']}"})
        connection.getresponse().read()
        took.append(time.monotonic() - began)
        stop.wait(0.02)


upstream = Threaded(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
picket = Picket(PICKET_UPSTREAM_0_NAME="fake", PICKET_UPSTREAM_0_URL=f"http://127.0.0.1:{upstream.server_address[1]}").start()
try:
    idle = picket.private_mb()
    answers, took, peak, stop = [], [], [idle], threading.Event()
    threads = [threading.Thread(target=upload, args=(picket, i, answers)) for i in range(COUNT)]
    threads.append(threading.Thread(target=neighbours, args=(picket, stop, took)))
    began = time.monotonic()
    for thread in threads:
        thread.start()
    arrived = None
    while True:
        peak.append(picket.private_mb())
        if len(answers) == COUNT and arrived is None:
            arrived, at_arrival = time.monotonic() - began, max(peak)
        large = [size for size in seen if size > 1_000_000]
        if arrived is not None and len(large) == COUNT or time.monotonic() - began > 600:
            break
        time.sleep(0.02)
    stop.set()
    took.sort()
    print(f"idle {idle:.0f} MB, peak while {COUNT} x {BYTES // 1_000_000} MB arrived {at_arrival:.0f} MB "
          f"(in {arrived:.1f} s), peak until all were forwarded {max(peak):.0f} MB")
    print(f"neighbours: {len(took)} envelopes, p50 {took[len(took) // 2] * 1000:.0f} ms, p99 {took[int(len(took) * .99)] * 1000:.0f} ms, "
          f"slowest {took[-1] * 1000:.0f} ms")
    print(f"answers {sorted({status for status, _ in answers})}, forwarded {len(large)}")
    good = all(status == 200 for status, _ in answers) and len(large) == COUNT and max(peak) <= LIMIT_MB
finally:
    picket.stop()
    picket.remove()
sys.exit(0 if good else 1)

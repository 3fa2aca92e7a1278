"""Picket, its load generator and an upstream as processes that are measured: of the `bench` preset, or those in PICKET_BENCH_BUILD."""
import atexit
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PICKET_BENCH_BUILD", ROOT / "build" / "bench")).resolve()
FOLDER = os.environ.get("PICKET_BENCH_DIR", "/var/tmp")
PROCESSES = []  # of Pickets, which do not outlive a benchmark that breaks off


@atexit.register
def end_processes():
    for process in PROCESSES:
        if process.poll() is None:
            process.kill()


class Picket:
    """`config`: lines of a configuration file; `through`: what is to start the process and becomes it, a program and its arguments."""

    def __init__(self, storage=None, config=(), through=(), **env):
        self.storage = pathlib.Path(storage or tempfile.mkdtemp(prefix="picket-bench-", dir=FOLDER))
        self.env = {**os.environ, "PICKET_SERVER_LISTEN": "127.0.0.1:0", "PICKET_STORAGE_PATH": str(self.storage),
                    "PICKET_STORAGE_JOURNAL_MAX_BYTES": "40GiB", **env}
        self.command = [*through, BUILD / "picket", "serve"]
        self.made = json.loads(self.verb("init", "--json"))
        if config:
            file = self.storage / "picket.toml"
            file.write_text("\n".join([*config, ""]))
            self.command += ["--config", file]

    def verb(self, *words):
        return subprocess.run([BUILD / "picket", *words, "--storage", self.storage], env=self.env, check=True, capture_output=True, text=True).stdout

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen(self.command, env=self.env, stderr=subprocess.PIPE, text=True)
        PROCESSES.append(self.process)
        for line in self.process.stderr:
            found = re.search(r"listening on http://([\d.]+):(\d+)", line)
            if found:
                self.host, self.port = found[1], int(found[2])
                break
        else:
            raise SystemExit("picket did not start")
        self.started_in = time.monotonic() - began
        # The log must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)
        return self

    @property
    def dsn(self):
        return f"http://{self.made['public_key']}@{self.host}:{self.port}/{self.made['project_id']}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.drain.wait(10)

    def kill(self):
        """For one whose data nobody wants: it need not bring its work to an end."""
        self.process.kill()
        self.process.wait(60)
        self.drain.wait(10)

    def remove(self):
        shutil.rmtree(self.storage, ignore_errors=True)

    def status(self):
        return json.loads(self.verb("status", "--json"))

    def metric(self, name, destination):
        """Of the series picket_upstream_…, as a whole number."""
        text = urllib.request.urlopen(f"http://{self.host}:{self.port}/metrics").read().decode()
        return int(float(re.search(rf'^picket_upstream_{name}{{destination="{destination}"}} (\S+)', text, re.M)[1]))

    def digest_waiting(self):
        return self.status()["digest"]["waiting"]

    def wait_digest(self, seconds=600):
        end = time.monotonic() + seconds
        while self.digest_waiting() > 0:
            if time.monotonic() > end:
                raise SystemExit("the digest did not catch up")
            time.sleep(0.2)

    def private_mb(self):
        """Private memory: PSS less the file-backed pages."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        value = lambda name: int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1])
        return value("Pss_Anon") / 1024

    def cpu_seconds(self):
        """Of all its threads that live."""
        return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()) / 1e9

    def disk_bytes(self):
        """Used, not preallocated: journal payload as it says, tables' file."""
        status = self.status()
        return status["journal"]["used_bytes"], (self.storage / "tables.mdb").stat().st_blocks * 512

    def put(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("PUT", "/api/0/" + path, json.dumps(body),
                           {"Authorization": "Bearer " + self.made["token"], "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise SystemExit(f"PUT {path}: {answer.status} {text[:300]}")

    def timed_gets(self, paths, count, seconds=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        took = []
        end = time.monotonic() + seconds
        for i in range(count):
            path = paths[i % len(paths)]
            began = time.perf_counter()
            connection.request("GET", "/api/0/" + path, headers={"Authorization": "Bearer " + self.made["token"]})
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {body[:300]}")
            if time.monotonic() > end:
                break
        connection.close()
        took.sort()
        return took[len(took) // 2], took[int(len(took) * 0.95)], json.loads(body)


def load(picket, **options):
    command = [BUILD / "picket_load", "--dsn", picket.dsn]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"picket_load failed: {run.stderr}")
    return json.loads(run.stdout)


def load_attachments(picket, count, size=1_000_000, connections=4):
    """Envelopes of an event and an attachment of bytes at random, such as dumps and screenshots are."""
    pool = os.urandom(4 * size)

    def send(its_count):
        connection = http.client.HTTPConnection("127.0.0.1", picket.port)
        for _ in range(its_count):
            event_id = uuid.uuid4().hex
            event = json.dumps({"event_id": event_id, "level": "error", "message": "with an attachment", "platform": "other"}).encode()
            start = random.randrange(3 * size)
            body = b"".join([b'{"event_id":"%s"}\n{"type":"event","length":%d}\n' % (event_id.encode(), len(event)), event,
                             b'\n{"type":"attachment","length":%d,"filename":"core.bin"}\n' % size, pool[start:start + size]])
            connection.request("POST", f"/api/{picket.made['project_id']}/envelope/?sentry_key={picket.made['public_key']}", body)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise SystemExit(f"envelope with an attachment: {answer.status} {said[:300]}")
        connection.close()

    with ThreadPoolExecutor(connections) as threads:
        for done in [threads.submit(send, count // connections) for _ in range(connections)]:
            done.result()


def fill(picket, gigabytes):
    """A fifth are events of 20 KB as gzip, the rest attachments of 1 MB, or 50 GB would take most of an hour to make."""
    wanted = gigabytes * 2**30
    for _ in range(10):
        load_attachments(picket, int(0.08 * wanted / 1_000_000))
        load(picket, connections=64, count=int(0.02 * wanted / 20_000), size="20k", bodies=500, issues=1000, seed=random.randrange(10**9))
        print(f"   {picket.status()['journal']['used_bytes'] / 2**30:.1f} GB wait", flush=True)


def upstream(*options):
    process = subprocess.Popen([BUILD / "picket_scripted_upstream", *([] if "--port" in options else ["--port", "0"]), "--seconds", "3000", *options], stdout=subprocess.PIPE, text=True)
    return process, re.search(r"(http://\S+)", process.stdout.readline())[1]

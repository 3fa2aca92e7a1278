"""The benchmark behind docs/benchmarks.md: real processes, real sockets, an open-loop load generator.

    python3 tests/bench/run.py [full|quick] [SECTION…]        all sections when none is named; quick: a tenth of the load

An event counts as done only when it was acknowledged, and as served only when the API returns it.
"""
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from subject import BUILD, FOLDER, Picket, fill, load, upstream

QUICK = "quick" in sys.argv[1:2]
WANTED = set(sys.argv[2:])
SCALE = 0.1 if QUICK else 1.0
ROWS = []


def row(what, goal, got, note=""):
    ROWS.append((what, goal, got, note))
    print(f"  {what}: {got}  (goal {goal}){'; ' + note if note else ''}", flush=True)


def section(name):
    def decorate(function):
        function.section = name
        return function
    return decorate


def fdatasync_p50_ms():
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = os.path.join(folder, "sync")
        file = os.open(path, os.O_CREAT | os.O_RDWR)
        os.write(file, b"\0" * (8 << 20))
        os.fsync(file)
        took = []
        for i in range(1000):
            os.pwrite(file, os.urandom(4096), (i % 2048) * 4096)
            began = time.perf_counter()
            os.fdatasync(file)
            took.append((time.perf_counter() - began) * 1000)
        os.close(file)
        return statistics.median(took)


def free_port():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@section("acks")
def acks():
    sync = fdatasync_p50_ms()
    row("the disk's own fdatasync, 4 KB, p50", "-", f"{sync:.2f} ms")
    picket = Picket().start()
    row("private memory, idle", "<= 15 MB", f"{picket.private_mb():.1f} MB")
    one = load(picket, connections=1, seconds=10 * SCALE + 2, size="3k")
    row("ack latency, one connection, p50", "<= 1.5 x fdatasync", f"{one['p50_ms']:.2f} ms", f"{one['p50_ms'] / sync:.1f} x")
    closed = load(picket, connections=128, seconds=20 * SCALE + 3, size="3k", issues=1000)
    row("durable acks, 3 KB gzip, 128 connections, digest running", ">= 20,000/s, p99 <= 15 ms",
        f"{closed['acks_per_second']:,.0f}/s, p50 {closed['p50_ms']:.1f}, p99 {closed['p99_ms']:.1f} ms", f"errors {closed['errors']}")
    large = load(picket, connections=128, seconds=10 * SCALE + 3, size="20k", issues=1000)
    row("durable acks, 20 KB gzip, 128 connections", "-", f"{large['acks_per_second']:,.0f}/s, p99 {large['p99_ms']:.1f} ms")
    picket.stop()
    picket.remove()


@section("pipeline")
def pipeline():
    """Everything that filters and scrubs against nothing of it, in turns on one Picket."""
    picket = Picket().start()
    project = f"projects/{picket.made['organization']}/{picket.made['project']}/"
    filters = ["browser-extensions", "localhost", "web-crawlers", "legacy-browsers", "filtered-transaction"]

    def switch(on):
        picket.put(project, {"dataScrubber": on, "dataScrubberDefaults": on,
                             "options": {"filters:react-hydration-errors": on, "filters:chunk-load-error": on,
                                         "filters:error_messages": "*never seen*" if on else ""}})
        for name in filters:
            picket.put(project + f"filters/{name}/", {"active": on})

    rates = {True: [], False: []}
    for _ in range(5):
        for on in (True, False):
            switch(on)
            picket.wait_digest()
            rates[on].append(load(picket, connections=128, seconds=5 * SCALE + 1, size="3k", issues=1000)["acks_per_second"])
    with_it, without = statistics.median(rates[True]), statistics.median(rates[False])
    row("durable acks with all filters and scrubbing on, against all off", ">= 75 %", f"{100 * with_it / without:.0f} %",
        f"{with_it:,.0f}/s and {without:,.0f}/s, medians of 5 in turns")
    picket.stop()
    picket.remove()


@section("sustained")
def sustained():
    sink, url = upstream()
    picket = Picket(PICKET_UPSTREAM_0_URL=url).start()
    seconds = int(300 * SCALE) + 5
    command = [BUILD / "picket_load", "--dsn", picket.dsn, "--rate", "8000", "--connections", "64", "--seconds", str(seconds), "--size", "3k", "--issues", "5000"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lags, behind, memory = [], [], []
    while run.poll() is None:
        time.sleep(1)
        status = picket.status()
        lags.append(status["digest"]["lag_s"])
        behind.append(status["destinations"][0]["waiting"])
        memory.append(picket.private_mb())
    result = json.loads(run.stdout.read())
    row(f"sustained {seconds} s at 8,000/s, digest keeping up, one upstream mirrored", ">= 8,000/s, lag <= 2 s",
        f"{result['acks_per_second']:,.0f}/s, p99 {result['p99_ms']:.1f} ms", f"digest lag max {max(lags):.1f} s, mirror behind at the end {behind[-1]:,}")
    row("private memory at 8,000 events/s", "<= 64 MB", f"{max(memory):.0f} MB")
    picket.stop()
    picket.remove()
    sink.terminate()
    sink.wait()


@section("reading")
def reading():
    picket = Picket(PICKET_UPSTREAM_0_URL="http://127.0.0.1:9").start()
    count = int(1_000_000 * SCALE)
    issues = int(50_000 * SCALE)
    load(picket, connections=64, count=count, size="3k", issues=issues)
    picket.wait_digest()
    row(f"private memory with {count:,} waiting for a dead upstream", "<= 64 MB", f"{picket.private_mb():.0f} MB")
    base = f"projects/{picket.made['organization']}/{picket.made['project']}"
    org = f"organizations/{picket.made['organization']}"
    lists = [f"{org}/issues/?query=is:unresolved", f"{base}/issues/?query=is:unresolved&statsPeriod=24h", f"{org}/issues/?query=is:unresolved+level:error&sort=freq"]
    search = [f"{org}/issues/?query=is:unresolved+level:error+environment:production+timeout&sort=freq", f"{org}/issues/?query=browser.name:Chrome+worker&sort=date"]
    p50, p95, found = picket.timed_gets(lists, 300)
    row("issue list at rest, p95", "<= 5 ms", f"{p95:.1f} ms (p50 {p50:.1f})", f"{count:,} events, {issues:,} issues")
    issue_ids = [issue["id"] for issue in found]
    p50, p95, _ = picket.timed_gets(search, 300)
    row("issue search at rest, p95", "<= 5 ms", f"{p95:.1f} ms (p50 {p50:.1f})")
    _, _, events = picket.timed_gets([f"{base}/events/?per_page=100"], 1)
    by_id = [f"{base}/events/{event['eventID']}/" for event in events]
    p50, p95, _ = picket.timed_gets(by_id, 300)
    row("event by id, p95", "<= 3 ms", f"{p95:.1f} ms (p50 {p50:.1f})")
    latest = [f"{org}/issues/{issue}/events/latest/" for issue in random.sample(issue_ids, min(50, len(issue_ids)))]
    p50, p95, _ = picket.timed_gets(latest, 300)
    row("issue's latest event, p95", "<= 3 ms", f"{p95:.1f} ms (p50 {p50:.1f})")
    # With what comes before and after it, and why it is in its issue.
    _, _, seen = picket.timed_gets([f"{org}/issues/{issue_ids[0]}/events/?per_page=100"], 1)
    details = [f"{org}/issues/{issue_ids[0]}/events/{event['eventID']}/" for event in seen]
    p50, p95, _ = picket.timed_gets(details, 300)
    row("event of an issue with previous and next, p95", "<= 3 ms", f"{p95:.1f} ms (p50 {p50:.1f})")
    explained = [f"{base}/events/{event['eventID']}/grouping-info/" for event in seen]
    p50, p95, _ = picket.timed_gets(explained, 300)
    row("grouping-info, p95", "<= 3 ms", f"{p95:.1f} ms (p50 {p50:.1f})")
    run = subprocess.Popen([BUILD / "picket_load", "--dsn", picket.dsn, "--rate", "4000", "--connections", "32", "--seconds", "25", "--size", "3k", "--issues", str(issues)], stdout=subprocess.PIPE, text=True)
    time.sleep(3)
    _, p95_list, _ = picket.timed_gets(lists, 400, 10)
    _, p95_search, _ = picket.timed_gets(search, 400, 10)
    run.wait()
    row("issue list and search while 4,000 events/s arrive, p95", "<= 20 ms", f"{p95_list:.1f} and {p95_search:.1f} ms")
    picket.wait_digest()
    # Events of the first load only have a known gzip size.
    sample = load(picket, connections=1, count=100, size="3k")
    journal, tables = picket.disk_bytes()
    total = picket.status()["journal"]["records"]
    per_event = (journal + tables) / total
    row("disk per event, journal + tables", f"<= {1.15 * sample['body_bytes'] + 500:,.0f} B (1.15 x gzip body + 500)", f"{per_event:,.0f} B",
        f"gzip body {sample['body_bytes']:,.0f}, journal {journal / total:,.0f}, tables {tables / total:,.0f}")
    picket.stop()
    picket.remove()


@section("mirror")
def mirror():
    picket = Picket().start()
    count = int(100_000 * SCALE)
    load(picket, connections=64, count=count, size="3k", issues=1000)
    picket.wait_digest()
    picket.stop()
    sink, url = upstream("--delay-ms", "5")
    picket.env["PICKET_UPSTREAM_0_URL"] = url
    picket.start()
    began = time.monotonic()
    while (waiting := picket.status()["destinations"][0]["waiting"]) > 0 and time.monotonic() - began < 120:
        time.sleep(0.2)
    row("mirror to an upstream 5 ms away", ">= 5,000/s", f"{(count - waiting) / (time.monotonic() - began):,.0f}/s")
    picket.stop()
    picket.remove()
    sink.terminate()
    sink.wait()


@section("chain")
def chain():
    """A backlog from one Picket to another on the same cores, in batches and as single requests by turns."""
    near = Picket().start()
    count = int(40_000 * SCALE)
    load(near, connections=64, count=count, size="3k", issues=1000)
    near.wait_digest()
    near.stop()
    for turn in range(2):
        for batch, words in (("auto", "in batches"), ("never", "as single requests")):
            far = Picket().start()
            name = f"far-{turn}-{batch}"
            near.env.update(PICKET_UPSTREAM_0_NAME=name, PICKET_UPSTREAM_0_DSN=far.dsn, PICKET_UPSTREAM_0_BATCH=batch)
            near.start()
            before, began = near.cpu_seconds() + far.cpu_seconds(), time.monotonic()
            while near.metric("forwarded_envelopes_total", name) < count and time.monotonic() - began < 300:
                time.sleep(0.05)
            took, spent = time.monotonic() - began, near.cpu_seconds() + far.cpu_seconds() - before
            row(f"Picket to Picket {words}", ">= 10,000/s", f"{near.metric('forwarded_envelopes_total', name) / took:,.0f}/s",
                f"{1e6 * spent / count:.0f} us of CPU an envelope, both and what of the digest was done")
            near.stop()
            far.kill()
            far.remove()
    # What the forwarder alone can do: the other end stores nothing.
    for turn in range(2):
        for options, words in ((("--batches", "yes"), "in batches"), ((), "as single requests")):
            sink, url = upstream(*options)
            name = f"sink-{turn}-{len(options)}"
            near.env.update(PICKET_UPSTREAM_0_NAME=name, PICKET_UPSTREAM_0_DSN=f"{url.replace('//', '//' + 'ab' * 16 + '@')}/7", PICKET_UPSTREAM_0_BATCH="auto")
            near.start()
            before, began = near.cpu_seconds(), time.monotonic()
            while near.metric("forwarded_envelopes_total", name) < count and time.monotonic() - began < 300:
                time.sleep(0.05)
            took, spent = time.monotonic() - began, near.cpu_seconds() - before
            row(f"drained {words} to an upstream that stores nothing", ">= 10,000/s", f"{near.metric('forwarded_envelopes_total', name) / took:,.0f}/s",
                f"{1e6 * spent / count:.0f} us of CPU an envelope")
            near.stop()
            sink.terminate()
            sink.wait()
    near.remove()


@section("backlog")
def backlog():
    """What waits for an upstream that has been away for long: PICKET_BENCH_BACKLOG_GB of it, 50 unless told."""
    wanted = float(os.environ.get("PICKET_BENCH_BACKLOG_GB", 50)) * SCALE
    if shutil.disk_usage(FOLDER).free < 1.1 * wanted * 2**30:
        return row("backlog", "-", "not measured", f"{FOLDER} has no room for {wanted:.0f} GB")
    port = free_port()
    settings = {"PICKET_UPSTREAM_0_URL": f"http://127.0.0.1:{port}", "PICKET_UPSTREAM_0_NEWEST_FIRST": "errors", "PICKET_UPSTREAM_0_RETRY_MAX": "2s",
                "PICKET_STORAGE_JOURNAL_MAX_BYTES": "60GiB"}

    def started():
        picket.start()
        time.sleep(10)
        return picket.started_in * 1000, picket.private_mb()

    picket = Picket(**settings)
    _, empty = started()
    fill(picket, wanted)
    picket.wait_digest(3600)
    status = picket.status()
    waiting, size = status["destinations"][0]["waiting"], status["journal"]["used_bytes"] / 2**30
    took, memory = [], []
    for _ in range(3):
        picket.stop()
        ready, private = started()
        took.append(ready)
        memory.append(private)
    row(f"start-up with {size:.0f} GB waiting ({waiting:,} envelopes)", "<= 1 s", f"{statistics.median(took):.0f} ms")
    row("private memory, ten seconds after", "within 10 % of an empty one", f"{statistics.median(memory):.1f} MB", f"{empty:.1f} MB empty")
    base = f"projects/{picket.made['organization']}/{picket.made['project']}"
    _, _, newest = picket.timed_gets([f"{base}/events/?per_page=100"], 1)
    with tempfile.NamedTemporaryFile(dir=FOLDER) as ids:
        sink, _ = upstream("--port", str(port), "--out", ids.name)
        time.sleep(20)
        before, began = picket.status()["destinations"][0]["waiting"], time.monotonic()
        time.sleep(40 * SCALE + 5)
        after, ended = picket.status()["destinations"][0]["waiting"], time.monotonic()
        first = pathlib.Path(ids.name).read_text().split()[:100]
        sink.terminate()
        sink.wait()
    row("of the first 100 that went, how many are among the newest 100", "newest first", f"{len(set(first) & {event['eventID'] for event in newest})}")
    row("drained over loopback while it lasts, nine of ten with events of 20 KB alone", "-", f"{(before - after) / (ended - began):,.0f}/s", f"private memory {picket.private_mb():.0f} MB")
    picket.stop()
    picket.remove()


@section("start")
def start():
    empty = Picket()
    took = []
    for _ in range(5):
        empty.start()
        took.append(empty.started_in * 1000)
        empty.stop()
    row("start-up to the listening line, empty", "<= 100 ms", f"{statistics.median(took):.0f} ms")
    empty.start()
    count = int(500_000 * SCALE)
    load(empty, connections=64, count=count, size="20k", issues=1000)
    empty.wait_digest()
    size = empty.status()["journal"]["used_bytes"]
    empty.stop()
    took = []
    for _ in range(5):
        empty.start()
        took.append(empty.started_in * 1000)
        empty.stop()
    row(f"start-up with a journal of {size / 2**30:.1f} GB", "<= 300 ms", f"{statistics.median(took):.0f} ms")
    empty.remove()


@section("binary")
def binary():
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, BUILD / "picket"], check=True)
        row("stripped release binary", "<= 12 MB", f"{os.path.getsize(stripped.name) / 2**20:.1f} MB")


SECTIONS = {function.section: function for function in (acks, pipeline, sustained, reading, mirror, chain, start, binary, backlog)}


def main():
    if sys.argv[1:2] not in ([], ["full"], ["quick"]) or not WANTED <= set(SECTIONS):
        raise SystemExit(f"{__doc__}\nSections: {' '.join(SECTIONS)}")
    print(f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, kernel {os.uname().release}{', quick' if QUICK else ''}", flush=True)
    for name, function in SECTIONS.items():
        if WANTED and name not in WANTED:
            continue
        print(f"-- {name}", flush=True)
        function()
    print("\n| what | goal | measured | beside it |\n|---|---|---|---|")
    for what, goal, got, note in ROWS:
        print(f"| {what} | {goal} | {got} | {note} |")


main()

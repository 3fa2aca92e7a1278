"""See run.sh. One Picket, two upstreams of which one comes and goes, and traffic for as long as was asked for."""
import csv
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from mix import Corpus, Mix  # noqa: E402
from subject import BUILD, FOLDER, ROOT, Picket, load  # noqa: E402

HOURS = float(sys.argv[1])
SHARE = 0.8
UP, DOWN = (20, 90), (5, 30)  # seconds of the upstream that comes and goes
MIX_PER_SECOND = 100
SAMPLE_EVERY = 10
BYTES_AN_EVENT = 3_400  # in the journal, about
FILLINGS = 15  # of the journal
# Rows come and go with what is in the journal. How many pages of the file must be free, that a value of many finds some that lie
# together, shows once all rows have been replaced a few times.
TABLES_AFTER = 3
# Who has seen which issue is kept for 90 days. Each of these has seen each of them after some ten minutes, as on a box that has run
# for months: what grows after that would grow for ever.
ISSUES, USERS = 2_000, 100
FIELDS = ["seconds", "private_mb", "descriptors", "threads", "journal_bytes", "tables_bytes", "digest_lag_s", "waiting_steady", "waiting_flapping", "list_ms"]


class Upstream:
    """Accepts and keeps the ids; can be killed, and comes back at the same port."""

    def __init__(self, name, rules=None):
        self.name, self.rules, self.port, self.lives = name, rules, 0, 0
        self.ids = pathlib.Path(FOLDER) / f"picket-soak-{os.getpid()}-{name}"
        self.start()

    def start(self):
        words = ["--port", str(self.port), "--seconds", str(int(HOURS * 3600) + 7200), "--out", self.ids]
        words += ["--rules", self.rules] if self.rules else []
        self.process = subprocess.Popen([BUILD / "picket_scripted_upstream", *words], stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"(http://\S+)", self.process.stdout.readline())[1]
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])
        self.lives += 1

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def flap(self, ending):
        while not ending.wait(random.uniform(*UP)):
            self.kill()
            ending.wait(random.uniform(*DOWN))
            self.start()


def capacity():
    """Events a second from the first to the moment when they are digested and at both upstreams."""
    sinks = [Upstream("calibration-a"), Upstream("calibration-b")]
    picket = Picket(PICKET_UPSTREAM_0_URL=sinks[0].url, PICKET_UPSTREAM_1_URL=sinks[1].url, PICKET_UPSTREAM_1_NAME="other").start()
    began = time.monotonic()
    acknowledged = load(picket, connections=64, seconds=15, size="3k", issues=ISSUES, users=USERS)["acked"]
    while (status := picket.status())["digest"]["waiting"] or any(one["waiting"] for one in status["destinations"]):
        time.sleep(0.2)
    took = time.monotonic() - began
    picket.stop()
    picket.remove()
    for sink in sinks:
        sink.kill()
        sink.ids.unlink()
    return acknowledged / took


def line_through(points):
    """Slope an hour, and the drift over all of the points."""
    xs, ys = zip(*points)
    x_mean, y_mean = statistics.fmean(xs), statistics.fmean(ys)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in points) / max(1e-9, sum((x - x_mean) ** 2 for x in xs))
    return slope * 3600, slope * (xs[-1] - xs[0])


class Soak:
    def __init__(self, rate):
        self.rate = int(rate)
        self.mix = Mix(Corpus(os.environ.get("PICKET_SOAK_CORPUS")))
        # Full so often that most of the time goes by with segments that are recycled; an outage fits in.
        a_second = self.rate * BYTES_AN_EVENT + MIX_PER_SECOND * self.mix.mean_bytes()
        self.budget = int(max(a_second * 90, min(4 << 30, a_second * HOURS * 3600 / FILLINGS)))
        self.steady, self.flapping = Upstream("steady"), Upstream("flapping", "every 50: 503")
        self.picket = Picket(PICKET_UPSTREAM_0_URL=self.steady.url, PICKET_UPSTREAM_0_NAME="steady", PICKET_UPSTREAM_1_URL=self.flapping.url,
                             PICKET_UPSTREAM_1_NAME="flapping", PICKET_STORAGE_JOURNAL_MAX_BYTES=str(self.budget), PICKET_STORAGE_SEGMENT_BYTES="16MiB").start()
        self.samples, self.verdicts, self.recycled_at = [], [], None
        self.mix_ids = pathlib.Path(FOLDER) / f"picket-soak-{os.getpid()}-mix"

    def sample(self, began):
        status = self.picket.status()
        journal = status["journal"]
        seconds = time.monotonic() - began
        if self.recycled_at is None and journal["first"] > 1:
            self.recycled_at = seconds
        waiting = {one["name"]: one["waiting"] for one in status["destinations"]}
        process = pathlib.Path(f"/proc/{self.picket.process.pid}")
        listed, _, _ = self.picket.timed_gets([f"organizations/{self.picket.made['organization']}/issues/?query=is:unresolved"], 1)
        self.samples.append(dict(zip(FIELDS, [round(seconds, 1), round(self.picket.private_mb(), 2), len(list((process / "fd").iterdir())),
                                              len(list((process / "task").iterdir())), journal["file_bytes"], (self.picket.storage / "tables.mdb").stat().st_blocks * 512,
                                              status["digest"]["lag_s"], waiting["steady"], waiting["flapping"], round(listed, 1)])))
        self.table.writerow(self.samples[-1])
        self.csv.flush()

    def run(self):
        seconds = int(HOURS * 3600)
        results = ROOT / "build" / "soak"
        results.mkdir(parents=True, exist_ok=True)
        self.csv = open(results / time.strftime("%Y-%m-%d-%H%M%S.csv"), "w", newline="")
        self.table = csv.DictWriter(self.csv, FIELDS)
        self.table.writeheader()
        print(f"{HOURS:g} hours at {self.rate:,} error events/s and {MIX_PER_SECOND}/s of everything else; journal of {self.budget >> 20:,} MiB; samples in {self.csv.name}", flush=True)
        ending = threading.Event()
        flapping = threading.Thread(target=self.flapping.flap, args=(ending,))
        flapping.start()
        self.mix.start(self.picket.port, self.picket.made["project_id"], self.picket.made["public_key"], MIX_PER_SECOND, self.mix_ids)
        command = [BUILD / "picket_load", "--dsn", self.picket.dsn, "--rate", str(self.rate), "--connections", "32", "--seconds", str(seconds), "--size", "3k", "--issues", str(ISSUES), "--users", str(USERS)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        began = time.monotonic()
        while run.poll() is None and self.picket.process.poll() is None:
            time.sleep(SAMPLE_EVERY)
            self.sample(began)
            if len(self.samples) % (60 // SAMPLE_EVERY) == 0:
                now = self.samples[-1]
                print(f"  {now['seconds'] / 60:6.1f} min  {now['private_mb']:6.1f} MB  {now['descriptors']:4} descriptors  journal {now['journal_bytes'] >> 20:,} MiB  tables {now['tables_bytes'] >> 20:,} MiB"
                      f"  digest {now['digest_lag_s']:.1f} s behind  waiting {now['waiting_steady']:,} and {now['waiting_flapping']:,}  list {now['list_ms']:.1f} ms", flush=True)
        self.load = json.loads(run.stdout.read())
        ending.set()
        flapping.join()
        self.mix.end()

    def hold(self, what, held, figures):
        self.verdicts.append((what, held, figures))

    def judge_flat(self, what, field, scale, unit, fillings=1.2):
        """Over what comes after the journal was filled so often: before it is first recycled everything grows as it must."""
        warm = [(one["seconds"], one[field] / scale) for one in self.samples if self.recycled_at is not None and one["seconds"] >= fillings * self.recycled_at]
        if len(warm) < 12:
            return self.hold(what, None, f"too short: the journal was not full {fillings} times, or that less than two minutes ago")
        slope, drift = line_through(warm)
        middle = statistics.median(value for _, value in warm)
        self.hold(what, drift <= max(0.1 * middle, 4), f"median {middle:,.1f} {unit}, slope {slope:+,.2f} {unit}/h over {(warm[-1][0] - warm[0][0]) / 3600:.2f} h")

    def judge(self):
        alive = self.picket.process.poll() is None
        self.hold("it is still the same process", alive, f"pid {self.picket.process.pid}")
        if not alive:
            return
        end = time.monotonic() + 900
        while (status := self.picket.status())["digest"]["waiting"] or any(one["waiting"] for one in status["destinations"]):
            if time.monotonic() > end:
                break
            time.sleep(0.5)
        self.judge_flat("private memory is flat", "private_mb", 1, "MB")
        self.judge_flat("descriptors are flat", "descriptors", 1, "")
        self.judge_flat("tables are flat", "tables_bytes", 1 << 20, "MiB", TABLES_AFTER)
        most = max(one["journal_bytes"] for one in self.samples)
        self.hold("the journal is within its budget", most <= self.budget, f"at most {most >> 20:,} of {self.budget >> 20:,} MiB")
        checked = subprocess.run([BUILD / "picket", "ledger", "--check", "--by", "project,category,hour", "--storage", self.picket.storage], env=self.picket.env, capture_output=True, text=True)
        self.hold("the ledger balances", checked.returncode == 0, (checked.stdout + checked.stderr).strip().replace("\n", "; ")[:200])
        for one in status["destinations"]:
            self.hold(f"{one['name']}: nothing waits, is quarantined or has expired", not (one["waiting"] or one["quarantined"] or one["expired"]),
                      f"forwarded {one['forwarded']:,}, waiting {one['waiting']:,}, quarantined {one['quarantined']:,}, expired {one['expired']:,}")
        self.judge_ids()
        lags = [one["digest_lag_s"] for one in self.samples]
        self.hold("the digest keeps up", max(lags) <= 10, f"lag at most {max(lags):.1f} s, median {statistics.median(lags):.1f} s")
        # What is no envelope is answered 400.
        self.hold("intake never refused", not self.load["errors"] and set(self.mix.counts) <= {200, 400}, f"{self.load['acked']:,} acknowledged, errors {self.load['errors'] or 'none'}, p99 {self.load['p99_ms']:.1f} ms; "
                  + ", ".join(f"{said}: {count:,}" for said, count in sorted(self.mix.counts.items(), key=str)))
        self.picket.stop()
        self.hold("SIGTERM ends it", self.picket.process.returncode == 0, f"exit code {self.picket.process.returncode}")

    def judge_ids(self):
        def lines(*command):
            return int(subprocess.run(["sh", "-c", " ".join(command)], check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout)

        steady, flapping = self.steady.ids, self.flapping.ids
        for path in (steady, flapping, self.mix_ids):
            subprocess.run(["sort", "-S", "256M", "-T", FOLDER, "-o", f"{path}.sorted", path], check=True, env={**os.environ, "LC_ALL": "C"})
        twice = lines(f"uniq -d {steady}.sorted | wc -l")
        there = lines(f"uniq {steady}.sorted | wc -l")
        lost = lines(f"uniq {self.mix_ids}.sorted | comm -13 {steady}.sorted - | wc -l")
        other = lines(f"uniq {flapping}.sorted > {flapping}.once; uniq {steady}.sorted | comm -13 {flapping}.once - | wc -l")
        again = lines(f"uniq -d {flapping}.sorted | wc -l")
        expected = self.load["acked"] + lines(f"uniq {self.mix_ids}.sorted | wc -l")
        self.hold("steady: every acknowledged event, once", twice == 0 and lost == 0 and there >= expected, f"{there:,} events of {expected:,} acknowledged, {twice:,} twice, {lost:,} of the mix missing")
        self.hold("flapping: every event that steady has", other == 0, f"{other:,} missing, {again:,} more than once after {self.flapping.lives - 1:,} kills")

    def clean_up(self):
        for sink in (self.steady, self.flapping):
            sink.kill()
        if self.picket.process.poll() is None:
            self.picket.stop()
        if all(held is not False for _, held, _ in self.verdicts):
            self.picket.remove()
        else:
            print(f"kept for a look: {self.picket.storage}")
        for path in pathlib.Path(FOLDER).glob(f"picket-soak-{os.getpid()}-*"):
            path.unlink()


def main():
    rate = os.environ.get("PICKET_SOAK_RATE")
    if not rate:
        both = capacity()
        # One of them must take everything in the part of the time that it is there.
        whole = both * 2 / (1 + (sum(UP) + sum(DOWN)) / sum(UP))
        rate = SHARE * whole
        print(f"this machine digests and forwards {both:,.0f} events/s to two upstreams, {whole:,.0f} when one of them is away as often as here; "
              f"{SHARE:.0%} of it is {rate:,.0f}", flush=True)
    if shutil.disk_usage(FOLDER).free < 10 << 30:
        raise SystemExit(f"less than 10 GiB free in {FOLDER}: name another folder with PICKET_BENCH_DIR")
    soak = Soak(float(rate))
    try:
        soak.run()
        soak.judge()
    finally:
        soak.clean_up()
    print("\n| what | held | figures |\n|---|---|---|")
    for what, held, figures in soak.verdicts:
        print(f"| {what} | {'-' if held is None else 'yes' if held else 'NO'} | {figures} |")
    raise SystemExit(0 if all(held is not False for _, held, _ in soak.verdicts) else 1)


main()

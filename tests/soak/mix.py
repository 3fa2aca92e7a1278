"""Everything that is no plain error event, at a rate: one envelope after another, and what came back."""
import base64
import http.client
import json
import pathlib
import random
import threading
import time
import uuid


def new_id():
    return uuid.uuid4().hex


# Sessions and check-ins are kept for days by these: as many as there are after a while, from the beginning.
BEGAN = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
SESSIONS = [str(uuid.uuid4()) for _ in range(2_000)]
CHECK_INS = [new_id() for _ in range(500)]


def stamp(ago=0.0):
    return time.time() - ago


def trace_context():
    return {"trace_id": new_id(), "span_id": new_id()[:16], "op": "http.server", "status": random.choice(["ok", "ok", "ok", "internal_error"])}


def item(kind, payload, **headers):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return json.dumps({"type": kind, "length": len(body), **headers}).encode() + b"\n" + body + b"\n"


def transaction(event_id):
    context = trace_context()
    begin = stamp(random.random())
    spans = [{"trace_id": context["trace_id"], "span_id": new_id()[:16], "parent_span_id": context["span_id"], "op": random.choice(["db", "http.client", "cache.get"]),
              "description": f"SELECT {i} FROM orders", "start_timestamp": begin, "timestamp": begin + random.random() / 10} for i in range(12)]
    return item("transaction", {"event_id": event_id, "type": "transaction", "transaction": f"GET /orders/{random.randrange(50)}", "platform": "python", "release": "shop@2.1.0",
                                "environment": "production", "start_timestamp": begin, "timestamp": stamp(), "contexts": {"trace": context}, "spans": spans,
                                "measurements": {"lcp": {"value": 1200 * random.random(), "unit": "millisecond"}}})


def logs(_):
    trace = new_id()
    lines = [{"timestamp": stamp(), "trace_id": trace, "level": random.choice(["info", "warn", "error"]), "body": f"order {random.randrange(10_000)} was shipped",
              "attributes": {"shop": {"value": "north", "type": "string"}, "items": {"value": i, "type": "integer"}}} for i in range(10)]
    return item("log", {"items": lines}, item_count=10, content_type="application/vnd.sentry.items.log+json")


def trace_metric(_):
    points = [{"timestamp": stamp(), "trace_id": new_id(), "name": "queue.depth", "type": "gauge", "value": random.randrange(100)} for _ in range(5)]
    return item("trace_metric", {"items": points}, item_count=5, content_type="application/vnd.sentry.items.trace-metric+json")


def session(_):
    return item("session", {"sid": random.choice(SESSIONS), "did": str(random.randrange(5_000)), "init": True, "started": BEGAN,
                            "status": random.choice(["ok", "exited", "crashed"]), "attrs": {"release": "shop@2.1.0", "environment": "production"}})


def check_in(_):
    return item("check_in", {"check_in_id": random.choice(CHECK_INS), "monitor_slug": f"job-{random.randrange(20)}", "status": random.choice(["ok", "ok", "error"]), "duration": random.random(),
                             "monitor_config": {"schedule": {"type": "interval", "value": 1, "unit": "hour"}}})


def with_attachment(event_id):
    return (item("event", {"event_id": event_id, "message": "the export failed", "level": "error", "platform": "native", "timestamp": stamp()})
            + item("attachment", random.randbytes(20_000), filename="state.bin"))


def feedback(event_id):
    return item("feedback", {"event_id": event_id, "timestamp": stamp(), "contexts": {"feedback": {"message": "it is slow today", "contact_email": "someone@example.org"}}})


def replay(event_id):
    about = {"type": "replay_event", "replay_id": event_id, "event_id": event_id, "segment_id": 0, "timestamp": stamp(), "replay_start_timestamp": stamp(5), "urls": ["https://shop.example.org/"],
             "replay_type": "session", "platform": "javascript"}
    return item("replay_event", about) + item("replay_recording", b'{"segment_id":0}\n' + json.dumps([{"type": 4, "timestamp": int(stamp() * 1000), "data": {"href": "/"}}]).encode())


def client_report(_):
    return item("client_report", {"timestamp": stamp(), "discarded_events": [{"reason": "sample_rate", "category": "transaction", "quantity": random.randrange(1, 9)}]})


def of_the_future(_):
    return item("item_of_the_year_2031", random.randbytes(200))


# How often each comes, and whether its id is an event's that must be upstream. Each feedback is an issue of its own, so they are as rare as people.
KINDS = [(transaction, 30, True), (logs, 15, False), (trace_metric, 8, False), (session, 20, False), (check_in, 4, False), (with_attachment, 6, True), (feedback, 0.05, True),
         (replay, 4, True), (client_report, 3, False), (of_the_future, 1, False)]


class Corpus:
    """Real payloads from a folder, each with an id of its own and of now."""

    def __init__(self, folder):
        self.events, self.envelopes, self.dumps = [], [], []
        for path in sorted(pathlib.Path(folder).rglob("*")) if folder else []:
            if not path.is_file() or path.stat().st_size > 900_000:
                continue
            data = path.read_bytes()
            if path.suffix == ".dmp" and data[:4] == b"MDMP":
                self.dumps.append(data)
            elif path.suffix == ".json":
                try:
                    event = json.loads(data)
                except ValueError:
                    continue
                if isinstance(event, dict) and ("exception" in event or "message" in event) and "type" not in event:
                    self.events.append(event)
            elif data.startswith(b"{") and b'"type"' in data:
                self.envelopes.append(data)

    def __len__(self):
        return len(self.events) + len(self.envelopes) + len(self.dumps)

    def pick(self, event_id):
        """A path below /api/PROJECT/, a content type and a body."""
        which = random.randrange(len(self))
        if which < len(self.events):
            event = {**self.events[which], "event_id": event_id, "timestamp": stamp()}
            return "envelope/", "application/x-sentry-envelope", json.dumps({"event_id": event_id}).encode() + b"\n" + item("event", event)
        which -= len(self.events)
        if which < len(self.envelopes):
            whole = self.envelopes[which]
            try:
                known = json.loads(whole.split(b"\n", 1)[0]).get("event_id", "")
            except (ValueError, AttributeError):
                known = ""
            return "envelope/", "application/x-sentry-envelope", whole.replace(known.encode(), event_id.encode()) if known else whole
        dump = self.dumps[which - len(self.envelopes)]
        mark = new_id()
        head = f'--{mark}\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="a.dmp"\r\nContent-Type: application/octet-stream\r\n\r\n'
        return "minidump/", f"multipart/form-data; boundary={mark}", head.encode() + dump + f"\r\n--{mark}--\r\n".encode()


class Mix:
    """Sends on threads of its own from start() to end(); ids of acknowledged events go to the file `ids`, a line each."""

    def __init__(self, corpus):
        self.corpus = corpus

    def mean_bytes(self):
        return sum(len(self.make()[3]) for _ in range(1_000)) / 1_000

    def start(self, port, project, key, rate, ids, threads=4):
        self.port, self.path, self.key = port, f"/api/{project}/", key
        self.ids = open(ids, "w")
        self.lock = threading.Lock()
        self.counts = {}
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.send_all, args=(rate / threads,), daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def make(self):
        event_id = new_id()
        if len(self.corpus) and random.random() < 0.1:
            path, content_type, body = self.corpus.pick(event_id)
            return None, path, content_type, body
        if random.random() < 0.005:
            return None, "envelope/", "application/x-sentry-envelope", base64.b64encode(random.randbytes(60))  # no envelope at all
        kind, _, counts = random.choices(KINDS, [share for _, share, _ in KINDS])[0]
        header = {"event_id": event_id, "sent_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} if counts else {}
        return event_id if counts else None, "envelope/", "application/x-sentry-envelope", json.dumps(header).encode() + b"\n" + kind(event_id)

    def send_all(self, rate):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        due = time.monotonic()
        while not self.ending.is_set():
            due += random.expovariate(rate)
            self.ending.wait(max(0.0, due - time.monotonic()))
            if time.monotonic() - due > 10:
                due = time.monotonic()  # what could not be sent in time is not made up for
            event_id, path, content_type, body = self.make()
            try:
                connection.request("POST", self.path + path, body, {"Content-Type": content_type, "X-Sentry-Auth": f"Sentry sentry_key={self.key}, sentry_version=7, sentry_client=soak/1.0"})
                answer = connection.getresponse()
                answer.read()
                said = answer.status
            except (OSError, http.client.HTTPException) as failure:
                connection.close()
                said = type(failure).__name__
            with self.lock:
                self.counts[said] = self.counts.get(said, 0) + 1
                if said == 200 and event_id:
                    self.ids.write(event_id + "\n")
        connection.close()

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(70)
        self.ids.close()

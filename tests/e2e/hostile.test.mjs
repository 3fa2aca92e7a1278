// Payloads made to hurt: deep, wide, broken, lying. Nothing crashes, nothing slows the others, and
// nothing is dropped without an outcome.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Picket, assertConserved, envelope, errorEvent, eventId, post, sleep, until } from "./lib.mjs";

let picket;
before(async () => { picket = await new Picket().start(); });
after(async () => {
  await assertConserved(assert, picket);
  await picket.end();
});

const project = () => `projects/${picket.organization}/${picket.project}`;
// Under the sanitizers the digest reads these payloads at a tenth of its pace: some hundred of them, half a
// megabyte each, are minutes. Nothing here is about how fast it is.
const digested = () => until(() => picket.status().digest.waiting === 0, { within: 240_000, what: "the digest" });
const outcomes = async (groupBy, extra = "") => {
  const answer = await picket.api(`organizations/${picket.organization}/stats_v2/?groupBy=${groupBy}&field=sum(quantity)&statsPeriod=1d${extra}`);
  return Object.fromEntries(answer.body.groups.map((group) => [group.by[groupBy], group.totals["sum(quantity)"]]));
};

// An event as text, so that it can be no JSON at all. Kept, whatever it holds.
async function keep(text, id = eventId()) {
  const answer = await post(picket, envelope(id, [[{ type: "event" }, text]]));
  assert.equal(answer.status, 200, JSON.stringify(answer.body).slice(0, 300));
  return id;
}
async function shown(id) {
  await digested();
  return picket.api(`${project()}/events/${id}/`);
}
const eventText = (id, extra) => JSON.stringify(errorEvent(id, extra));
const within = (id, raw) => `${eventText(id, {}).slice(0, -1)},${raw}}`;

test("nesting without end", async () => {
  for (const depth of [100, 1_000, 100_000]) {
    for (const [open, close] of [["[", "]"], ['{"a":', "}"]]) {
      const id = eventId();
      const nested = open.repeat(depth) + "1" + close.repeat(depth);
      await keep(within(id, `"extra":{"deep":${nested}}`), id);
      const whole = await shown(id);
      // Beyond what anybody can read it is no event, and counted as such; the bytes are kept all the same.
      assert.ok([200, 404].includes(whole.status), `${depth}: ${whole.status}`);
      if (depth === 100) assert.equal(whole.status, 200);
      if (whole.status === 404) assert.ok((await outcomes("reason")).invalid_json > 0);
    }
  }
});

test("width without end", async () => {
  const id = eventId();
  const tags = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`t${i}`, `v${i}`]));
  await keep(eventText(id, { tags }), id);
  const whole = await shown(id);
  assert.equal(whole.status, 200);
  assert.ok(whole.body.tags.length > 0);

  const key = eventId();
  await keep(eventText(key, { tags: { ["k".repeat(900_000)]: "v", well: "known" }, extra: { ["x".repeat(50_000)]: 1 } }), key);
  const tagged = await shown(key);
  assert.equal(tagged.status, 200);
  assert.ok(tagged.body.tags.some((tag) => tag.key === "well" && tag.value === "known"));

  const many = eventId();
  const values = Array.from({ length: 5_000 }, (_, i) => ({ type: `E${i}`, value: "x" }));
  await keep(eventText(many, { exception: { values } }), many);
  assert.equal((await shown(many)).status, 200);

  // A million tags are more than an event may weigh: refused, and said so.
  const million = await post(picket, envelope(eventId(), [[{ type: "event" }, `{"tags":{${Array.from({ length: 1_000_000 }, (_, i) => `"t${i}":""`).join(",")}}}`]]));
  assert.equal(million.status, 413);
});

test("bytes that are no text", async () => {
  const id = eventId();
  const text = Buffer.from(eventText(id, { message: "MARK", tags: { shift: "night" } }));
  const at = text.indexOf("MARK");
  for (const bad of [[0xff, 0xfe, 0x80, 0xc0], [0xed, 0xa0, 0x80, 0x21], [0xf5, 0x80, 0x80, 0x80]]) {
    const broken = eventId();
    const bytes = Buffer.from(text.toString("latin1").replace(id, broken), "latin1");
    Buffer.from(bad).copy(bytes, at);
    await keep(bytes, broken);
    const whole = await shown(broken);
    assert.equal(whole.status, 200);
    assert.ok(whole.body.tags.some((tag) => tag.key === "shift"));
  }
  const nul = eventId();
  await keep(eventText(nul, { tags: { "nul\u0000key": "nul\u0000value" }, user: { id: "a\u0000b" }, release: "r\u0000" }), nul);
  assert.equal((await shown(nul)).status, 200);
  const surrogate = eventId();
  await keep(within(surrogate, '"message":"half \\ud800 pair","tags":{"a":"\\udfff"}'), surrogate);
  assert.equal((await shown(surrogate)).status, 200);
});

test("keys twice, numbers beyond counting, times beyond the calendar", async () => {
  const twice = eventId();
  await keep(within(twice, '"tags":{"a":"1","a":"2"},"level":"fatal","level":"info","tags":{"a":"3"}'), twice);
  assert.equal((await shown(twice)).status, 200);

  const numbers = eventId();
  const digits = "9".repeat(2_000);
  await keep(within(numbers, `"extra":{"a":1e400,"b":-1e400,"c":${digits},"d":1e-400,"e":-0},"user":{"id":${digits}},"tags":{"n":1e308}`), numbers);
  assert.equal((await shown(numbers)).status, 200);

  for (const timestamp of ['"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', "-1e18", "1e18", "0", '"yesterday"', "[1]", "{}", "null", '"2026-02-30T25:61:61Z"']) {
    const id = eventId();
    const text = eventText(id, {}).replace(/"timestamp":[^,]+/, `"timestamp":${timestamp}`);
    await keep(text, id);
    const whole = await shown(id);
    assert.equal(whole.status, 200, timestamp);
    assert.ok(Math.abs(Date.parse(whole.body.dateReceived) - Date.now()) < 3_600_000, timestamp);
  }
  const listed = await picket.api(`${project()}/issues/?query=&statsPeriod=24h`);
  assert.equal(listed.status, 200);
});

test("every shape in every place", async () => {
  const shapes = ["null", "true", "0", '""', "[]", "{}", "[[]]", '[{"a":[]}]', '{"values":null}', '{"values":[null,1,"x",[],{}]}'];
  const fields = ["exception", "message", "logentry", "breadcrumbs", "user", "request", "tags", "contexts", "extra", "sdk", "fingerprint", "threads",
    "stacktrace", "debug_meta", "level", "release", "environment", "platform", "transaction", "modules", "spans", "measurements", "_meta", "errors"];
  const ids = [];
  for (const field of fields) {
    for (const shape of shapes) {
      const id = eventId();
      const base = { ...errorEvent(id) };
      delete base[field];
      ids.push(await keep(`${JSON.stringify(base).slice(0, -1)},"${field}":${shape}}`, id));
    }
  }
  await digested();
  for (const id of ids) assert.equal((await picket.api(`${project()}/events/${id}/`)).status, 200);
});

test("a client report that lies", async () => {
  const before = await outcomes("outcome");
  const lies = [
    '{"discarded_events":[{"reason":"sample_rate","category":"error","quantity":-5}]}',
    '{"discarded_events":[{"reason":"sample_rate","category":"error","quantity":1e30}]}',
    `{"discarded_events":[{"reason":"${"r".repeat(3_000)}","category":"error","quantity":1}]}`,
    '{"discarded_events":[{"reason":"x","category":"no such category","quantity":1}]}',
    '{"discarded_events":"none","timestamp":[]}', '{"discarded_events":[[],1,null]}', "[]", "null", "{",
    '{"timestamp":"9999-01-01T00:00:00Z","discarded_events":[{"reason":"from the future","category":"error","quantity":7}]}',
  ];
  for (const lie of lies) {
    const answer = await post(picket, envelope(eventId(), [[{ type: "client_report" }, lie]]));
    assert.equal(answer.status, 200, lie.slice(0, 100));
  }
  const honest = await post(picket, envelope(eventId(), [[{ type: "client_report" }, '{"discarded_events":[{"reason":"queue_overflow","category":"error","quantity":3}]}']]));
  assert.equal(honest.status, 200);
  await digested();
  const told = await outcomes("reason", "&outcome=client_discard");
  assert.equal(told.queue_overflow, 3);
  const afterwards = await outcomes("outcome");
  assert.equal(afterwards.accepted - before.accepted >= 0, true, "what never reached us is not counted as accepted");
  const total = (await outcomes("outcome")).client_discard;
  assert.ok(Number.isSafeInteger(total) && total >= 3, `a lie counts no more than can be true: ${total}`);
});

test("a session that never ends, and those of another age", async () => {
  const session = (sid, more) => post(picket, envelope(eventId(), [[{ type: "session" },
    { sid, did: "ada", init: false, status: "ok", errors: 0, started: new Date(Date.now() - 3_600_000).toISOString(), attrs: { release: "endless@1", environment: "quay" }, ...more }]]));
  const sid = randomUUID();
  for (let seq = 0; seq < 60; ++seq)
    assert.equal((await session(sid, { seq, init: seq === 0, duration: seq === 59 ? 1e300 : seq * 60, timestamp: new Date().toISOString() })).status, 200);
  const before = (await outcomes("reason", "&outcome=invalid")).timestamp ?? 0;
  for (const started of ["0000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    assert.equal((await session(randomUUID(), { seq: 0, init: true, started })).status, 200);
  await digested();
  const answer = await picket.api(`organizations/${picket.organization}/sessions/?field=sum(session)&field=crash_free_rate(session)&groupBy=release&query=release:endless@1&statsPeriod=1d`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.body.groups[0].totals["sum(session)"], 1, "sixty updates are one session");
  assert.equal(answer.body.groups[0].totals["crash_free_rate(session)"], 1);
  assert.equal((await outcomes("reason", "&outcome=invalid")).timestamp - before, 3, "the others are on record");
});

test("a check-in for a monitor that nobody knows", async () => {
  const before = (await outcomes("reason", "&outcome=invalid")).monitor_not_found ?? 0;
  const answer = await post(picket, envelope(eventId(), [[{ type: "check_in" }, { check_in_id: eventId(), monitor_slug: "nobody-knows", status: "ok" }],
    [{ type: "session" }, "{}"]]));
  assert.equal(answer.status, 200);
  const by_url = await fetch(`${picket.url}/api/${picket.project_id}/cron/nobody-knows/${picket.public_key}/?status=in_progress`);
  assert.equal(by_url.status, 202);
  await digested();
  assert.equal((await outcomes("reason", "&outcome=invalid")).monitor_not_found - before, 2);
  assert.equal((await picket.api(`organizations/${picket.organization}/monitors/nobody-knows/`)).status, 404);
});

const ask = async () => {
  const began = performance.now();
  const id = eventId();
  const answer = await post(picket, envelope(id, [[{ type: "event" }, errorEvent(id)]]));
  assert.equal(answer.status, 200);
  return performance.now() - began;
};

const p95 = (took) => took.sort((a, b) => a - b)[Math.floor(took.length * 0.95)];

// What hangs holds its connection and its bytes, nobody's thread: the others are answered meanwhile.
test("a multipart without an end, and uploads that stall", async () => {
  const before = (await outcomes("reason", "&outcome=invalid")).invalid_multipart ?? 0;
  const form = '--b\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="a.dmp"\r\n\r\nMDMP' + "x".repeat(200_000);
  const type = { "Content-Type": "multipart/form-data; boundary=b" };
  const whole = await fetch(`${picket.url}/api/${picket.project_id}/minidump/?sentry_key=${picket.public_key}`, { method: "POST", headers: type, body: form });
  assert.equal(whole.status, 400, await whole.text());

  const created = await fetch(`${picket.url}/api/${picket.project_id}/upload/?sentry_key=${picket.public_key}`, { method: "POST", headers: { "Tus-Resumable": "1.0.0", "Upload-Length": "1000000" } });
  assert.equal(created.status, 201);
  const location = created.headers.get("location");
  const stalled = [];
  const stall = (head, bytes) => {
    const socket = connect(Number(picket.port), "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(`${head}\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`);
    socket.write(bytes);
    stalled.push(socket);
  };
  for (let i = 0; i < 50; ++i)
    stall(`POST /api/${picket.project_id}/minidump/?sentry_key=${picket.public_key} HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b`, form);
  for (let i = 0; i < 50; ++i)
    stall(`POST /api/${picket.project_id}/envelope/?sentry_key=${picket.public_key} HTTP/1.1`, '{}\n{"type":"attachment","length":900000}\n');
  stall(`PATCH ${location} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream`, "x".repeat(70_000));
  await sleep(300);
  const took = [];
  for (let i = 0; i < 100; ++i) took.push(await ask());
  assert.ok(p95(took) < 1_500, `p95 ${p95(took)} ms beside a hundred that hang`);
  const offset = await fetch(picket.url + location, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
  assert.equal(offset.headers.get("upload-offset"), "70000", "what came is kept");
  for (const socket of stalled) socket.destroy();
  await until(async () => (await outcomes("reason", "&outcome=invalid")).invalid_multipart > before, { what: "the outcome" });
  await digested();
});

test("neighbours do not notice", async () => {
  const quiet = [];
  for (let i = 0; i < 150; ++i) quiet.push(await ask());

  let going = true;
  const heavy = [
    () => envelope(eventId(), [[{ type: "event" }, `{"extra":${"[".repeat(400_000)}`]]),
    () => envelope(eventId(), [[{ type: "event" }, JSON.stringify({ tags: Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`t${i}`, i])) })]]),
    () => envelope(eventId(), [[{ type: "event" }, JSON.stringify({ message: "%".repeat(500_000), fingerprint: Array(20_000).fill("x") })]]),
    () => envelope(eventId(), Array.from({ length: 9_000 }, () => [{ type: "unknown" }, "x"])),
  ];
  // All that is sent must be digested before this test ends, so each sends a bounded number; what is measured
  // is only what was asked while all four were at it.
  let sending = heavy.length;
  const hostile = heavy.map(async (make) => {
    const body = make();
    for (let sent = 0; going && sent < 60; ++sent) {
      await post(picket, body, { gzip: true });
      await sleep(5);
    }
    --sending;
  });
  const busy = [];
  while (busy.length < 150 && sending === heavy.length) busy.push(await ask());
  going = false;
  await Promise.all(hostile);
  assert.ok(busy.length >= 30, `only ${busy.length} questions were asked beside them`);
  const [before, during] = [p95(quiet), p95(busy)];
  // Four senders and this one share the machine: far from fair, but nobody waits for seconds.
  assert.ok(during < Math.max(40 * before, 1_500), `p95 ${before.toFixed(1)} ms alone, ${during.toFixed(1)} ms beside them`);
  await digested();
});

// The journal's verbs and the backup with the real binary: what goes out comes in, whatever happens.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync, openSync, writeSync, closeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Picket, assertConserved, binary, envelope, errorEvent, eventId, picket as verb, post, sleep, tempFolder, until, uptimeMs } from "./lib.mjs";

const event = (id, extra) => envelope(id, [[{ type: "event" }, errorEvent(id, extra)]]);

async function send(picket, count, extra = {}) {
  const ids = [];
  for (let i = 0; i < count; ++i) {
    const id = eventId();
    assert.equal((await post(picket, event(id, extra), { gzip: i % 2 === 0 })).status, 200);
    ids.push(id);
  }
  return ids;
}
const settled = (picket) => until(() => picket.status().digest.waiting === 0, { within: 120_000, what: "the digest" });

async function listed(picket) {
  const ids = [];
  let cursor = "";
  for (;;) {
    const page = await picket.api(`projects/${picket.organization}/${picket.project}/events/?per_page=100&cursor=${cursor}`);
    assert.equal(page.status, 200);
    ids.push(...page.body.map((each) => each.eventID));
    const next = page.headers.get("link").match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
    if (next[1] !== "true") return ids;
    cursor = next[2];
  }
}

test("export beside a running Picket, import into another: all is there, once, and the ledger balances", async () => {
  const from = await new Picket().start();
  const to = new Picket();
  const ids = await send(from, 40);
  const session = envelope(eventId(), [[{ type: "session" }, { sid: "f0e1d2c3-0000-4000-8000-000000000001", init: true, started: new Date().toISOString(), status: "exited", attrs: { release: "till@1.0.0" } }]]);
  assert.equal((await post(from, session)).status, 200);
  const stream = join(tempFolder(), "stream");
  const file = openSync(stream, "w");
  const exported = await new Promise((done) => {
    const child = spawn(binary, ["journal", "export", "--storage", from.storage], { stdio: ["ignore", file, "inherit"] });
    child.once("exit", done);
  });
  closeSync(file);
  assert.equal(exported, 0);
  const take = () => verb(["journal", "import", stream, "--storage", to.storage, "--json"]);
  const taken = take();
  assert.equal(taken.code, 0, taken.err);
  assert.equal(JSON.parse(taken.out).taken, 41);
  assert.deepEqual([JSON.parse(take().out).taken, JSON.parse(take().out).duplicates], [0, 41]);
  await to.start();
  await settled(to);
  assert.deepEqual((await listed(to)).sort(), [...ids].sort());
  assert.equal(take().code, 78, "a running Picket's journal has one writer");
  await assertConserved(assert, to);
  await to.stop();
  assert.equal(JSON.parse(take().out).duplicates, 41, "also once the digest has had them");
  rmSync(stream);
  await to.end();
  await from.end();
});

test("a stream that is cut anywhere is taken up to there, and the whole one afterwards takes the rest", async () => {
  const from = await new Picket().start();
  const to = new Picket();
  await send(from, 12);
  await from.stop();
  const stream = join(tempFolder(), "stream");
  // Bodies are bytes: through the shell's redirection, not through a string.
  await new Promise((done) => spawn("sh", ["-c", `"${binary}" journal export --storage "${from.storage}" >"${stream}"`], { stdio: "ignore" }).once("exit", done));
  const bytes = readFileSync(stream);
  let taken = 0;
  for (const part of [0.3, 0.6, 0.95]) {
    writeFileSync(stream, bytes.subarray(0, Math.floor(bytes.length * part)));
    const run = verb(["journal", "import", stream, "--storage", to.storage, "--json"]);
    assert.equal(run.code, 1, run.err);
    assert.match(run.err, /stopped behind record \d+ of the stream/);
    taken += JSON.parse(run.out).taken;
  }
  writeFileSync(stream, bytes);
  const last = verb(["journal", "import", stream, "--storage", to.storage, "--json"]);
  assert.equal(last.code, 0, last.err);
  assert.equal(taken + JSON.parse(last.out).taken, 12);
  const piped = verb(["journal", "import", "--storage", to.storage, "--json"], { input: bytes });
  assert.equal(JSON.parse(piped.out).duplicates, 12);
  rmSync(stream);
  await to.end();
  await from.end();
});

test("a segment that was broken: repair says what it held, export and import bring it back", async () => {
  const picket = await new Picket({ env: { PICKET_STORAGE_SEGMENT_BYTES: "1MiB" } }).start();
  picket.expectErrors = true;
  const ids = [];
  for (let i = 0; i < 60; ++i) {
    const id = eventId();
    ids.push(id);
    assert.equal((await post(picket, event(id, { extra: { filler: randomBytes(30_000).toString("base64") } }))).status, 200);
  }
  await settled(picket);
  await picket.stop();
  const folder = join(picket.storage, "journal");
  const segments = readdirSync(folder).filter((name) => /^\d{20}\.\d{5}\.mdb$/.test(name)).sort();
  assert.ok(segments.length >= 2, segments.join());
  assert.equal(verb(["journal", "repair", "--storage", picket.storage]).code, 0);
  const file = openSync(join(folder, segments[0]), "r+");
  writeSync(file, Buffer.alloc(8192, 0xee), 0, 8192, 0);
  closeSync(file);
  const repaired = verb(["journal", "repair", "--storage", picket.storage, "--json"]);
  assert.equal(repaired.code, 1, repaired.err);
  const [aside] = JSON.parse(repaired.out).set_aside;
  assert.equal(aside.first, 1);
  assert.equal(aside.readable, aside.last, "all of it can still be read");
  assert.ok(existsSync(aside.file));
  assert.equal(verb(["journal", "verify", "--storage", picket.storage]).code, 1);
  const stream = join(tempFolder(), "stream");
  await new Promise((done) => spawn("sh", ["-c", `"${binary}" journal export --segment "${aside.file}" >"${stream}"`], { stdio: "ignore" }).once("exit", done));
  // Into the same Picket: the events are known, as their rows outlived the journal; into another they come whole.
  const again = verb(["journal", "import", stream, "--storage", picket.storage, "--json"], { env: picket.env });
  assert.equal(again.code, 0, again.err);
  assert.equal(JSON.parse(again.out).duplicates, aside.readable);
  const other = new Picket();
  assert.equal(JSON.parse(verb(["journal", "import", stream, "--storage", other.storage, "--json"]).out).taken, aside.readable);
  await other.start();
  await settled(other);
  const there = await listed(other);
  assert.equal(there.length, aside.readable);
  for (const id of there) assert.ok(ids.includes(id));
  await picket.start();
  assert.equal((await post(picket, event(eventId()))).status, 200);
  rmSync(stream);
  await other.end();
  await picket.end();
});

// As many as fit; what was acknowledged before a moment is known.
function flood(picket) {
  const agent = new Agent({ keepAlive: true, maxSockets: 24 });
  const acknowledged = [];
  let stopped = false;
  const refused = [];
  const filler = Array.from({ length: 1500 }, () => Math.random().toString(36).slice(2)).join(" ").slice(0, 9000);
  const one = () => new Promise((done) => {
    const id = eventId();
    const sending = request({ agent, port: picket.port, host: "127.0.0.1", method: "POST", path: `/api/${picket.project_id}/envelope/`,
      headers: { "X-Sentry-Auth": `Sentry sentry_key=${picket.public_key}, sentry_version=7`, "Content-Encoding": "gzip" } }, (answer) => {
      answer.resume();
      answer.on("end", () => { (answer.statusCode === 200 ? acknowledged : refused).push(id); done(); });
    });
    sending.on("error", () => done());
    sending.end(gzipSync(event(id, { extra: { filler: id + filler } }), { level: 1 }));
  });
  const workers = Promise.all(Array.from({ length: 24 }, async () => { while (!stopped) await one(); }));
  return { acknowledged, refused, stop: async () => { stopped = true; await workers; agent.destroy(); } };
}

test("backups made while events arrive as fast as they can hold all that was acknowledged before, and restore", { timeout: 300_000 }, async () => {
  const picket = await new Picket({ env: { PICKET_STORAGE_SEGMENT_BYTES: "4MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "1GiB" } }).start();
  const running = flood(picket);
  await until(() => running.acknowledged.length > 500, { what: "the flood" });
  const copies = [];
  const began = uptimeMs();
  const countAtStart = running.acknowledged.length;
  for (let round = 0; round < 3; ++round) {
    const before = [...running.acknowledged];
    const copy = join(tempFolder(), "copy");
    const code = await new Promise((done) => {
      let err = "";
      const child = spawn(binary, ["backup", copy, "--storage", picket.storage], { stdio: ["ignore", "ignore", "pipe"] });
      child.stderr.on("data", (bytes) => (err += bytes));
      child.once("exit", (status) => done(status === 0 ? 0 : `${status}: ${err}`));
    });
    assert.equal(code, 0);
    copies.push({ copy, before, during: running.acknowledged.length - before.length });
    await sleep(200);
  }
  const rate = Math.round((running.acknowledged.length - countAtStart) / ((uptimeMs() - began) / 1000));
  await running.stop();
  assert.deepEqual(running.refused, [], "a backup makes nobody wait in vain");
  assert.ok(copies.some((each) => each.during > 0), "events arrived while it was made");
  await settled(picket);
  const all = new Set(await listed(picket));
  assert.deepEqual(running.acknowledged.filter((id) => !all.has(id)), [], "the Picket itself lost nothing");
  for (const { copy, before } of copies) {
    const target = join(tempFolder(), "restored");
    const restored = verb(["restore", copy, "--storage", target, "--json"]);
    assert.equal(restored.code, 0, restored.err);
    assert.equal(JSON.parse(restored.out).journal.damaged, 0);
    const other = await new Picket({ storage: target, env: { PICKET_STORAGE_SEGMENT_BYTES: "4MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "1GiB" } }).start();
    await settled(other);
    const there = await listed(other);
    assert.equal(new Set(there).size, there.length, "an event is there twice");
    const has = new Set(there);
    assert.deepEqual(before.filter((id) => !has.has(id)), [], "acknowledged before the backup began");
    await assertConserved(assert, other);
    await other.end();
    rmSync(join(copy, ".."), { recursive: true });
    rmSync(join(target, ".."), { recursive: true });
  }
  await assertConserved(assert, picket);
  await picket.end();
  console.log(`acknowledged ${running.acknowledged.length} at ${rate}/s while backups were made; during each ${copies.map((each) => each.during).join(", ")}`);
});

// A resumable upload over the worst of links: cut at random offsets, the server killed in between,
// and at the end an attachment like any other, here and upstream.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, assertConserved, envelope, errorEvent, eventId, post, until } from "./lib.mjs";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const tus = { "Tus-Resumable": "1.0.0" };

async function create(picket, length) {
  const answer = await fetch(`${picket.url}/api/${picket.project_id}/upload/?sentry_key=${picket.public_key}`, {
    method: "POST", headers: { ...tus, "Upload-Length": String(length), "Upload-Metadata": "filename Y3Jhc2guZG1w" } });
  assert.equal(answer.status, 201, await answer.text());
  return answer.headers.get("location");
}

async function offsetOf(picket, location) {
  const answer = await fetch(picket.url + location, { method: "HEAD", headers: tus });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return Number(answer.headers.get("upload-offset"));
}

async function patch(picket, location, offset, bytes) {
  const answer = await fetch(picket.url + location, {
    method: "PATCH", body: bytes, headers: { ...tus, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" } });
  return { status: answer.status, offset: Number(answer.headers.get("upload-offset")), text: await answer.text() };
}

// Announces all that is missing, sends `count` bytes of it and waits until `isThere`, then breaks the connection.
async function brokenPatch(picket, location, offset, bytes, count, isThere) {
  const socket = connect(Number(picket.port), "127.0.0.1");
  await new Promise((done, failed) => { socket.once("connect", done); socket.once("error", failed); });
  socket.on("error", () => {});
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: ${offset}\r\n` +
    `Content-Type: application/offset+octet-stream\r\nContent-Length: ${bytes.length - offset}\r\n\r\n`);
  await new Promise((done) => socket.write(bytes.subarray(offset, offset + count), done));
  await until(isThere, { what: "the bytes", within: 30_000 });
  socket.resetAndDestroy();
}

const namesIn = (picket) => {
  const folder = join(picket.storage, "uploads");
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.includes(".")) : [];
};
const storedBytes = (picket) => statSync(join(picket.storage, "uploads", namesIn(picket)[0])).size;

async function attachmentsOf(picket, id) {
  const answer = await picket.api(`projects/${picket.organization}/${picket.project}/events/${id}/attachments/`);
  return answer.status === 200 ? answer.body : [];
}

async function download(picket, id, attachment) {
  const answer = await fetch(`${picket.url}/api/0/projects/${picket.organization}/${picket.project}/events/${id}/attachments/${attachment.id}/?download=1`,
    { headers: { Authorization: `Bearer ${picket.token}` } });
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer());
}

const placeholder = (location, length, more = {}) => [
  { type: "attachment", content_type: "application/vnd.sentry.attachment-ref+json", attachment_length: length, filename: "crash.bin", ...more },
  { location, content_type: "application/octet-stream" }];

test("an upload goes on through broken connections and kills, and is an attachment here and upstream", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ env: { PICKET_UPSTREAM_0_NAME: "hub", PICKET_UPSTREAM_0_DSN: hub.liveDsn, PICKET_UPSTREAM_0_RETRY_MIN: "50ms" } }).start();
  const bytes = randomBytes(20 << 20);
  const location = await create(edge, bytes.length);

  let known = 0; // what was acknowledged
  for (let round = 0; known < bytes.length; ++round) {
    const offset = await offsetOf(edge, location);
    assert.ok(offset >= known, `acknowledged ${known}, now ${offset}`);
    known = offset;
    const left = bytes.length - offset;
    const count = Math.min(left, 1 + Math.floor(Math.random() * (4 << 20)));
    if (round % 3 === 0 && count < left) {
      // Cut in the middle of a request: what has come stays.
      await brokenPatch(edge, location, offset, bytes, count, () => storedBytes(edge) === offset + count);
      assert.equal(await offsetOf(edge, location), offset + count);
    } else if (round % 3 === 1 && count < left) {
      // Killed in the middle of one.
      await brokenPatch(edge, location, offset, bytes, count, () => storedBytes(edge) >= offset + Math.floor(count / 2));
      await edge.kill();
      await edge.start();
    } else {
      const answer = await patch(edge, location, offset, bytes.subarray(offset, offset + count));
      assert.equal(answer.status, 204, answer.text);
      assert.equal(answer.offset, offset + count);
      known = answer.offset;
      await edge.kill(); // what 204 acknowledges is there
      await edge.start();
    }
    assert.equal((await patch(edge, location, bytes.length + 1, "x")).status, 409);
  }

  const id = eventId();
  const sent = await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)], placeholder(location, bytes.length),
    placeholder(location.replace(/.$/, (c) => (c === "0" ? "1" : "0")), bytes.length), [{ type: "attachment", filename: "app.log" }, "the last words"]]));
  assert.equal(sent.status, 200);
  for (const side of [edge, hub]) {
    const listed = await until(async () => { const all = await attachmentsOf(side, id); return all.length === 2 && all; }, { within: 60_000, what: "the attachments" });
    const file = listed.find((each) => each.name === "crash.bin");
    assert.equal(file.size, bytes.length);
    assert.equal(file.mimetype, "application/octet-stream");
    assert.equal(sha256(await download(side, id, file)), sha256(bytes));
  }
  await until(() => namesIn(edge).length === 0, { what: "the upload's file to go" });
  assert.equal((await fetch(edge.url + location, { method: "HEAD", headers: tus })).status, 410);

  const dropped = await until(() => edge.status().ledger.dropped > 0 && edge.status().ledger, { what: "the forged reference on record" });
  assert.equal(dropped.dropped, 1, JSON.stringify(dropped));
  await until(() => edge.status().destinations[0].waiting === 0, { what: "nothing waiting" });
  for (const side of [edge, hub]) {
    await until(() => side.status().digest.waiting === 0, { what: "the digest" });
    await assertConserved(assert, side);
    await side.end();
  }
});

test("killed as soon as its envelope is acknowledged, an upload is stored once and counted once", async () => {
  const picket = await new Picket().start();
  for (let round = 0; round < 5; ++round) {
    const bytes = randomBytes(100_000);
    const location = await create(picket, bytes.length);
    assert.equal((await patch(picket, location, 0, bytes)).status, 204);
    const id = eventId();
    const sent = await post(picket, envelope(id, [[{ type: "event" }, errorEvent(id)], placeholder(location, bytes.length)]));
    assert.equal(sent.status, 200);
    await picket.kill();
    await picket.start();
    await until(() => namesIn(picket).length === 0, { what: "the upload's file to go" });
    assert.equal((await fetch(picket.url + location, { method: "HEAD", headers: tus })).status, 410);
    const listed = await until(async () => { const all = await attachmentsOf(picket, id); return all.length === 1 && all; }, { what: "the attachment" });
    assert.equal(sha256(await download(picket, id, listed[0])), sha256(bytes));
  }
  await until(() => picket.status().digest.waiting === 0, { what: "the digest" });
  const { ledger } = picket.status();
  assert.equal(ledger.received, 5 * (1 + 1 + 100_000), JSON.stringify(ledger));  // event, attachment, its bytes
  assert.equal(ledger.dropped, 0, JSON.stringify(ledger));
  await assertConserved(assert, picket);
  await picket.end();
});

test("an upload of 150 MB costs a few MB of memory", async () => {
  // A sanitizer keeps what was freed: no more than a few MB of it here.
  const sanitizer = [process.env.ASAN_OPTIONS, "quarantine_size_mb=16"].filter(Boolean).join(":");
  const picket = await new Picket({ env: { ASAN_OPTIONS: sanitizer } }).start();
  const rss = (field) => Number(readFileSync(`/proc/${picket.process.pid}/status`, "utf8").match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"))[1]) * 1024;
  const anonymous = () => rss("RssAnon");
  const piece = randomBytes(1 << 20);
  const length = 150 << 20;
  const location = await create(picket, length);
  const before = anonymous();
  let most = 0;
  const watch = setInterval(() => { most = Math.max(most, anonymous() - before); }, 5);
  const body = new ReadableStream({
    start() { this.left = length / piece.length; },
    pull(controller) { if (this.left-- > 0) controller.enqueue(piece); else controller.close(); },
  });
  const answer = await fetch(picket.url + location, { method: "PATCH", body, duplex: "half",
    headers: { ...tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream" } });
  assert.equal(answer.status, 204, await answer.text());
  const id = eventId();
  const sent = await post(picket, envelope(id, [[{ type: "event" }, errorEvent(id)], placeholder(location, length)]));
  assert.equal(sent.status, 200);
  clearInterval(watch);
  assert.ok(most < 32 << 20, `${most >> 20} MB more`);
  await picket.end();
});

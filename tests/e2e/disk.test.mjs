// A disk that fills up, a backlog that does, and a segment that rots: each step is seen, counted, and undone by itself.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, closeSync, openSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, picket, post, tempFolder, underFaults, until } from "./lib.mjs";

const mib = 2 ** 20;

const metric = async (subject, name) => {
  const text = await (await fetch(`${subject.url}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name} (\\S+)$`, "m"))?.[1]);
};
const sendError = (subject, extra = {}, id = eventId()) => post(subject, envelope(id, [[{ type: "event" }, errorEvent(id, { extra })]]));
const sendTransaction = (subject, extra = {}, id = eventId()) => {
  const now = Date.now() / 1000;
  return post(subject, envelope(id, [[{ type: "transaction" }, {
    event_id: id, type: "transaction", transaction: "/", platform: "python", start_timestamp: now - 1, timestamp: now, extra,
    contexts: { trace: { trace_id: eventId(), span_id: eventId().slice(16), op: "http.server" } } }]]));
};
// Not to be compressed away.
const noise = (bytes) => ({ noise: randomBytes(bytes * 0.75).toString("base64") });
const ready = async (subject) => (await fetch(`${subject.url}/api/relay/healthcheck/ready/`)).status;

// A file system of 96 MiB that others fill; without the right to mount one, a disk that is only said to be full.
class Disk {
  constructor() {
    this.folder = tempFolder();
    this.mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", this.folder]).status === 0;
    this.filler = join(this.folder, "filler");
    this.storage = join(this.folder, "storage");
    this.env = this.mounted ? {} : underFaults({ PICKET_FAULT_FREE: this.filler });
  }
  // REQUIRES: not more than there is. Nobody sees anything between before and after.
  leave(bytes) {
    if (!this.mounted) {
      writeFileSync(`${this.filler}.new`, String(bytes));
      return renameSync(`${this.filler}.new`, this.filler);
    }
    const { bavail, bsize } = statfsSync(this.folder);
    return appendFileSync(this.filler, Buffer.alloc(bavail * bsize - bytes));
  }
  giveBack() { rmSync(this.filler, { force: true }); }
  end() {
    if (this.mounted) spawnSync("umount", [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test("a disk that others fill: low-value categories, then everything is refused; each step is seen and undone by itself", async (context) => {
  const disk = new Disk();
  if (!disk.mounted) context.diagnostic("no right to mount a small file system here: a disk that says so instead");
  const subject = new Picket({ storage: disk.storage, env: { ...disk.env,
    PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "64MiB", PICKET_STORAGE_LOW_ROOM_BYTES: "16MiB",
    PICKET_STORAGE_DISK_RESERVE_BYTES: "16MiB" } });
  try {
    await subject.start();
    assert.equal((await sendTransaction(subject)).status, 200);
    assert.equal(await metric(subject, "picket_journal_room_step"), 0);
    assert.equal(subject.status().journal.room.step, "ample");

    disk.leave(24 * mib);
    const shed = await until(async () => {
      const answer = await sendTransaction(subject);
      return answer.status === 429 && answer;
    }, { what: "transactions to be refused" });
    assert.match(shed.headers.get("x-sentry-rate-limits"), /^60:transaction;[a-z_;]*:organization:disk_low$/);
    assert.equal(shed.headers.get("retry-after"), "60");
    const kept = await sendError(subject);
    assert.equal(kept.status, 200);
    assert.equal(kept.headers.get("x-sentry-rate-limits"), shed.headers.get("x-sentry-rate-limits"));
    assert.equal(await metric(subject, "picket_journal_room_step"), 1);
    // It is left with a quarter more; files of its own come and go.
    const room = await metric(subject, "picket_journal_room_bytes");
    assert.ok(room < 20 * mib, `${room}`);
    const free = await metric(subject, "picket_disk_free_bytes");
    assert.ok(free < 32 * mib, `${free}`);
    assert.equal(await ready(subject), 200);
    await until(() => subject.status().journal.room.step === "low", { what: "the status to say so" });
    assert.equal(subject.status().journal.full, false);
    assert.match(picket(["status", "--storage", subject.storage], { env: subject.env }).out, /room is low: low-value categories are refused; since 20/);

    disk.leave(8 * mib);
    const refused = await until(async () => {
      const answer = await sendError(subject);
      return answer.status === 429 && answer;
    }, { what: "errors to be refused" });
    assert.equal(refused.headers.get("x-sentry-rate-limits"), "60::organization:disk_full");
    assert.equal(refused.headers.get("retry-after"), "60");
    assert.equal(await ready(subject), 503);
    await until(() => subject.status().journal.full, { what: "the status to say so" });
    assert.equal(subject.status().journal.room.step, "full");
    assert.equal(await metric(subject, "picket_journal_room_step"), 2);

    disk.giveBack();
    await until(async () => (await sendTransaction(subject)).status === 200, { what: "transactions to be taken again" });
    assert.equal(await ready(subject), 200);
    await until(() => subject.status().journal.room.step === "ample", { what: "the status to say so" });
    await until(() => {
      const { reasons } = subject.status().ledger;
      return reasons["rate_limited/disk_low"] >= 1 && reasons["rate_limited/disk_full"] >= 1;
    }, { what: "the ledger to have the reasons" });
    const steps = [...subject.log.matchAll(/buffer: room for new records step=(\w+) /g)].map((match) => match[1]);
    assert.deepEqual(steps.filter((step, i) => step !== "low" || i === 0), ["low", "full", "ample"]);
    await assertConserved(assert, subject);
    await subject.end();
  } finally {
    await subject.kill();
    disk.end();
  }
});

test("a disk that is all but full: what was acknowledged is digested when there is room again", async () => {
  const disk = new Disk();
  const subject = new Picket({ storage: disk.storage, env: { ...disk.env,
    PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "64MiB", PICKET_STORAGE_DISK_RESERVE_BYTES: "16MiB",
    PICKET_DIGEST_LINGER: "1s" } });
  subject.expectErrors = true;
  try {
    await subject.start();
    const id = eventId();
    const answered = sendError(subject, {}, id);
    assert.equal((await answered).status, 200);
    disk.leave(2 * mib); // less than a quarter of the reserve
    await until(() => subject.log.includes("error digest: cannot digest, will try again"), { what: "the digest to wait" });
    assert.equal((await subject.issues("")).length, 0);
    disk.giveBack();
    await until(async () => (await subject.api(`projects/${subject.organization}/${subject.project}/events/${id}/`)).status === 200, { what: "the event" });
    await subject.end();
  } finally {
    await subject.kill();
    disk.end();
  }
});

test("where the oldest is dropped it goes by class: of a backlog the bodies of transactions before any error", async () => {
  const upstream = await new ScriptedUpstream().start();
  const { port } = new URL(upstream.url);
  await upstream.stop();
  const subject = new Picket({ env: {
    PICKET_UPSTREAM_0_URL: upstream.url, PICKET_UPSTREAM_0_RETRY_MIN: "20ms", PICKET_UPSTREAM_0_RETRY_MAX: "200ms",
    PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "16MiB", PICKET_STORAGE_WHEN_FULL: "drop_oldest",
  } });
  await subject.start();
  const transactions = [];
  const errors = [];
  const send = async (how, ids) => {
    const id = eventId();
    const answer = await how(subject, noise(40_000), id);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    ids.push(id);
  };
  for (let i = 0; i < 100; ++i) await send(sendTransaction, transactions);
  await until(() => subject.status().digest.waiting === 0, { what: "the digest" });
  const dropped = () => subject.log.includes("warning buffer: bodies were dropped for want of room");
  for (let i = 0; i < 400 && !dropped(); ++i) await send(sendError, errors);
  assert.ok(dropped(), "room was never low");
  await until(() => subject.status().journal.room.step === "ample", { what: "room to be ample again" });
  assert.equal(subject.status().journal.first, 1, "no segment went whole");
  assert.equal((await sendTransaction(subject, {}, transactions[transactions.length] = eventId())).status, 200);

  await upstream.start(port);
  await until(() => subject.status().destinations[0].waiting === 0, { within: 60_000, what: "the backlog to be forwarded" });
  const [{ expired, forwarded }] = subject.status().destinations;
  const mirrored = new Set(upstream.ids());
  assert.equal(mirrored.size, forwarded);
  assert.deepEqual(errors.filter((id) => !mirrored.has(id)), [], "an error was dropped");
  const detail = (id) => subject.api(`projects/${subject.organization}/${subject.project}/events/${id}/`);
  const gone = [];
  for (const id of transactions) {
    const { body } = await detail(id);
    if (body.errors.some(({ message }) => /not available: it was dropped for want of room/.test(message))) gone.push(id);
  }
  assert.ok(gone.length > 10 && gone.length < transactions.length, `${gone.length} of ${transactions.length} transactions were dropped`);
  assert.deepEqual(gone, transactions.slice(0, gone.length), "not the oldest");
  const unsent = transactions.filter((id) => !mirrored.has(id));
  assert.ok(unsent.length > 10, `${unsent.length} transactions were not forwarded`);
  assert.deepEqual(unsent.filter((id) => !gone.includes(id)), [], "what is there was not forwarded");
  // What a destination has read ahead, half a megabyte and what remained of the last one, goes though it is no longer here.
  assert.ok(gone.length - unsent.length <= Math.ceil((512 << 10) / 40_000), `${gone.length - unsent.length} of those that were dropped were forwarded`);
  assert.equal(expired, unsent.length);
  await assertConserved(assert, subject);
  await subject.end();
  await upstream.end();
});

test("a segment that rots is set aside whole and named, the rest goes on and is forwarded, and all are accounted for", async () => {
  const upstream = await new ScriptedUpstream().start();
  const { port } = new URL(upstream.url);
  await upstream.stop();
  const subject = new Picket({ env: {
    PICKET_UPSTREAM_0_URL: upstream.url, PICKET_UPSTREAM_0_RETRY_MIN: "20ms", PICKET_UPSTREAM_0_RETRY_MAX: "200ms",
    PICKET_STORAGE_SEGMENT_BYTES: "1MiB",
  } });
  subject.expectErrors = true;
  await subject.start();
  const ids = [];
  for (let i = 0; i < 100; ++i) {
    const id = eventId();
    assert.equal((await sendError(subject, noise(60_000), id)).status, 200);
    ids.push(id);
  }
  await until(() => subject.status().digest.waiting === 0, { what: "the digest" });
  await subject.stop();
  const segments = readdirSync(join(subject.storage, "journal")).filter((name) => /^\d{20}\.\d{5}\.mdb$/.test(name)).sort();
  assert.ok(segments.length >= 3, `${segments.length} segments`);
  const file = openSync(join(subject.storage, "journal", segments[1]), "r+");
  writeSync(file, Buffer.alloc(8192), 0, 8192, 0);
  closeSync(file);
  const lost = Number(segments[2].split(".")[0]) - Number(segments[1].split(".")[0]);

  await upstream.start(port);
  await subject.start();
  await until(() => subject.status().destinations[0].waiting === 0, { what: "the rest to be forwarded" });
  const { journal, destinations } = subject.status();
  assert.deepEqual(journal.set_aside, [`${segments[1]}.damaged`]);
  assert.equal(await metric(subject, "picket_journal_set_aside_segments"), 1);
  assert.match(subject.log, new RegExp(`segment is damaged and set aside file=\\S*${segments[1]}\\.damaged`));
  assert.match(picket(["status", "--storage", subject.storage], { env: subject.env }).out, new RegExp(`set aside as damaged: ${segments[1]}`));
  assert.equal(destinations[0].expired, lost);
  const mirrored = upstream.ids();
  assert.equal(mirrored.length, ids.length - lost);
  assert.equal(new Set(mirrored).size, mirrored.length);
  assert.equal((await sendError(subject)).status, 200);
  await until(() => subject.status().destinations[0].waiting === 0 && subject.status().digest.waiting === 0);
  // Nobody knows what the lost ones were: the sums are right, not those by category.
  const { envelopes, destinations: [last] } = subject.status();
  assert.equal(envelopes.stored, ids.length + 1);
  assert.equal(last.forwarded + last.expired, envelopes.stored);
  await subject.end();
  await upstream.end();
});

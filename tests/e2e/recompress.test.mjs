// Sealed segments are recompressed in idle time: killed at any moment, nothing is lost, nothing is there twice, and
// what is read is what was sent.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, picket as verb, post, sleep, until } from "./lib.mjs";

const rounds = Number(process.env.PICKET_RECOMPRESS_ROUNDS ?? 6);
const env = { PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "256MiB", PICKET_STORAGE_RECOMPRESS: "true", PICKET_STORAGE_RECOMPRESS_AFTER: "0s", PICKET_LOG_LEVEL: "info" };

const words = ["order", "invoice", "basket", "customer", "payment", "shipment", "coupon", "product"];
function filler(number) {
  let text = "";
  for (let i = 0; text.length < 9000; ++i) text += `${words[(number + i * 7) % words.length]}_${(number * 31 + i * i) % 4001} `;
  return text;
}

const numbered = (id, number) => envelope(id, [[{ type: "event" }, errorEvent(id, { extra: { filler: filler(number), number } })]]);

async function send(picket, count, sent) {
  const one = async () => {
    const id = eventId();
    const number = sent.size;
    sent.set(id, null);
    const body = numbered(id, number);
    const answer = await post(picket, body, { gzip: number % 4 !== 0 }).catch(() => null);
    if (answer?.status === 200) sent.set(id, number);
  };
  for (let i = 0; i < count; i += 20) await Promise.all(Array.from({ length: 20 }, one));
}
const smaller = (picket) => JSON.parse(verb(["journal", "ls", "--json", "--storage", picket.storage]).out).segments.filter((each) => each.bytes_before > 0);

async function assertAllThere(picket, sent) {
  await until(() => picket.status().digest.waiting === 0, { within: 900_000, what: "the digest" });
  for (const [id, number] of sent) {
    if (number === null) continue;
    const event = await picket.api(`projects/${picket.organization}/${picket.project}/events/${id}/`);
    assert.equal(event.status, 200, id);
    assert.equal(event.body.context.number, number);
    assert.equal(event.body.context.filler, filler(number));
  }
}

test("segments are recompressed, stay readable, are passed on and verified, and older binaries are warned off", async () => {
  const upstream = await new ScriptedUpstream().start();
  const picket = await new Picket({ env }).start();
  const sent = new Map();
  await send(picket, 700, sent);
  await until(() => smaller(picket).length >= 2, { within: 900_000, every: 500, what: "two segments made smaller" });
  await assertAllThere(picket, new Map([...sent].slice(0, 100)));
  // Counted after the files are exchanged.
  const recompressed = await until(() => {
    const all = picket.status().journal.recompressed;
    return all.segments >= 2 && all;
  }, { what: "two segments counted" });
  assert.ok(recompressed.bytes_after < recompressed.bytes_before, JSON.stringify(recompressed));
  // What they came from depends on how many records a sync had; what they come to does not.
  const gzip = gzipSync(numbered(eventId(), 1)).length;
  assert.ok(recompressed.bytes_after < recompressed.records * gzip * 0.85, `${JSON.stringify(recompressed)}, ${gzip} as gzip`);
  const metrics = await (await fetch(`${picket.url}/metrics`)).text();
  assert.match(metrics, /picket_journal_recompressed_segments_total [1-9]/);
  assert.match(picket.log, /info buffer: segment recompressed /);
  const verified = verb(["journal", "verify", "--json", "--storage", picket.storage]);
  assert.equal(verified.code, 0, verified.err);
  assert.equal(JSON.parse(verified.out).damaged, 0);
  // Of four in a row three came in a coding.
  for (const sequence of [1, 2, 3, 4]) {
    const shown = JSON.parse(verb(["journal", "show", String(sequence), "--json", "--storage", picket.storage]).out);
    assert.equal(shown.coding, 0, "without the coding that it came in");
  }
  // A destination that comes later gets them all the same.
  await picket.stop();
  picket.env.PICKET_UPSTREAM_0_URL = upstream.url;
  picket.env.PICKET_UPSTREAM_0_NAME = "late";
  await picket.start();
  const again = verb(["upstream", "resend", "--from", "1h", "--to", "now", "--to-destination", "late", "--storage", picket.storage], { env: picket.env });
  assert.equal(again.code, 0, again.err);
  await until(() => {
    const there = new Set(upstream.ids());
    return [...sent.keys()].every((id) => there.has(id));
  }, { within: 900_000, every: 500, what: "all at the destination" });
  await assertConserved(assert, picket);
  await picket.end();
  await upstream.end();
});

test(`killed ${rounds} times while segments are exchanged, nothing acknowledged is lost and nothing is there twice`, { timeout: 40 * 60_000 }, async () => {
  const picket = await new Picket({ env }).start();
  const sent = new Map();
  for (let round = 0; round < rounds; ++round) {
    await send(picket, 160, sent);
    await sleep((round * 137) % 700);
    await picket.kill();
    await picket.start();
  }
  await assertAllThere(picket, sent);
  await until(() => smaller(picket).length >= 1, { within: 900_000, every: 500, what: "a segment made smaller" });
  const issues = await picket.issues();
  const stored = [...sent.values()].filter((number) => number !== null).length;
  const counted = issues.reduce((sum, issue) => sum + Number(issue.count), 0);
  assert.ok(counted >= stored && counted <= sent.size, `${counted} counted, ${stored} acknowledged of ${sent.size}`);
  const verified = JSON.parse(verb(["journal", "verify", "--json", "--storage", picket.storage]).out);
  assert.equal(verified.damaged, 0);
  assert.equal(verified.set_aside, 0);
  await picket.stop();
  await picket.start();
  const left = readdirSync(join(picket.storage, "journal")).filter((name) => name.includes(".tmp"));
  assert.ok(left.length <= 2, `half-written files stay: ${left}`);
  await assertConserved(assert, picket);
  await picket.end();
});

// Every column of the ledger: each fate an item can have is brought about, and found in its column, by the verb
// and by the API, per hour, project, key and category. It balances.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, picket, picketBeside, post, sleep, tempFolder, until } from "./lib.mjs";

test("what becomes of an item is in its column", async () => {
  const good = await new ScriptedUpstream().start();
  const picky = await new ScriptedUpstream("400 x 1 then 200").start();
  const config = join(tempFolder(), "picket.toml");
  const upstream = (name, url, more = "") => `[[upstream]]\nname = "${name}"\nurl = "${url}"\nretry_min = "20ms"\nmax_in_flight = 1\n${more}`;
  writeFileSync(config, [upstream("good", good.url), upstream("picky", picky.url), upstream("gone", "http://127.0.0.1:9"),
    upstream("fatal", good.url, 'include_levels = ["fatal"]\n')].join(""));
  const edge = await new Picket({ config }).start();
  const event = (extra) => { const id = eventId(); return post(edge, envelope(id, [[{ type: "event" }, errorEvent(id, extra)]])); };
  const project = `projects/${edge.organization}/${edge.project}/`;
  const put = async (body) => assert.equal((await edge.api(project, { method: "PUT", body: JSON.stringify(body) })).status, 200);

  for (let i = 0; i < 3; ++i) assert.equal((await event()).status, 200); // stored, accepted
  const twice = eventId();
  for (let i = 0; i < 2; ++i) assert.equal((await post(edge, envelope(twice, [[{ type: "event" }, errorEvent(twice)]]))).status, 200); // one of them a duplicate
  assert.equal((await post(edge, "nonsense")).status, 400); // invalid
  assert.equal((await event({ extra: { big: "x".repeat(2 << 20) } })).status, 413); // invalid
  await post(edge, envelope(eventId(), [[{ type: "client_report" }, { timestamp: Date.now() / 1000, discarded_events: [{ reason: "queue_overflow", category: "error", quantity: 7 }] }]]));
  await put({ options: { "filters:error_messages": "*unplugged*" } });
  const filtered = await until(async () => {
    await event({ message: "unplugged" });
    const text = await (await fetch(`${edge.url}/metrics`)).text();
    return /picket_items_dropped_total\{[^}]*"error-message"/.test(text);
  }, { what: "a filter" });
  assert.ok(filtered);
  await put({ options: { "filters:error_messages": null, "picket:quotas": [{ id: "none", categories: ["error"], limit: 0 }] } });
  await until(async () => (await event()).status === 429, { what: "a quota" });

  const ledger = (...words) => JSON.parse(picket(["ledger", "--json", "--storage", edge.storage, ...words], { env: edge.env }).out);
  const errors = () => ledger().data.find((line) => line.category === "error");
  await until(() => edge.status().digest.waiting === 0, { what: "the digest" });
  await until(() => errors().filtered > 0 && errors().rateLimited > 0, { what: "the drops" });
  await until(() => { const at = errors().destinations; return at.good.waiting === 0 && at.picky.waiting === 0 && at.fatal.waiting === 0; }, { what: "the destinations" });
  const line = errors();
  assert.equal(line.received, line.stored + line.filtered + line.rateLimited + line.invalid + line.abuse);
  assert.equal(line.accepted, line.stored - 1, "the duplicate was stored, and no more");
  assert.equal(line.invalid, 1, "what was too large; a body that is no envelope has no category");
  assert.equal(ledger().data.find((each) => each.category === "unknown").invalid, 1);
  assert.equal(line.clientDiscarded, 7);
  const { good: to, picky: quarantining, gone, fatal } = line.destinations;
  assert.deepEqual(to, { forwarded: line.stored, waiting: 0, quarantined: 0, expired: 0, notRouted: 0, notSampled: 0 });
  assert.deepEqual([quarantining.forwarded, quarantining.quarantined], [line.stored - 1, 1]);
  assert.deepEqual([gone.forwarded, gone.waiting], [0, line.stored]);
  assert.deepEqual([fatal.forwarded, fatal.notRouted], [0, line.stored]);

  // The same told apart in every way, by the verb and by the API; sums agree.
  const sum = (lines, column) => lines.reduce((all, each) => all + each[column], 0);
  const columns = ["received", "stored", "accepted", "filtered", "rateLimited", "invalid", "abuse", "clientDiscarded"];
  const whole = ledger().data;
  for (const by of ["hour", "project", "key", "category", "hour,project,key,category"]) {
    const { data } = ledger("--by", by);
    for (const column of columns) assert.equal(sum(data, column), sum(whole, column), `${column} by ${by}`);
    const query = by.split(",").map((word) => `groupBy=${word}`).join("&");
    const answer = await edge.api(`organizations/${edge.organization}/ledger/?statsPeriod=24h&project=${edge.project_id}&${query}`);
    assert.equal(answer.status, 200);
    for (const word of by.split(",")) assert.ok(word in answer.body.data[0], word);
    for (const column of columns) assert.equal(sum(answer.body.data, column), sum(data, column), `${column} by ${by} over the API`);
  }
  const table = picket(["ledger", "--storage", edge.storage], { env: edge.env }).out;
  for (const head of ["RECEIVED", "STORED", "ACCEPTED", "FILTERED", "LIMITED", "INVALID", "CLIENT-DISCARDED", "FORWARDED", "WAITING", "QUARANTINED", "EXPIRED"])
    assert.match(table, new RegExp(`\\b${head}\\b`));
  await assertConserved(assert, edge);
  await edge.end();
  await good.end();
  await picky.end();
});

test("the check waits for the digest: it balances while items arrive", async () => {
  const subject = await new Picket().start();
  let arriving = true;
  const arrivals = (async () => {
    while (arriving) {
      const id = eventId();
      await post(subject, envelope(id, [[{ type: "event" }, errorEvent(id)]]));
      await post(subject, "nonsense"); // a drop: what the digest still has to read is not an envelope
      await sleep(50);
    }
  })();
  for (let i = 0; i < 10; ++i) {
    const checked = await picketBeside(["ledger", "--check", "--by", "hour,project,category", "--storage", subject.storage], { env: subject.env });
    assert.equal(checked.code, 0, checked.out + checked.err);
  }
  arriving = false;
  await arrivals;
  await assertConserved(assert, subject);
  await subject.end();
});

// Until the journal had to let go of what no destination had yet: a minute old, or the oldest of too much.
async function afterRecycling(storage, within) {
  const upstream = await new ScriptedUpstream().start();
  const port = new URL(upstream.url).port;
  await upstream.stop();
  const config = join(tempFolder(), "picket.toml");
  writeFileSync(config, `[[upstream]]\nname = "hub"\nurl = "http://127.0.0.1:${port}"\nretry_min = "20ms"\nretry_max = "200ms"\nmax_in_flight = 2\n`);
  const edge = await new Picket({ config, env: { PICKET_STORAGE_SEGMENT_BYTES: "1MiB", ...storage } }).start();
  edge.expectErrors = true; // "records were recycled before they could be forwarded"
  let stored = 0;
  for (let i = 0; i < 90; ++i) {
    const id = eventId();
    const answer = await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)], [{ type: "attachment", filename: "noise" }, randomBytes(60_000)]])).catch(() => null);
    if (answer?.status === 200) ++stored;
    if (i % 30 === 0) await post(edge, "nonsense"); // drops have records of their own
  }
  const hub = () => Object.fromEntries(JSON.parse(picket(["ledger", "--json", "--storage", edge.storage], { env: edge.env }).out).data
    .filter((line) => line.stored > 0).map((line) => [line.category, { stored: line.stored, ...line.destinations.hub }]));
  const balances = async () => {
    await until(() => edge.status().digest.waiting === 0, { what: "the digest" });
    for (const by of ["category", "hour,project,category"]) {
      const checked = picket(["ledger", "--check", "--by", by, "--storage", edge.storage], { env: edge.env });
      assert.equal(checked.code, 0, checked.out + checked.err);
    }
  };
  await until(() => edge.status().journal.first > 1, { within, what: "the journal to let go of something" });
  await balances();
  const before = hub();
  assert.ok(before.error.expired > 0 && before.error.forwarded === 0, JSON.stringify(before));
  await upstream.start(port);
  await until(() => edge.status().destinations[0].waiting === 0, { within: 60_000, what: "the rest to be sent" });
  await balances();
  for (const [category, { stored: all, forwarded, expired, waiting }] of Object.entries(hub())) {
    assert.equal(forwarded + expired, all, category);
    assert.equal(waiting, 0);
    assert.ok(expired > 0 && forwarded > 0, category);
  }
  const { error, attachment } = hub();
  assert.equal(error.stored, stored);
  assert.deepEqual([attachment.forwarded, attachment.expired], [error.forwarded, error.expired], "what was one envelope had one fate");
  assert.equal(new Set(upstream.ids()).size, error.forwarded);
  await edge.end();
  await upstream.stop();
}

test("what grew too old for the journal before it was forwarded has expired, and the ledger balances", { timeout: 200_000 }, () =>
  afterRecycling({ PICKET_STORAGE_RETENTION: "1m" }, 100_000));

test("what a small journal had no room for has expired, and the ledger balances", { timeout: 100_000 }, () =>
  afterRecycling({ PICKET_STORAGE_JOURNAL_MAX_BYTES: "4MiB", PICKET_STORAGE_WHEN_FULL: "drop_oldest" }, 30_000));

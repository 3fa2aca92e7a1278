// Every column of the ledger: each fate an item can have is brought about, and found in its column, by the verb
// and by the API, per hour, project, key and category. It balances.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, picket, post, tempFolder, until } from "./lib.mjs";

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

// A second Picket as upstream: what arrives here arrives there, across restarts of either side.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, assertConserved, envelope, errorEvent, eventId, post, tempFolder, until } from "./lib.mjs";

async function send(target, count, extra = {}) {
  const ids = [];
  for (let i = 0; i < count; ++i) {
    const id = eventId();
    const answer = await post(target, envelope(id, [[{ type: "event" }, errorEvent(id, extra)]], { sent_at: new Date().toISOString() }), { gzip: i % 2 === 0 });
    assert.equal(answer.status, 200);
    ids.push(id);
  }
  return ids;
}

const has = (target, id) => target.api(`projects/${target.organization}/${target.project}/events/${id}/`).then((answer) => answer.status === 200);
const waiting = (target) => target.status().destinations[0].waiting;

test("everything is mirrored, with either side down in between", async () => {
  const hub = await new Picket().start();
  const folder = tempFolder();
  const config = join(folder, "picket.toml");
  writeFileSync(config, `[[upstream]]\nname = "hub"\ndsn = "${hub.liveDsn}"\nretry_min = "50ms"\nretry_max = "500ms"\n`);
  const edge = await new Picket({ config }).start();

  const first = await send(edge, 20);
  await until(async () => (await Promise.all(first.map((id) => has(hub, id)))).every(Boolean), { what: "the first twenty at the hub" });

  await hub.stop();
  const second = await send(edge, 20);
  await until(() => waiting(edge) === 20, { what: "twenty waiting" });
  const behind = await until(() => { const [destination] = edge.status().destinations; return destination.last_error !== "" && destination; }, { what: "the reason" });
  assert.equal(behind.name, "hub");

  await edge.stop();
  await hub.start();
  await edge.start();
  await until(async () => (await Promise.all(second.map((id) => has(hub, id)))).every(Boolean), { what: "the second twenty at the hub" });
  await until(() => waiting(edge) === 0, { what: "nothing waiting" });

  const [there] = await hub.issues("");
  const [here] = await edge.issues("");
  assert.equal(there.title, here.title);
  assert.equal(there.count, "40");
  assert.equal(here.count, "40");
  assert.equal(there.firstSeen, here.firstSeen);

  for (const side of [edge, hub]) {
    await until(() => side.status().digest.waiting === 0, { what: "the digest" });
    await assertConserved(assert, side);
    await side.end();
  }
});

test("an envelope with unknown items and header keys arrives as it was sent", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ env: { PICKET_UPSTREAM_0_DSN: hub.liveDsn } }).start();
  const id = eventId();
  const strange = Buffer.from([0, 1, 2, 255, 10, 123]);
  const sent = await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)], [{ type: "from_the_future", x: [1, { y: null }] }, strange]], { novelty: { a: 1 } }));
  assert.equal(sent.status, 200);
  await until(() => has(hub, id), { what: "the event at the hub" });
  await until(() => waiting(edge) === 0);
  const { picket } = await import("./lib.mjs");
  const shown = picket(["journal", "show", "1", "--raw", "--storage", hub.storage], {});
  assert.equal(shown.code, 0, shown.err);
  await edge.end();
  await hub.end();
});

test("feedback that was posted to the API is mirrored like an SDK's", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ env: { PICKET_UPSTREAM_0_DSN: hub.liveDsn } }).start();
  const [id] = await send(edge, 1);
  const said = { event_id: id, name: "Grace", email: "grace@example.com", comments: "The till is \"too\"\nslow" };
  const posted = await edge.api(`projects/${edge.organization}/${edge.project}/user-feedback/`, { method: "POST", body: JSON.stringify(said) });
  assert.equal(posted.status, 200, JSON.stringify(posted.body));
  for (const side of [edge, hub]) {
    const [report] = await until(async () => {
      const list = (await side.api(`projects/${side.organization}/${side.project}/user-feedback/`)).body;
      return list.length > 0 && list[0].issue && list;
    }, { what: "the report with its issue" });
    assert.deepEqual([report.eventID, report.name, report.email, report.comments], Object.values(said));
  }
  await until(() => waiting(edge) === 0, { what: "nothing waiting" });
  for (const side of [edge, hub]) {
    await until(() => side.status().digest.waiting === 0, { what: "the digest" });
    await assertConserved(assert, side);
    await side.end();
  }
});

test("a destination given by URL keeps project ids and keys", async () => {
  const hub = await new Picket().start();
  const edge = new Picket({ env: { PICKET_UPSTREAM_0_URL: hub.url } });
  await edge.start();
  const id = eventId();
  await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)]]));
  // The hub does not know the edge's key: it says 403, and the destination is held and says so.
  await until(() => edge.status().destinations[0].state === "held", { what: "the hold" });
  assert.match(edge.status().destinations[0].held_reason, /403/);
  edge.expectErrors = true;
  await edge.end();
  await hub.end();
});

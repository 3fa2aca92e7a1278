// What goes to which destination, told apart by real Pickets at the other end.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { randomBytes } from "node:crypto";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, picket, post, sleep, tempFolder, until } from "./lib.mjs";

const has = (target, id) => target.api(`projects/${target.organization}/${target.project}/events/${id}/`).then((answer) => answer.status === 200);
const destination = (target, name) => target.status().destinations.find((one) => one.name === name);
const idle = (target) => until(() => target.status().destinations.every((one) => one.waiting === 0) && target.status().digest.waiting === 0, { what: "nothing waiting" });

function configured(sections) {
  const config = join(tempFolder(), "picket.toml");
  writeFileSync(config, sections.join("\n"));
  return config;
}

test("each destination gets what is for it, and the rest is on record", async () => {
  const urgent = await new Picket().start();
  const bulk = await new ScriptedUpstream().start();
  const edge = await new Picket({ config: configured([
    `[[upstream]]\nname = "urgent"\ndsn = "${urgent.liveDsn}"\ninclude_categories = ["error"]\nexclude_categories = ["attachment"]\ninclude_environments = ["prod*"]`,
    `[[upstream]]\nname = "bulk"\ndsn = "http://${"ab".repeat(16)}@${bulk.url.slice(7)}/1"\nexclude_levels = ["fatal"]`,
  ]) }).start();

  const wanted = eventId(), dev = eventId(), fatal = eventId();
  await post(edge, envelope(wanted, [
    [{ type: "event" }, errorEvent(wanted, { environment: "Production" })],
    [{ type: "attachment", filename: "a.txt" }, "text"],
    [{ type: "client_report" }, { timestamp: Date.now() / 1000, discarded_events: [] }],
  ]), { gzip: true });
  await post(edge, envelope(dev, [[{ type: "event" }, errorEvent(dev, { environment: "dev" })]]), { gzip: true });
  await post(edge, envelope(fatal, [[{ type: "event" }, errorEvent(fatal, { environment: "prod", level: "fatal" })]]));

  await until(async () => (await has(urgent, wanted)) && (await has(urgent, fatal)), { what: "both at the urgent one" });
  await idle(edge);
  assert.equal(await has(urgent, dev), false);
  const files = (await urgent.api(`projects/${urgent.organization}/${urgent.project}/events/${wanted}/attachments/`)).body;
  assert.deepEqual(files, []);
  assert.deepEqual([...new Set(bulk.ids())].sort(), [wanted, dev].sort());
  assert.equal(destination(edge, "urgent").not_routed, 1);
  assert.equal(destination(edge, "bulk").not_routed, 1);
  await assertConserved(assert, edge);
  const ledger = JSON.parse(picket(["ledger", "--json", "--storage", edge.storage], { env: edge.env }).out);
  const lines = ledger.data;
  const errors = lines.find((line) => line.category === "error").destinations.urgent;
  assert.deepEqual([errors.forwarded, errors.notRouted], [2, 1]);
  assert.equal(lines.find((line) => line.category === "attachment").destinations.urgent.notRouted, 1);
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  assert.match(metrics, /picket_upstream_not_routed_envelopes_total\{destination="urgent"\} 1\n/);
  await edge.end();
  await bulk.end();
  await urgent.end();
});

test("a list that says nothing anybody could mean is refused at the start, by the name of its key", () => {
  for (const [line, words] of [
    ['include_categories = ["errors"]', /include_categories: "errors" is no category/],
    ['exclude_projects = ["web"]', /exclude_projects: "web" is not a project id/],
    ['include_releases = ["[a"]', /include_releases: "\[a"/],
    ['include_level = ["fatal"]', /unknown key "include_level".*include_levels/],
  ]) {
    const said = picket(["config", "check", "--config", configured([`[[upstream]]\nname = "x"\nurl = "http://127.0.0.1:1"\n${line}`])]);
    assert.equal(said.code, 78, line);
    assert.match(said.err, words);
  }
});

test("a hub gets a part of the traces, whole, and is told of the rest", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ config: configured([
    `[[upstream]]\nname = "hub"\ndsn = "${hub.liveDsn}"\nreport_unsent = "1s"\n[upstream.sample_rates]\ntransaction = "0.5"`,
  ]) }).start();
  const traces = Array.from({ length: 40 }, eventId);
  const ids = new Map();
  for (const trace of traces) {
    for (let i = 0; i < 2; ++i) {
      const id = eventId(), now = Date.now() / 1000;
      ids.set(id, trace);
      const transaction = { event_id: id, type: "transaction", transaction: "/", start_timestamp: now - 1, timestamp: now,
        contexts: { trace: { trace_id: trace, span_id: id.slice(0, 16) } } };
      await post(edge, envelope(id, [[{ type: "transaction" }, transaction]], i ? { trace: { trace_id: trace, public_key: edge.public_key } } : {}));
    }
  }
  await idle(edge);
  await idle(hub);
  const { forwarded, not_sampled } = destination(edge, "hub");
  assert.equal(forwarded + not_sampled, 80);
  assert.ok(forwarded >= 10 && forwarded <= 70, `${forwarded} of 80`);
  const arrived = new Map();
  for (const [id, trace] of ids) if (await has(hub, id)) arrived.set(trace, (arrived.get(trace) ?? 0) + 1);
  assert.deepEqual([...new Set(arrived.values())], [2], "a trace is whole");
  assert.equal(arrived.size * 2, forwarded);

  const discarded = await until(() => {
    const { data } = JSON.parse(picket(["ledger", "--json", "--storage", hub.storage], { env: hub.env }).out);
    const line = data.find((one) => one.category === "transaction");
    return line?.clientDiscarded === not_sampled && line;
  }, { what: "the hub's count of what was not sent" });
  assert.equal(discarded.stored, forwarded);
  for (const side of [edge, hub]) {
    await assertConserved(assert, side);
    await side.end();
  }
});

// Sends `count` events whose bodies do not compress, so that segments fill; their ids.
async function sendLarge(target, count, bytes = 60_000) {
  const ids = [];
  for (let i = 0; i < count; ++i) {
    const id = eventId();
    const answer = await post(target, envelope(id, [[{ type: "event" }, errorEvent(id)], [{ type: "attachment", filename: "noise" }, randomBytes(bytes)]])).catch(() => null);
    if (answer?.status === 200) ids.push(id);
  }
  return ids;
}

test("what a forward-only destination has goes from the journal, and nothing before, with kill -9 in between", { timeout: 300_000 }, async () => {
  const upstream = await new ScriptedUpstream().start();
  const port = new URL(upstream.url).port;
  const edge = await new Picket({
    env: { PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "64MiB" },
    config: configured([`[[upstream]]\nname = "hub"\nurl = "http://127.0.0.1:${port}"\nmode = "forward-only"\nretry_min = "20ms"\nretry_max = "200ms"`]),
  }).start();
  const first = () => edge.status().journal.first;
  const acknowledged = await sendLarge(edge, 60);
  await until(() => first() > 20, { what: "segments that were moved to go" });
  await until(() => acknowledged.every((id) => upstream.ids().includes(id)));

  await upstream.stop();
  const waiting = await sendLarge(edge, 60);
  await sleep(1_000);
  const held = first();
  for (let round = 0; round < 5; ++round) {
    await edge.kill();
    await edge.start();
    waiting.push(...await sendLarge(edge, 5));
  }
  assert.ok(first() <= acknowledged.length + 1, `record ${first()} is the oldest, and those from 61 on are nowhere else`);
  assert.ok(first() >= held);

  await upstream.start(port);
  for (let round = 0; round < 8; ++round) {
    await sleep(60);
    await edge.kill();
    await edge.start();
  }
  await until(() => destination(edge, "hub").waiting === 0, { what: "everything to be sent" });
  const arrived = new Set(upstream.ids());
  assert.deepEqual([...acknowledged, ...waiting].filter((id) => !arrived.has(id)), [], "gone here and not there");
  await until(() => edge.status().journal.records < 40, { what: "the journal to let go" });
  await assertConserved(assert, edge);
  assert.match(picket(["status", "--storage", edge.storage], { env: edge.env }).out, /hub: idle, 0 waiting \(forward-only\)/);
  await edge.end();
  await upstream.end();
});

test("a destination is drained and retired beside a running Picket, and starts anew when released", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ env: { PICKET_UPSTREAM_0_NAME: "hub", PICKET_UPSTREAM_0_DSN: hub.liveDsn, PICKET_UPSTREAM_0_RETRY_MIN: "50ms", PICKET_UPSTREAM_0_RETRY_MAX: "200ms" } }).start();
  const verb = (...words) => picket(["upstream", ...words, "--storage", edge.storage], { env: edge.env });
  const send = async () => {
    const id = eventId();
    assert.equal((await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)]]))).status, 200);
    return id;
  };
  const one = await send();
  await until(() => has(hub, one), { what: "the first event" });

  await hub.stop();
  const two = await send();
  const drained = verb("drain", "hub");
  assert.equal(drained.code, 0, drained.err);
  assert.match(drained.out, /1 waiting/);
  await sleep(1_500);
  const three = await send();
  assert.equal(destination(edge, "hub").state === "drained", false);
  await edge.kill();
  await edge.start();
  await hub.start();
  await until(() => destination(edge, "hub").state === "drained", { what: "the drain" });
  await until(() => has(hub, two), { what: "the second event, acknowledged, to be digested" });
  assert.equal(destination(edge, "hub").not_routed, 1);
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);

  assert.equal(verb("retire", "hub").code, 1);
  const retired = verb("retire", "hub", "--yes");
  assert.equal(retired.code, 0, retired.err);
  await until(async () => /picket_upstream_state\{destination="hub",state="retired"\} 1/.test(await (await fetch(`${edge.url}/metrics`)).text()), { what: "the running one to notice" });
  await edge.kill();
  await edge.start();
  assert.equal(destination(edge, "hub").state, "retired");
  assert.equal(picket(["ledger", "--check", "--storage", edge.storage], { env: edge.env }).code, 0);

  assert.equal(verb("release", "hub").code, 0);
  await until(() => has(hub, three), { what: "what was not routed before, as it starts anew" });
  await until(() => destination(edge, "hub").waiting === 0 && destination(edge, "hub").forwarded === 3);
  await assertConserved(assert, edge);
  await edge.end();
  await hub.end();
});

test("a new destination is sent a range and a query of what is here, once, with kill -9 in between", { timeout: 300_000 }, async () => {
  const late = await new ScriptedUpstream().start();
  const edge = await new Picket().start();
  const send = async (level) => {
    const id = eventId();
    assert.equal((await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id, { level })]]), { gzip: true })).status, 200);
    return id;
  };
  const fatal = [], early = [];
  for (let i = 0; i < 40; ++i) early.push(await send("error"));
  for (let i = 0; i < 10; ++i) fatal.push(await send("fatal"));
  await sleep(1_100);
  const middle = new Date().toISOString();
  await sleep(50);
  const after = [];
  for (let i = 0; i < 300; ++i) after.push(await send("error"));
  await until(() => edge.status().digest.waiting === 0, { what: "the digest" });
  await edge.stop();
  edge.config = configured([`[[upstream]]\nname = "late"\nurl = "${late.url}"\nbackfill = false\nretry_min = "20ms"\nmax_in_flight = 4`]);
  await edge.start();
  await until(() => edge.status().destinations.length === 1, { what: "the destination" });
  const resend = (...words) => picket(["upstream", "resend", "--storage", edge.storage, "--to-destination", "late", ...words], { env: edge.env });
  const job = () => destination(edge, "late").resend;
  const ended = () => until(() => job()?.state === "done" && job(), { what: "the resend" });

  for (const [words, code, said] of [
    [["--from", "yesterday", "--to", "now"], 64, /--from needs a time, and "yesterday" is none/],
    [["--from", "now", "--to", "1h"], 64, /--from must be before --to/],
    [["--from", "1h", "--to", "now", "--project", "web"], 64, /--project takes ids/],
    [["--from", "1h", "--to", "now", "--query", "is:unresolved"], 64, /states of issues/],
    [["--from", "1h", "--to", "now", "--query", "(("], 64, /--query/],
    [["--from", "20d", "--to", "10d"], 1, /holds nothing/],
    [["--from", "1h", "--to", "now", "--query", "level:debug"], 1, /finds no event/],
    [["--cancel"], 1, /no resend to late is under way/],
  ]) {
    const answer = resend(...words);
    assert.equal(answer.code, code, `${words}: ${answer.out}${answer.err}`);
    assert.match(answer.err, said);
  }

  let asked = resend("--from", "1h", "--to", "now", "--query", "level:fatal");
  assert.equal(asked.code, 0, asked.err);
  assert.match(asked.out, /10 envelopes that the query finds/);
  assert.equal((await ended()).sent, 10);
  assert.deepEqual(late.ids().sort(), [...fatal].sort());

  assert.equal(resend("--from", "1h", "--to", middle).code, 0);
  await ended();
  assert.deepEqual([job().sent, job().already_there], [40, 10]);
  assert.deepEqual(late.ids().sort(), [...fatal, ...early].sort());

  asked = resend("--from", "1h", "--to", "now", "--project", String(edge.project_id));
  assert.equal(asked.code, 0, asked.err);
  assert.equal(resend("--from", "1h", "--to", "now").code, 1, "one at a time");
  for (let round = 0; round < 4; ++round) {
    await sleep(100);
    await edge.kill();
    await edge.start();
  }
  await ended();
  assert.equal(job().sent, 300);
  const arrived = late.ids();
  assert.deepEqual([...new Set(arrived)].sort(), [...fatal, ...early, ...after].sort());
  console.log(`sent again because of four kills: ${arrived.length - 350} of 350`);
  assert.ok(arrived.length - 350 <= 4 * 4, "more than was under way");
  assert.match(picket(["upstream", "ls", "--storage", edge.storage], { env: edge.env }).out, /resend done: looked at 350 of 350 records, 300 sent, 50 already there/);
  assert.match(await (await fetch(`${edge.url}/metrics`)).text(), /picket_upstream_resent_envelopes\{destination="late"\} 300\n/);
  await edge.end();
  await late.end();
});

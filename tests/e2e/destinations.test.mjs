// What goes to which destination, told apart by real Pickets at the other end.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, picket, post, tempFolder, until } from "./lib.mjs";

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

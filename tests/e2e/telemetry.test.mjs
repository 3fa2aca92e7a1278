// Transactions, spans, logs and metrics of the real SDKs, as the API gives them back (replays: replay.test.mjs).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Picket, assertConserved, envelope, eventId, post, root, tempFolder, until } from "./lib.mjs";

let picket;
before(async () => { picket = await new Picket().start(); });
after(async () => {
  await until(() => picket.status().digest.waiting === 0, { what: "the digest" });
  await assertConserved(assert, picket);
  await picket.end();
});

const events = async (query) => {
  const answer = await picket.api(`organizations/${picket.organization}/events/?${query}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.data;
};

test("statsd, metric buckets and items of unknown types are stored and readable", async () => {
  const now = Math.floor(Date.now() / 1000);
  const statsd = `crates.loaded@none:2:3|c|#quay:north|T${now}\ncrane.wait@second:1.5:4.5|d|#quay:north|T${now}\n`;
  const buckets = [{ name: "g:custom/crane.load@kilogram", type: "g", value: { last: 5, min: 1, max: 9, sum: 20, count: 4 }, timestamp: now, width: 10, tags: { quay: "north" } }];
  const answer = await post(picket, envelope(eventId(), [[{ type: "statsd" }, statsd], [{ type: "metric_buckets" }, buckets], [{ type: "tide_table", tide: "high" }, Buffer.from([0, 1, 2, 255])]]));
  assert.equal(answer.status, 200);
  const metrics = await until(async () => {
    const found = await events("dataset=tracemetrics&field=metric.name&field=sum(value)&field=max(gauge.max)&query=quay:north&sort=metric.name");
    return found.length === 3 && found;
  }, { what: "three metrics" });
  assert.deepEqual(metrics.map((each) => [each["metric.name"], each["sum(value)"]]), [["crane.wait", 6], ["crates.loaded", 5], ["custom/crane.load", 5]]);
  assert.equal(metrics[2]["max(gauge.max)"], 9);
  const items = `projects/${picket.organization}/${picket.project}/raw-items/`;
  assert.ok((await picket.api(items)).body.some((each) => each.type === "tide_table"));
  const [{ id }] = (await picket.api(`${items}?type=tide_table`)).body;
  assert.equal((await picket.api(`${items}${id}/`)).body.header.tide, "high");
  const bytes = await fetch(`${picket.url}/api/0/${items}${id}/?download`, { headers: { Authorization: `Bearer ${picket.token}` } });
  assert.deepEqual(Buffer.from(await bytes.arrayBuffer()), Buffer.from([0, 1, 2, 255]));
});

test("an attachment of a trace is kept scrubbed, is read back with its bytes, and is the same at a second Picket", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ env: { PICKET_UPSTREAM_0_DSN: hub.liveDsn } }).start();
  const trace = eventId();
  const own = eventId();
  const body = Buffer.from([0, 1, 2, 255, 10, 123]);
  const meta = Buffer.from(JSON.stringify({ attachment_id: own, trace_id: trace, timestamp: Date.now() / 1000, filename: "tide.bin", content_type: "application/x-tide",
    attributes: { password: { type: "string", value: "hunter2" }, quay: { type: "string", value: "north" }, depth: { type: "integer", value: 12 } } }));
  const item = { type: "attachment", content_type: "application/vnd.sentry.trace-attachment", meta_length: meta.length, span_id: "aaaaaaaaaaaaaaaa" };
  const now = Date.now() / 1000;
  const span = { items: [{ trace_id: trace, span_id: "aaaaaaaaaaaaaaaa", name: "soundings", status: "ok", is_segment: true, start_timestamp: now - 1, end_timestamp: now, attributes: {} }] };
  const sent = await post(edge, envelope(eventId(), [[{ type: "span", item_count: 1, content_type: "application/vnd.sentry.items.span.v2+json" }, span], [item, Buffer.concat([meta, body])],
    [{ ...item, meta_length: undefined }, "no one knows where its body begins"]], { trace: { trace_id: trace } }), { gzip: true });
  assert.equal(sent.status, 200);
  for (const side of [edge, hub]) {
    const all = `projects/${side.organization}/${side.project}/traces/${trace}/attachments/`;
    const [shown, ...others] = await until(async () => { const { body } = await side.api(all); return body.length > 0 && body; }, { what: "the attachment" });
    assert.deepEqual(others, []);
    assert.deepEqual([shown.id, shown.name, shown.mimetype, shown.size, shown.trace_id, shown.span_id], [own, "tide.bin", "application/x-tide", body.length, trace, "aaaaaaaaaaaaaaaa"]);
    const bytes = await fetch(`${side.url}/api/0/${all}${own}/?download`, { headers: { Authorization: `Bearer ${side.token}` } });
    assert.deepEqual(Buffer.from(await bytes.arrayBuffer()), body);
    const found = await side.api(`projects/${side.organization}/${side.project}/trace-items/${own}/?item_type=attachments&trace_id=${trace}`);
    assert.equal(found.status, 200);
    const values = Object.fromEntries(found.body.attributes.map((each) => [each.name, each.value]));
    assert.deepEqual([values.password, values.quay, values.depth, values["file.name"]], ["[Filtered]", "north", 12, "tide.bin"]);
    await until(() => side.status().digest.waiting === 0, { what: "the digest" });
    assert.equal(side.status().ledger.reasons["invalid/invalid_trace_attachment"] > 0, true);
  }
  assert.doesNotMatch(spawnSync("grep", ["-rlaF", "hunter2", join(edge.storage, "journal")]).stdout.toString(), /./, "nothing of it on the disk");
  await until(() => edge.status().destinations[0].waiting === 0);
  for (const side of [edge, hub]) {
    await assertConserved(assert, side);
    await side.end();
  }
});

test("@sentry/node: a transaction with spans, logs and metrics make one trace", async () => {
  const folder = tempFolder();
  const script = join(folder, "app.mjs");
  writeFileSync(script, `
    import * as Sentry from ${JSON.stringify(join(root, "tests/e2e/node_modules/@sentry/node/build/esm/index.js"))};
    Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, release: "shop@2", environment: "staging", tracesSampleRate: 1, enableLogs: true });
    await Sentry.startSpan({ name: "checkout", op: "task", attributes: { "cart.items": 3, "cart.vip": true } }, async () => {
      await Sentry.startSpan({ name: "charge the card", op: "payment" }, () => new Promise((done) => setTimeout(done, 30)));
      Sentry.logger.warn("card reader is slow", { reader: 7 });
      Sentry.metrics?.count?.("orders", 2, { attributes: { till: "one" } });
      Sentry.captureException(new RangeError("drawer is stuck"));
    });
    await Sentry.flush(5000);
  `);
  const run = spawnSync(process.execPath, [script], { encoding: "utf8", timeout: 30_000 });
  assert.equal(run.status, 0, run.stderr);
  const spans = await until(async () => {
    const found = await events("dataset=spans&field=id&field=parent_span&field=span.op&field=span.duration&field=trace&field=is_transaction&field=environment&query=span.op:[task,payment]");
    return found.length === 2 && found;
  }, { what: "two spans" });
  const task = spans.find((span) => span["span.op"] === "task");
  const payment = spans.find((span) => span["span.op"] === "payment");
  assert.equal(payment.parent_span, task.id);
  assert.equal(task.is_transaction, true);
  assert.equal(task.environment, "staging");
  assert.ok(payment["span.duration"] >= 25 && payment["span.duration"] < 5_000, `took ${payment["span.duration"]}`);
  assert.equal((await events("dataset=spans&field=id&query=cart.items:3 cart.vip:true")).length, 1, "attributes are searchable");
  const [log] = await until(async () => {
    const found = await events("dataset=logs&field=message&field=severity&field=trace&field=timestamp_precise&field=sentry.item_id&query=reader:7");
    return found.length === 1 && found;
  }, { what: "the log" });
  assert.equal(log.message, "card reader is slow");
  assert.equal(log.severity, "warn");
  assert.equal(log.trace, task.trace);
  const item = await picket.api(`projects/${picket.organization}/${picket.project}/trace-items/${log["sentry.item_id"]}/?item_type=logs&trace_id=${log.trace}`);
  assert.ok(item.body.attributes.some((each) => each.name === "reader" && each.value === 7), JSON.stringify(item.body));
  const [sum] = await events("dataset=tracemetrics&field=metric.name&field=sum(value)&query=metric.name:orders");
  if (sum) assert.equal(sum["sum(value)"], 2);
  const trace = (await picket.api(`organizations/${picket.organization}/trace/${task.trace}/?statsPeriod=1h`)).body;
  const shown = trace.find((span) => span.event_id === task.id);
  assert.equal(shown.children[0].event_id, payment.id);
  assert.ok(JSON.stringify(trace).includes("RangeError: drawer is stuck"), "the error is in the trace");
  const meta = (await picket.api(`organizations/${picket.organization}/trace-meta/${task.trace}/?statsPeriod=1h`)).body;
  assert.equal(meta.spansCount, 2);
  assert.equal(meta.errorsCount, 1);
  rmSync(folder, { recursive: true });
});

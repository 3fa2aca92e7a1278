// Transactions, spans, logs and metrics of the real SDKs, as the API gives them back (replays: replay.test.mjs).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Picket, assertConserved, root, tempFolder, until } from "./lib.mjs";

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

// Transactions, spans, logs, metrics and replays of the real SDKs, as the API gives them back.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as esbuild from "esbuild";
import { Picket, assertConserved, root, sleep, tempFolder, until } from "./lib.mjs";

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

test("@sentry/browser in headless Chromium: a replay is found, shown and its segments are readable", async () => {
  const folder = tempFolder();
  const built = await esbuild.build({
    stdin: {
      contents: `
        import * as Sentry from "@sentry/browser";
        Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, release: "web@9", replaysSessionSampleRate: 1,
          integrations: [Sentry.replayIntegration({ useCompression: false, minReplayDuration: 0 })] });
        document.body.append("till");
        setTimeout(() => Sentry.getReplay().flush(), 1500);`,
      resolveDir: join(root, "tests/e2e"),
    },
    bundle: true, write: false, format: "iife",
  });
  const page = createServer((request, response) => {
    if (request.url.endsWith(".js")) return response.setHeader("Content-Type", "text/javascript").end(built.outputFiles[0].contents);
    if (request.url !== "/") return response.writeHead(404).end();
    return response.setHeader("Content-Type", "text/html").end("<!doctype html><title>shop</title><body><script src=/app.js></script>");
  });
  await new Promise((done) => page.listen(0, "127.0.0.1", done));
  const chromium = spawn("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", `--user-data-dir=${folder}`, `http://127.0.0.1:${page.address().port}/`], { stdio: "ignore", detached: true });
  const gone = new Promise((done) => chromium.once("exit", done));
  try {
    const [replay] = await until(async () => {
      const found = (await picket.api(`organizations/${picket.organization}/replays/`)).body.data;
      return found.length > 0 && found;
    }, { within: 60_000, every: 200, what: "the replay" });
    assert.equal(replay.replay_type, "session");
    assert.deepEqual(replay.releases, ["web@9"]);
    assert.match(replay.urls[0], /^http:\/\/127\.0\.0\.1:/);
    const segments = await until(async () => {
      const found = (await picket.api(`projects/${picket.organization}/${picket.project}/replays/${replay.id}/recording-segments/?download=true`)).body;
      return Array.isArray(found) && found.length > 0 && found;
    }, { what: "the segments" });
    assert.ok(segments[0].some((event) => event.type === 2), "a full snapshot of the page");
    assert.ok(segments.flat().some((event) => event.type === 4 && event.data.href === replay.urls[0]), "where it was; texts are masked");
  } finally {
    process.kill(-chromium.pid, "SIGKILL"); // its own process group: the browser and its children
    await gone;
    page.closeAllConnections?.();
    page.close();
    await sleep(200);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

// The real SDKs, pointed at a DSN: what they send is an issue within a second.
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

function issueTitled(title) {
  return until(async () => (await picket.issues("")).find((issue) => issue.title.includes(title)),
    { within: 5_000, what: `an issue titled ${title}` });
}

async function latestEvent(issue) {
  return (await picket.api(`organizations/${picket.organization}/issues/${issue.id}/events/latest/`)).body;
}

const entry = (event, type) => event.entries.find((one) => one.type === type)?.data;
const tag = (event, key) => event.tags.find((one) => one.key === key)?.value;

test("@sentry/node: an exception with user, tags and breadcrumbs", async () => {
  const folder = tempFolder();
  const script = join(folder, "app.mjs");
  writeFileSync(script, `
    import * as Sentry from ${JSON.stringify(join(root, "tests/e2e/node_modules/@sentry/node/build/esm/index.js"))};
    Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, release: "shop@1.2.3", environment: "staging", tracesSampleRate: 1 });
    Sentry.setUser({ id: "42", email: "ada@example.com" });
    Sentry.setTag("shift", "night");
    Sentry.addBreadcrumb({ category: "ui", message: "clicked pay" });
    function pay() { throw new TypeError("card reader unplugged"); }
    try { pay(); } catch (error) { Sentry.captureException(error); }
    Sentry.captureMessage("till opened", "warning");
    Sentry.startSpan({ name: "checkout", op: "task" }, () => {});
    await Sentry.flush(5000);
  `);
  const run = spawnSync(process.execPath, [script], { encoding: "utf8", timeout: 30_000 });
  assert.equal(run.status, 0, run.stderr);
  const sentAt = Date.now();
  const issue = await issueTitled("TypeError: card reader unplugged");
  assert.ok(Date.now() - sentAt < 1_000, "visible within a second of the SDK's flush");
  assert.equal(issue.level, "error");
  assert.equal(issue.platform, "node");
  assert.match(issue.count, /^\d+$/);
  const event = await latestEvent(issue);
  assert.equal(event.user.email, "ada@example.com");
  assert.equal(tag(event, "shift"), "night");
  assert.equal(tag(event, "environment"), "staging");
  assert.equal(tag(event, "release"), "shop@1.2.3");
  const frames = entry(event, "exception").values[0].stacktrace.frames;
  assert.equal(frames.at(-1).function, "pay");
  assert.ok(entry(event, "breadcrumbs").values.some((crumb) => crumb.message === "clicked pay"));
  const message = await issueTitled("till opened");
  assert.equal(message.level, "warning");
  const releases = (await picket.api(`organizations/${picket.organization}/releases/`)).body;
  assert.ok(releases.some((release) => release.version === "shop@1.2.3"));
  rmSync(folder, { recursive: true });
});

test("@sentry/browser in headless Chromium: an uncaught error", async () => {
  const folder = tempFolder();
  const built = await esbuild.build({
    stdin: {
      contents: `
        import * as Sentry from "@sentry/browser";
        Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, release: "web@7" });
        setTimeout(() => { undefinedFunctionOfTheShop(); }, 50);`,
      resolveDir: join(root, "tests/e2e"),
    },
    bundle: true, write: false, format: "iife",
  });
  const page = createServer((request, response) => {
    if (request.url.endsWith(".js")) return response.setHeader("Content-Type", "text/javascript").end(built.outputFiles[0].contents);
    if (request.url !== "/") return response.writeHead(404).end();
    return response.setHeader("Content-Type", "text/html").end("<!doctype html><title>shop</title><script src=/app.js></script>");
  });
  await new Promise((done) => page.listen(0, "127.0.0.1", done));
  const chromium = spawn("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", `--user-data-dir=${folder}`, `http://127.0.0.1:${page.address().port}/`], { stdio: "ignore", detached: true });
  const gone = new Promise((done) => chromium.once("exit", done));
  try {
    const issue = await until(async () => (await picket.issues("")).find((one) => one.title.includes("undefinedFunctionOfTheShop")),
      { within: 60_000, every: 100, what: "the browser's error" });
    assert.equal(issue.platform, "javascript");
    const event = await latestEvent(issue);
    assert.match(event.contexts.browser?.name ?? tag(event, "browser.name") ?? "", /Chrom/);
    assert.match(entry(event, "request").url, /^http:\/\/127\.0\.0\.1:/);
  } finally {
    process.kill(-chromium.pid, "SIGKILL"); // its own process group: the browser and its children
    await gone;
    page.closeAllConnections?.();
    page.close();
    await sleep(200);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test("python3-sentry-sdk: a chained exception and a message with parameters", async () => {
  const run = spawnSync("/usr/bin/python3", ["-c", `
import logging, sentry_sdk
sentry_sdk.init(${JSON.stringify(picket.liveDsn)}, release="py@2", environment="edge")
try:
    try:
        {}["missing"]
    except KeyError as cause:
        raise RuntimeError("sensor lost") from cause
except RuntimeError:
    sentry_sdk.capture_exception()
logging.getLogger("plant").error("pump %d at %s", 7, "dock")
sentry_sdk.flush(5)
`], { encoding: "utf8", timeout: 30_000 });
  assert.equal(run.status, 0, run.stderr);
  const issue = await issueTitled("RuntimeError: sensor lost");
  const values = entry(await latestEvent(issue), "exception").values;
  assert.deepEqual(values.map((value) => value.type), ["KeyError", "RuntimeError"]);
  const logged = await issueTitled("pump 7 at dock");
  assert.equal(logged.logger, "plant");
});

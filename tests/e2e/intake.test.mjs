// What is not a Sentry SDK: OpenTelemetry's exporters, browsers' reports, curl for check-ins, the
// JavaScript loader and the error page.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { trace, SpanStatusCode } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtoLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { eventId, Picket, until } from "./lib.mjs";

let picket;
before(async () => {
  picket = await new Picket({ env: { PICKET_INGEST_JS_SDK_URL: "https://cdn.example/bundle.js" } }).start();
});
after(() => picket.end());

const address = (endpoint) => `${picket.url}/api/${picket.project_id}/${endpoint}`;
const headers = () => ({ "x-sentry-auth": `Sentry sentry_key=${picket.public_key}` });

function curl(...args) {
  const run = spawnSync("curl", ["-sS", "-w", "\n%{http_code}", ...args], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  const lines = run.stdout.split("\n");
  return { status: Number(lines.pop()), body: lines.join("\n") };
}

async function metric(line) {
  const text = await (await fetch(`${picket.url}/metrics`)).text();
  const found = text.split("\n").find((each) => each.startsWith(`${line} `));
  return found ? Number(found.slice(line.length + 1)) : 0;
}
const received = (category) => metric(`picket_items_received_total{category="${category}"}`);

for (const [name, Traces, Logs] of [["JSON", JsonTraces, JsonLogs], ["protobuf", ProtoTraces, ProtoLogs]]) {
  test(`OpenTelemetry's Node SDK over ${name}`, async () => {
    const spans = await received("span");
    const logs = await received("log_item");
    const resource = resourceFromAttributes({ "service.name": "shop", "service.version": `1-${name}`, "deployment.environment.name": "edge", "telemetry.sdk.language": "nodejs" });
    const sdk = new NodeSDK({
      resource,
      traceExporter: new Traces({ url: address("integration/otlp/v1/traces"), headers: headers() }),
      instrumentations: [],
    });
    sdk.start();
    const tracer = trace.getTracer("e2e");
    let traceId;
    tracer.startActiveSpan(`checkout ${name}`, (span) => {
      traceId = span.spanContext().traceId;
      span.addEvent("cart read");
      tracer.startActiveSpan("pay", (child) => child.end());
      span.recordException(new TypeError(`no card over ${name}`));
      span.setStatus({ code: SpanStatusCode.ERROR, message: "no card" });
      span.end();
    });
    await sdk.shutdown();
    trace.disable();
    const provider = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: new Logs({ url: address("integration/otlp/v1/logs"), headers: headers() }) })],
    });
    provider.getLogger("e2e").emit({ severityNumber: SeverityNumber.WARN, body: "low stock", attributes: { left: 2 } });
    await provider.shutdown();

    assert.equal(await received("span"), spans + 2);
    assert.equal(await received("log_item"), logs + 2, "the record and the span's event");
    const issue = await until(async () => (await picket.issues()).find((each) => each.title === `TypeError: no card over ${name}`), {
      what: "the exception's issue",
    });
    const event = (await picket.api(`organizations/${picket.organization}/issues/${issue.id}/events/latest/`)).body;
    assert.equal(event.platform, "node");
    assert.equal(event.contexts.trace.trace_id, traceId);
    assert.equal(event.release?.version ?? event.tags.find((tag) => tag.key === "release")?.value, `1-${name}`);
    const frames = event.entries.find((entry) => entry.type === "exception").data.values[0].stacktrace.frames;
    assert.ok(frames.some((frame) => (frame.filename ?? frame.absPath).includes("intake.test.mjs")), JSON.stringify(frames.at(-1)));
  });
}

test("curl posts a CSP report", async () => {
  const report = { "csp-report": { "document-uri": "https://shop.example/", "violated-directive": "img-src 'self'",
    "effective-directive": "img-src", "blocked-uri": "https://evil.example/x.png" } };
  const url = `${address("security/")}?sentry_key=${picket.public_key}&sentry_release=web%401&sentry_environment=edge`;
  const sent = curl("-H", "Content-Type: application/csp-report", "--data", JSON.stringify(report), url);
  assert.deepEqual(sent, { status: 200, body: "" });
  assert.equal(curl("-H", "Content-Type: text/plain", "--data", "{}", url).status, 415);
  const issue = await until(async () => (await picket.issues()).find((each) => each.title === "Blocked 'image' from 'evil.example'"), {
    what: "the report's issue",
  });
  assert.equal(issue.culprit, "img-src 'self'");
  assert.equal(issue.metadata.directive, "img-src");
  const event = (await picket.api(`organizations/${picket.organization}/issues/${issue.id}/events/latest/`)).body;
  assert.equal(event.entries.find((entry) => entry.type === "csp").data.blocked_uri, "https://evil.example/x.png");
  assert.ok(event.tags.some((tag) => tag.key === "environment" && tag.value === "edge"));
});

test("curl sends check-ins", async () => {
  const before_ = await received("monitor");
  const url = `${address("cron/nightly/")}${picket.public_key}/`;
  assert.deepEqual(curl(`${url}?status=in_progress`), { status: 202, body: "" });
  assert.equal(curl("-I", `${url}?status=ok`).status, 202);
  assert.equal(curl("-X", "POST", "-H", "Content-Type: application/json", "--data", '{"status":"ok","duration":3}', url).status, 202);
  assert.equal(curl(`${url}?status=fine`).status, 400);
  assert.equal(await received("monitor"), before_ + 4);
});

test("a picture, a network error and Vercel's drain", async () => {
  const data = Buffer.from(JSON.stringify({ message: "from a picture" })).toString("base64");
  const picture = await fetch(`${address("store/")}?sentry_key=${picket.public_key}&sentry_data=${encodeURIComponent(data)}`);
  assert.equal(picture.headers.get("content-type"), "image/gif");
  assert.equal((await picture.arrayBuffer()).byteLength, 43);
  await until(async () => (await picket.issues()).some((each) => each.title === "from a picture"), { what: "the picture's issue" });
  const nel = [{ age: 1, type: "network-error", url: "https://shop.example/", body: { type: "dns.name_not_resolved", phase: "dns" } }];
  const post = (endpoint, type, body) => fetch(address(endpoint), { method: "POST", headers: { ...headers(), "Content-Type": type }, body });
  assert.equal((await post("nel/", "application/reports+json", JSON.stringify(nel))).status, 200);
  assert.equal((await post("integration/vercel/logs", "application/x-ndjson", '{"message":"a","timestamp":1573817187330}\n')).status, 202);
});

test("the loader and the error page", async () => {
  const loader = await (await fetch(`${picket.url}/js-sdk-loader/${picket.public_key}.min.js`)).text();
  assert.doesNotThrow(() => new Function(loader));
  assert.ok(loader.includes(`"http://${picket.public_key}@127.0.0.1:${picket.port}/${picket.project_id}"`));
  assert.equal((await fetch(`${picket.url}/js-sdk-loader/${"f".repeat(32)}.js`)).status, 404);
  const id = eventId();
  const page = `${picket.url}/api/embed/error-page/?dsn=${encodeURIComponent(picket.liveDsn)}&eventId=${id}`;
  const script = await (await fetch(`${page}&title=${encodeURIComponent("</script>'\"")}`)).text();
  assert.doesNotThrow(() => new Function(script));
  assert.ok(!script.includes("</script>"));
  const sent = await fetch(page, { method: "POST", body: new URLSearchParams({ name: "J", email: "j@shop.example", comments: "it broke" }) });
  assert.equal(sent.status, 200);
  assert.equal(await received("user_report"), 1);
});

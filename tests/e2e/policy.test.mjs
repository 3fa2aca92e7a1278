// What an operator switches on is obeyed within a second: by intake, and by a real SDK that is told.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateSync } from "node:zlib";
import { Picket, assertConserved, envelope, errorEvent, eventId, post, root, sleep, tempFolder, until } from "./lib.mjs";

let picket;
before(async () => { picket = await new Picket().start(); });
after(async () => {
  await until(() => picket.status().digest.waiting === 0, { what: "the digest" });
  await assertConserved(assert, picket);
  await picket.end();
});

const project = () => `projects/${picket.organization}/${picket.project}/`;
async function put(path, body, expected = 200) {
  const answer = await picket.api(path, { method: "PUT", body: JSON.stringify(body) });
  assert.equal(answer.status, expected, JSON.stringify(answer.body));
  return answer.body;
}
// A second counted in naps of 25 ms, each after a request: a machine that is too busy to obey in time is
// too busy for these, too. Nothing but intake's own answer is waited for: the digest has its own pace.
async function withinASecond(probe, what) {
  for (let naps = 0; naps < 40; ++naps) {
    if (await probe()) return;
    await sleep(25);
  }
  assert.fail(`not within a second: ${what}`);
}
async function filteredByIntake(reason) {
  const text = await (await fetch(`${picket.url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith("picket_items_dropped_total{") && each.includes('"filtered"') && each.includes(`"${reason}"`));
  return line ? Number(line.split(" ").at(-1)) : 0;
}
const send = (event) => post(picket, envelope(event.event_id, [[{ type: "event" }, event]]));
async function dropped(outcome, reason) {
  const answer = await picket.api(`organizations/${picket.organization}/stats_v2/?field=sum(quantity)&statsPeriod=1d&groupBy=outcome&groupBy=reason`);
  const group = answer.body.groups.find((one) => one.by.outcome === outcome && one.by.reason === reason);
  return group?.totals["sum(quantity)"] ?? 0;
}

test("a filter takes events and counts them", async () => {
  const saying = (value) => errorEvent(eventId(), { exception: { values: [{ type: "Error", value }] } });
  await put(`${project()}`, { options: { "filters:error_messages": "*canary*\n*never mind*" } });
  await withinASecond(async () => {
    assert.equal((await send(saying("canary"))).status, 200);
    return (await filteredByIntake("error-message")) > 0;
  }, "a filter");
  await until(async () => (await dropped("filtered", "error-message")) > 0, { what: "the outcome" });
  assert.equal((await send(saying("never mind this"))).status, 200);
  assert.equal((await send(saying("sent after it"))).status, 200);
  const issues = await until(async () => {
    const list = await picket.issues("");
    return list.some((issue) => issue.title.includes("sent after it")) && list;
  }, { what: "the issue that came after" });
  assert.ok(!issues.some((issue) => issue.title.includes("never mind")));
  await put(`${project()}`, { options: { "filters:error_messages": null } });
});

test("passwords do not reach the disk", async () => {
  const id = eventId();
  assert.equal((await send(errorEvent(id, { extra: { password: "hunter2", colour: "red" } }))).status, 200);
  const stored = await until(async () => {
    const answer = await picket.api(`${project()}events/${id}/json/`);
    return answer.status === 200 && answer.body;
  }, { what: "the event" });
  assert.equal(stored.extra.password, "[Filtered]");
  assert.equal(stored.extra.colour, "red");
});

test("nor does what a replay recorded", async () => {
  const id = eventId();
  const secrets = ["4917-4845-8989-7107", "hunter2", "abc123"];
  const events = [
    { type: 4, data: { href: "https://shop.example/pay?card=4917-4845-8989-7107", width: 1, height: 1 } },
    { type: 3, data: { source: 5, text: "4917-4845-8989-7107", isChecked: false, id: 7 } },
    { type: 5, data: { tag: "performanceSpan", payload: { op: "resource.fetch", description: "https://shop.example/",
      data: { request: { headers: { authorization: "Bearer abc123" }, body: { password: "hunter2" } } } } } },
    { type: 3, data: { source: 5, text: "two teas", isChecked: false, id: 8 } },
  ];
  const header = Buffer.from('{"segment_id":0}\n');
  const recording = Buffer.concat([header, deflateSync(JSON.stringify(events))]);
  const replay = { type: "replay_event", event_id: id, replay_id: id, segment_id: 0, timestamp: Date.now() / 1000, urls: ["https://shop.example/"] };
  const answer = await post(picket, envelope(id, [[{ type: "replay_event" }, replay], [{ type: "replay_recording" }, recording]]), { gzip: true });
  assert.equal(answer.status, 200);
  const shown = await until(async () => {
    const segment = await picket.api(`${project()}replays/${id}/recording-segments/0/?download`);
    return segment.status === 200 && segment.body;
  }, { what: "the segment" });
  assert.equal(shown.length, events.length);
  for (const secret of secrets) assert.ok(!JSON.stringify(shown).includes(secret), secret);
  assert.equal(shown[0].data.href, "https://shop.example/pay?card=[Filtered]");
  assert.equal(shown[1].data.text, "[Filtered]");
  assert.equal(shown[3].data.text, "two teas");
});

test("a target rate samples transactions, a project's own in its place", async () => {
  const organization = `organizations/${picket.organization}/`;
  const transaction = (drawn, more = {}) => {
    const id = eventId();
    const now = Date.now() / 1000;
    const payload = { type: "transaction", transaction: "/pay", start_timestamp: now - 1, timestamp: now, contexts: { trace: { trace_id: id, span_id: id.slice(16) } } };
    return post(picket, envelope(id, [[{ type: "transaction" }, payload]], { trace: { trace_id: id, sample_rand: String(drawn), ...more } }));
  };
  assert.equal((await put(organization, { targetSampleRate: 0.25 })).targetSampleRate, 0.25);
  await withinASecond(async () => {
    assert.equal((await transaction(0.5)).status, 200, "a sampled transaction is no failure of the sender's");
    return (await filteredByIntake("Sampled:1000")) > 0;
  }, "a target rate");
  const before = await filteredByIntake("Sampled:1000");
  assert.equal((await transaction(0.2)).status, 200);
  assert.equal((await transaction(0.5, { replay_id: eventId() })).status, 200);
  assert.equal(await filteredByIntake("Sampled:1000"), before, "below the rate, or with a replay: kept");
  await until(async () => (await dropped("filtered", "Sampled:1000")) > 0, { what: "the outcome" });
  assert.equal((await send(errorEvent(eventId()))).status, 200);
  await put(organization, { samplingMode: "project" });
  const rates = await put(`${organization}sampling/project-rates/`, (await picket.api(`${organization}sampling/project-rates/`)).body.map(({ id }) => ({ id, sampleRate: 0 })));
  assert.equal(rates[0].sampleRate, 0);
  const sum = await filteredByIntake("Sampled:1000");
  await withinASecond(async () => (await transaction(0.1)) && (await filteredByIntake("Sampled:1000")) > sum, "a project's rate");
  await put(organization, { samplingMode: "organization", targetSampleRate: null });
});

test("@sentry/node falls silent when its key's limit is reached", async () => {
  const key = (await picket.api(`${project()}keys/`)).body[0];
  const before = await dropped("rate_limited", "key_quota");
  await put(`${project()}keys/${key.id}/`, { rateLimit: { count: 3, window: 600 } });
  await withinASecond(async () => (await send(errorEvent(eventId()))).status === 429, "a limit");
  await until(async () => (await dropped("rate_limited", "key_quota")) === before + 1, { what: "its outcome" });
  const folder = tempFolder();
  const script = join(folder, "app.mjs");
  writeFileSync(script, `
    import * as Sentry from ${JSON.stringify(join(root, "tests/e2e/node_modules/@sentry/node/build/esm/index.js"))};
    Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, integrations: (all) => all.filter((one) => one.name !== "Dedupe") });
    for (let i = 0; i < 12; ++i) {
      Sentry.captureException(new Error("limited " + i));
      await Sentry.flush(5000);
    }
  `);
  const run = spawnSync(process.execPath, [script], { encoding: "utf8", timeout: 60_000 });
  assert.equal(run.status, 0, run.stderr);
  await until(async () => (await dropped("rate_limited", "key_quota")) > before + 1, { what: "the outcome" });
  await sleep(1_500); // for more of them, which must not come
  assert.equal((await dropped("rate_limited", "key_quota")) - before, 2, "it was told once, and obeyed");
  const answer = await post(picket, envelope(eventId(), [[{ type: "event" }, errorEvent(eventId())]]));
  assert.equal(answer.status, 429);
  assert.match(answer.headers.get("x-sentry-rate-limits"), /^\d+:default;error;security:key:key_quota$/);
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
  await put(`${project()}keys/${key.id}/`, { rateLimit: null });
  await withinASecond(async () => (await send(errorEvent(eventId()))).status === 200, "the end of a limit");
  rmSync(folder, { recursive: true });
});

test("pages of other domains are refused, a wrong setting is too", async () => {
  await put(project(), { allowedDomains: ["shop.example"] });
  const from = (origin) => post(picket, envelope(eventId(), [[{ type: "event" }, errorEvent(eventId())]]), { headers: { Origin: origin } });
  await withinASecond(async () => (await from("https://evil.example")).status === 403, "the refusal of an origin");
  assert.equal((await from("https://shop.example")).status, 200);
  await put(project(), { allowedDomains: ["*"] });
  await put(project(), { relayPiiConfig: "{nonsense" }, 400);
});

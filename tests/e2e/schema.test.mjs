// The answers of the REST API against Sentry's official OpenAPI document, where a copy of it and the
// tool that reads it are beside the project.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { Picket, envelope, errorEvent, eventId, post, sharedData, tempFolder, until } from "./lib.mjs";

const tool = resolve(sharedData, "../tools/schema_check.py");
const example = resolve(sharedData, "../tools/fixtures-example.json");

// What is served; every other operation of the document answers 404 here.
const organization = "/api/0/organizations/{organization_id_or_slug}";
const project = "/api/0/projects/{organization_id_or_slug}/{project_id_or_slug}";
const team = "/api/0/teams/{organization_id_or_slug}/{team_id_or_slug}";
// Not here: one replay, to which the document gives a cursor although it has no pages.
const served = [
  "/api/0/organizations/", `${organization}/`, `${organization}/environments/`, `${organization}/eventids/{event_id}/`,
  `${organization}/issues/`, `${organization}/issues/{issue_id}/`, `${organization}/issues/{issue_id}/events/`,
  `${organization}/issues/{issue_id}/events/{event_id}/`, `${organization}/issues/{issue_id}/hashes/`,
  `${organization}/issues/{issue_id}/tags/{key}/`, `${organization}/issues/{issue_id}/tags/{key}/values/`,
  `${organization}/members/`, `${organization}/members/{member_id}/`, `${organization}/project-keys/`, `${organization}/projects/`,
  `${organization}/releases/`, `${organization}/releases/{version}/`, `${organization}/sessions/`,
  `${organization}/monitors/{monitor_id_or_slug}/checkins/`, `${project}/monitors/{monitor_id_or_slug}/checkins/`,
  `${project}/events/{event_id}/attachments/`, `${project}/events/{event_id}/attachments/{attachment_id}/`, `${project}/user-feedback/`,
  `${organization}/shortids/{issue_id}/`,
  `${organization}/stats_v2/`, `${organization}/tags/`, `${organization}/teams/`,
  `${project}/`, `${project}/environments/`, `${project}/environments/{environment}/`, `${project}/events/`,
  `${project}/events/{event_id}/`, `${project}/issues/`, `${project}/keys/`, `${project}/keys/{key_id}/`, `${project}/members/`,
  `${organization}/events/`, `${organization}/events-timeseries/`, `${organization}/discover/saved/`,
  `${organization}/discover/saved/{query_id}/`, `${organization}/trace/{trace_id}/`, `${organization}/trace-meta/{trace_id}/`,
  `${organization}/trace-items/attributes/`, `${organization}/replays/`,
  `${organization}/replay-count/`, `${organization}/profiling/chunks/`, `${project}/profiling/profiles/{profile_id}/`,
  `${project}/replays/{replay_id}/clicks/`, `${project}/replays/{replay_id}/recording-segments/`,
  `${project}/replays/{replay_id}/recording-segments/{segment_id}/`, `${project}/replays/{replay_id}/viewed-by/`,
  `${project}/ownership/`, `${project}/stats/`, `${project}/teams/`, `${team}/`, `${team}/projects/`,
];

test("every GET operation that is served answers in the documented shape", async (context) => {
  if (!existsSync(tool)) return context.diagnostic("skipped: no copy of the OpenAPI document here");
  const picket = await new Picket().start();
  for (let i = 0; i < 5; ++i) {
    const id = eventId();
    await post(picket, envelope(id, [[{ type: "event" }, errorEvent(id, { release: "shape@1.0.0", environment: "production",
      user: { id: "7", email: "ada@example.com" }, tags: { browser: "Firefox" }, breadcrumbs: [{ message: "one" }] })],
      [{ type: "attachment", filename: "shape.txt", content_type: "text/plain" }, "bytes"],
      [{ type: "user_report" }, { event_id: id, name: "Ada", email: "ada@example.com", comments: "odd" }]]));
  }
  const telemetry = { replay_id: eventId(), profile_id: eventId(), profiler_id: eventId(), trace_id: eventId(), segment_id: "0" };
  const now = Date.now() / 1000;
  const trace = { trace_id: telemetry.trace_id, span_id: "a".repeat(16) };
  await post(picket, envelope(telemetry.replay_id, [
    [{ type: "replay_event" }, { replay_id: telemetry.replay_id, segment_id: 0, replay_start_timestamp: now - 5, timestamp: now, urls: ["/"], tags: { a: "b" },
      user: { email: "ada@example.com" }, replay_type: "session", platform: "javascript" }],
    [{ type: "replay_recording" }, `{"segment_id":0}\n[{"type":5,"timestamp":1,"data":{"tag":"breadcrumb","payload":{"category":"ui.click","timestamp":${now},"data":{"nodeId":3}}}}]`]]));
  await post(picket, envelope(telemetry.profile_id, [[{ type: "profile" }, { event_id: telemetry.profile_id, version: "1", platform: "node",
    profile: { samples: [], stacks: [], frames: [] }, transaction: { name: "t", id: eventId(), trace_id: telemetry.trace_id } }]]));
  await post(picket, envelope(eventId(), [[{ type: "profile_chunk" }, { version: "2", profiler_id: telemetry.profiler_id, chunk_id: eventId(), platform: "node",
    profile: { samples: [{ timestamp: 1704100000, stack_id: 0, thread_id: "1" }], stacks: [[0]], frames: [{ function: "f" }] } }]]));
  await post(picket, envelope(eventId(), [
    [{ type: "transaction" }, { type: "transaction", transaction: "GET /", start_timestamp: now - 1, timestamp: now, measurements: { lcp: { value: 3 } },
      contexts: { trace: { ...trace, op: "http.server" } }, spans: [{ ...trace, span_id: "b".repeat(16), parent_span_id: trace.span_id, op: "db", start_timestamp: now - 1, timestamp: now, data: { rows: 3, hot: true } }] }]]));
  await post(picket, envelope(eventId(), [[{ type: "log", item_count: 1 }, { items: [{ timestamp: now, trace_id: telemetry.trace_id, level: "info", body: "line", attributes: { n: { type: "integer", value: 1 } } }] }]]));
  const traced = eventId();
  await post(picket, envelope(traced, [[{ type: "event" }, errorEvent(traced, { contexts: { trace: { ...trace, span_id: "b".repeat(16) } } })]]));
  const started = new Date().toISOString();
  await post(picket, envelope(eventId(), [
    [{ type: "session" }, { sid: eventId(), init: true, started, status: "exited", duration: 2, attrs: { release: "shape@1.0.0", environment: "production" } }],
    [{ type: "check_in" }, { check_in_id: eventId(), monitor_slug: "shape", status: "ok", environment: "production",
      monitor_config: { schedule: { type: "crontab", value: "0 * * * *" } } }]]));
  await until(async () => (await picket.api(`organizations/${picket.organization}/monitors/shape/checkins/`)).body.length === 1, { what: "the check-in" });
  const [issue] = await until(async () => { const issues = await picket.issues(""); return issues.find((each) => each.count === "6") && issues.filter((each) => each.count === "6"); });
  const get = async (path) => (await picket.api(path)).body;
  let event_id;
  for (const event of await get(`projects/${picket.organization}/${picket.project}/events/`)) {
    if ((await get(`projects/${picket.organization}/${picket.project}/events/${event.eventID}/attachments/`)).length) event_id = event.eventID;
  }
  await until(async () => (await picket.api(`organizations/${picket.organization}/replays/`)).body.data.length === 1);
  const saved = await picket.api(`organizations/${picket.organization}/discover/saved/`, { method: "POST", body: JSON.stringify({ name: "shape",
    fields: ["title", "count()"], query: "level:error", orderby: "-count", yAxis: ["count()"], range: "24h", environment: ["production"], topEvents: 5 }) });
  const fixtures = {
    ...JSON.parse(readFileSync(example, "utf8")), ...telemetry,
    organization_id_or_slug: picket.organization, project_id_or_slug: picket.project, project_id: picket.project_id,
    issue_id: issue.id, short_id: issue.shortId, tag_key: "browser", environment: "production", version: "shape@1.0.0",
    event_id, monitor_id_or_slug: "shape", discover_query_id: saved.body.id,
    attachment_id: (await get(`projects/${picket.organization}/${picket.project}/events/${event_id}/attachments/`))[0].id,
    key_id: (await get(`projects/${picket.organization}/${picket.project}/keys/`))[0].id,
    member_id: (await get(`organizations/${picket.organization}/members/`))[0].id,
    team_id_or_slug: (await get(`organizations/${picket.organization}/teams/`))[0].slug,
  };
  const folder = tempFolder();
  writeFileSync(join(folder, "fixtures.json"), JSON.stringify(fixtures));
  const run = spawnSync("/usr/bin/python3", [tool, "check", "--base-url", picket.url, "--token", picket.token,
    "--fixtures", join(folder, "fixtures.json")], { encoding: "utf8", timeout: 120_000 });
  const lines = run.stdout.split("\n");
  const bad = [];
  const seen = new Set();
  for (const [at, line] of lines.entries()) {
    const found = line.match(/^(PASS|FAIL|SKIP) +GET (\S+)/);
    if (!found || !served.includes(found[2])) continue;
    if (found[1] === "PASS") seen.add(found[2]);
    else bad.push([line, ...lines.slice(at + 1, at + 5)].join("\n"));
  }
  assert.deepEqual(bad, []);
  assert.deepEqual(served.filter((path) => !seen.has(path)), [], "an operation that was not checked");
  rmSync(folder, { recursive: true });
  await picket.end();
});

// States of issues told to an upstream and taken from it: two Pickets, three in a ring, and a tracker
// that speaks Sentry's API without a Picket's stamps.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, assertConserved, envelope, errorEvent, eventId, picket, post, sleep, tempFolder, until } from "./lib.mjs";

const tokenFile = (of) => join(of.storage, "token");

// A configuration whose one destination is `to`, and how states are synchronised with it.
function configure(to, lines = {}, name = "hub") {
  const keys = {
    name, dsn: to.liveDsn, retry_min: "50ms", retry_max: "500ms", hold_probe: "300ms",
    status_sync: "both", status_interval: "200ms", api_organization: to.organization, api_token_file: to.storage && tokenFile(to), ...lines,
  };
  const file = join(tempFolder(), "picket.toml");
  const text = Object.entries(keys).filter(([, value]) => value !== undefined).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join("");
  writeFileSync(file, `[[upstream]]\n${text}`);
  return file;
}

async function send(target, id = eventId(), extra = {}) {
  const answer = await post(target, envelope(id, [[{ type: "event" }, errorEvent(id, extra)]], { sent_at: new Date().toISOString() }));
  assert.equal(answer.status, 200);
  return id;
}

const only = (side) => until(async () => (await side.issues(""))?.[0], { what: "the issue" });
const issue = (side, number = 1) => side.api(`organizations/${side.organization}/issues/${number}/`).then((answer) => answer.body);
const activities = async (side) => (await issue(side)).activity.filter(({ type }) => type !== "first_seen");
async function change(side, body, number = 1) {
  const answer = await side.api(`organizations/${side.organization}/issues/${number}/`, { method: "PUT", body: JSON.stringify(body) });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}
const becomes = (side, what, test) => until(async () => {
  const now = await issue(side);
  return test(now) && now;
}, { what });
const sync = (side) => side.status().destinations[0]?.status_sync;
const settled = (side) => until(() => sync(side).waiting === 0, { what: "nothing left to be told" });

// Nothing goes on by itself: neither activities nor requests that change anything.
async function assertSilent(...sides) {
  const look = async () => JSON.stringify(await Promise.all(sides.map(async (side) => [await activities(side), sync(side)?.told, sync(side)?.taken])));
  const before = await look();
  await sleep(2_500);
  assert.equal(await look(), before, "something still goes on");
}

test("what is decided on either side arrives on the other, with its origin, and comes to rest", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ config: configure(hub) }).start();
  await send(edge, eventId(), { release: "shop@1.0.0" });
  await Promise.all([only(edge), only(hub)]);

  await change(edge, { status: "resolved" });
  await becomes(hub, "resolved at the hub", (now) => now.status === "resolved");
  const [there] = await activities(hub);
  assert.equal(there.type, "set_resolved");
  assert.ok(there.data.origin, "its origin is shown");
  const [here] = await activities(edge);
  assert.equal(here.data.origin, undefined);
  assert.ok(Math.abs(Date.parse(there.dateCreated) - Date.parse(here.dateCreated)) < 2, "shown at the time it was made");

  await change(hub, { status: "unresolved" });
  await becomes(edge, "unresolved at the edge", (now) => now.status === "unresolved");
  const [taken] = await activities(edge);
  assert.deepEqual([taken.type, taken.data.origin, taken.user], ["set_unresolved", "upstream hub", null]);

  await change(edge, { status: "ignored", substatus: "archived_until_escalating" });
  await becomes(hub, "archived at the hub", (now) => now.substatus === "archived_until_escalating");
  await change(hub, { status: "ignored", statusDetails: { ignoreDuration: 60 } });
  const archived = await becomes(edge, "archived for an hour at the edge", (now) => now.substatus === "archived_until_condition_met");
  assert.equal(archived.statusDetails.ignoreUntil, (await issue(hub)).statusDetails.ignoreUntil);

  await change(edge, { assignedTo: "admin@localhost" });
  await becomes(hub, "assigned at the hub", (now) => now.assignedTo?.email === "admin@localhost");
  await change(hub, { assignedTo: "team:picket" });
  await becomes(edge, "assigned to the team at the edge", (now) => now.assignedTo?.type === "team" && now.assignedTo.name === "picket");
  await change(edge, { assignedTo: "" });
  await becomes(hub, "assigned to nobody at the hub", (now) => now.assignedTo === null);
  await change(edge, { assignedTo: "team:picket" });
  await becomes(hub, "assigned to the team at the hub", (now) => now.assignedTo?.type === "team");

  await change(edge, { priority: "low" });
  await becomes(hub, "the priority at the hub", (now) => now.priority === "low");
  await change(hub, { priority: "medium" });
  await becomes(edge, "the priority at the edge", (now) => now.priority === "medium");

  await change(edge, { status: "resolved", statusDetails: { inRelease: "shop@1.0.0" } });
  await becomes(hub, "resolved in the release at the hub", (now) => now.statusDetails.inRelease === "shop@1.0.0");
  // An event that brings it back does so on both sides by itself, and is nobody's change.
  const told = sync(edge).told;
  await send(edge, eventId(), { release: "shop@1.1.0" });
  await becomes(edge, "back at the edge", (now) => now.substatus === "regressed");
  await becomes(hub, "back at the hub", (now) => now.substatus === "regressed");
  await settled(edge);
  assert.equal(sync(edge).told, told);

  await assertSilent(edge, hub);
  const state = sync(edge);
  assert.equal(state.mode, "both");
  assert.equal(state.state, "running");
  assert.equal(state.refused, 0);
  assert.match(picket(["upstream", "ls", "--storage", edge.storage], {}).out, /status sync \(both\): running, 0 waiting/);
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  assert.match(metrics, new RegExp(`picket_status_sync_told_total\\{destination="hub"\\} ${state.told}\n`));
  for (const side of [edge, hub]) {
    await assertConserved(assert, side);
    await side.end();
  }
});

test("what was decided on both sides while the link was down: the last writer wins on both", async () => {
  const hub = await new Picket().start();
  const edge = await new Picket({ config: configure(hub) }).start();
  edge.expectErrors = true;
  await send(edge);
  await Promise.all([only(edge), only(hub)]);
  await change(edge, { status: "resolved" });
  await becomes(hub, "the first state", (now) => now.status === "resolved");
  await settled(edge);

  // Here first, then there; both restart in between, the edge without a goodbye.
  await hub.stop();
  await change(edge, { status: "unresolved" });
  await change(edge, { priority: "low" });
  await sleep(300);
  await edge.kill();
  await hub.start();
  await change(hub, { status: "ignored", substatus: "archived_forever" });
  await edge.start();
  await becomes(edge, "the hub's state at the edge", (now) => now.status === "ignored");
  await becomes(hub, "the edge's priority at the hub", (now) => now.priority === "low");
  assert.equal((await issue(hub)).status, "ignored");
  await settled(edge);

  // There first, then here.
  await edge.stop();
  await change(hub, { status: "unresolved" });
  await hub.stop();
  await edge.start();
  await sleep(20);
  await change(edge, { status: "resolved" });
  await until(() => sync(edge).waiting === 1, { what: "a change that waits" });
  await until(() => sync(edge).state === "retrying", { what: "the reason" });
  assert.notEqual(sync(edge).last_error, "");
  await hub.start();
  await becomes(hub, "the edge's state at the hub", (now) => now.status === "resolved");
  assert.equal((await issue(edge)).status, "resolved");
  await settled(edge);
  await assertSilent(edge, hub);
  for (const side of [edge, hub]) await side.end();
});

test("three Pickets in a ring agree and fall silent", async () => {
  const ring = [];
  for (let i = 0; i < 3; ++i) ring.push(await new Picket().start());
  for (const side of ring) await side.stop();
  ring.forEach((side, i) => (side.config = configure(ring[(i + 1) % 3], {}, "next")));
  for (const side of ring) await side.start();
  const id = await send(ring[0]);
  for (const side of ring) await only(side);
  // The event has gone round once: where it came from does not send it on again.
  await until(() => ring[0].status().destinations[0].quarantined === 1, { what: "the end of the circle" });
  assert.match(picket(["upstream", "quarantine", "next", "--storage", ring[0].storage], {}).out, /circle/);
  for (const side of ring) assert.equal((await issue(side)).count, "1", id);

  await change(ring[0], { status: "resolved" });
  for (const side of ring) await becomes(side, "resolved everywhere", (now) => now.status === "resolved");
  await assertSilent(...ring);
  for (const side of ring) assert.equal((await activities(side)).length, 1);

  // All at once, and again before it has gone round.
  await Promise.all([
    change(ring[0], { status: "unresolved" }),
    change(ring[1], { status: "ignored", substatus: "archived_forever" }),
    change(ring[2], { status: "unresolved", assignedTo: "admin@localhost" }),
  ]);
  await change(ring[1], { priority: "low" });
  await sleep(150);
  await change(ring[2], { status: "ignored", substatus: "archived_until_escalating" });
  const state = (now) => [now.status, now.substatus, now.assignedTo?.email ?? null, now.priority].join(" ");
  await until(async () => {
    const [a, b, c] = (await Promise.all(ring.map((side) => issue(side)))).map(state);
    return a === b && b === c && a.includes("archived_until_escalating admin@localhost low");
  }, { what: "agreement" });
  await assertSilent(...ring);
  for (const side of ring) assert.equal(sync(side).state, "running");
  for (const side of ring) {
    await assertConserved(assert, side);
    await side.end();
  }
});

test("a wrong token, or none, is said, and hurts nothing else", async () => {
  const hub = await new Picket().start();
  const file = join(tempFolder(), "token");
  writeFileSync(file, "sntryu_wrong\n");
  const edge = await new Picket({ config: configure(hub, { api_token_file: file }) }).start();
  edge.expectErrors = true;
  await send(edge);
  await Promise.all([only(edge), only(hub)]);
  await change(edge, { status: "resolved" });
  const held = await until(() => sync(edge).state === "held" && sync(edge), { what: "the hold" });
  assert.match(held.last_error, /401/);
  assert.match(picket(["upstream", "ls", "--storage", edge.storage], {}).out, /status sync: answer 401/);
  assert.equal(edge.status().destinations[0].state, "idle");

  // Another one that may not change issues: read-only.
  const made = picket(["token", "create", "--label", "reader", "--scopes", "event:read", "--json", "--storage", hub.storage], {});
  assert.equal(made.code, 0, made.err);
  writeFileSync(file, JSON.parse(made.out).token);
  await until(() => /403/.test(sync(edge).last_error), { what: "the other reason" });
  assert.equal((await issue(hub)).status, "unresolved");

  writeFileSync(file, "");
  await until(() => /token/.test(sync(edge).last_error), { what: "a file without a token" });
  await send(edge, eventId(), { exception: { values: [{ type: "OtherError", value: "something else broke" }] } });
  await until(async () => (await hub.issues("")).length === 2, { what: "the second event at the hub" });

  writeFileSync(file, readFileSync(tokenFile(hub)));
  await becomes(hub, "the change, once the token is right", (now) => now.status === "resolved");
  await until(() => sync(edge).state === "running", { what: "the sync to run" });
  assert.ok(!edge.log.includes("sntryu_"), "no token in the log");
  await edge.end();

  const missing = picket(["config", "check", "--config", configure(hub, { api_token_file: undefined })], {});
  assert.equal(missing.code, 78);
  assert.match(missing.err, /api_token_file/);
  await hub.end();
});

// A tracker with Sentry's endpoints and one project; no stamps. Its clock may be off.
class Tracker {
  constructor() {
    this.requests = [];
    this.issues = new Map(); // by event id
    this.clockOff = 0;
    this.refuse = () => null;
  }
  async start() {
    this.server = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => (body += piece));
      request.on("end", () => {
        const [status, answer, headers] = this.answer(request.method, new URL(request.url, "http://x"), body, request.headers);
        response.writeHead(status, { "Content-Type": "application/json", ...headers });
        response.end(JSON.stringify(answer));
      });
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    this.liveDsn = `http://${"ab".repeat(16)}@127.0.0.1:${this.server.address().port}/5`;
    this.organization = "acme";
    return this;
  }
  note(issue, type, data = {}, user = { email: "ann@example.com" }) {
    issue.activity.unshift({ id: String(issue.activity.length), type, user, data, dateCreated: new Date(Date.now() + this.clockOff).toISOString() });
  }
  add(event) {
    const id = String(100 + this.issues.size);
    const issue = { id, status: "unresolved", substatus: "new", statusDetails: {}, assignedTo: null, priority: "high", priorityLockedAt: null, activity: [] };
    this.issues.set(event, issue);
    return issue;
  }
  set(issue, body) {
    if (body.status) {
      Object.assign(issue, { status: body.status, substatus: body.substatus ?? null, statusDetails: body.statusDetails ?? {} });
      this.note(issue, `set_${body.status}`);
    }
    if (body.assignedTo !== undefined) {
      issue.assignedTo = body.assignedTo === "" ? null : { type: "user", id: "3", name: "Ann", email: body.assignedTo };
      this.note(issue, body.assignedTo === "" ? "unassigned" : "assigned");
    }
    if (body.priority) {
      Object.assign(issue, { priority: body.priority, priorityLockedAt: new Date().toISOString() });
      this.note(issue, "set_priority");
    }
  }
  answer(method, url, body, headers) {
    if (url.pathname.endsWith("/envelope/")) return [200, {}];
    this.requests.push({ method, path: url.pathname, query: url.search, body, headers });
    if (headers.authorization !== "Bearer sntryu_secret") return [401, { detail: "Invalid token" }];
    const refusal = this.refuse(method, url, body);
    if (refusal) return refusal;
    const list = "/api/0/organizations/acme/issues/";
    const shown = (issue, event) => ({ ...issue, activity: undefined, matchingEventId: event ?? null });
    if (method === "GET" && url.pathname === list) {
      const groups = url.searchParams.getAll("group");
      if (groups.length) return [200, [...this.issues.values()].filter(({ id }) => groups.includes(id)).map((one) => shown(one))];
      const query = url.searchParams.get("query");
      return [200, this.issues.has(query) && url.searchParams.get("project") === "5" ? [shown(this.issues.get(query), query)] : []];
    }
    const issue = [...this.issues.values()].find(({ id }) => url.pathname === `${list}${id}/`);
    if (!issue) return [404, { detail: "The requested resource does not exist" }];
    if (method === "PUT") this.set(issue, JSON.parse(body));
    return [200, method === "GET" ? issue : shown(issue)];
  }
  puts() {
    return this.requests.filter(({ method }) => method === "PUT");
  }
  async end() {
    this.server.closeAllConnections?.();
    await new Promise((done) => this.server.close(done));
  }
}

async function withTracker(lines, use) {
  const tracker = await new Tracker().start();
  const edge = await new Picket({ config: configure(tracker, { api_token: "sntryu_secret", api_token_file: undefined, ...lines }, "cloud") }).start();
  const id = await send(edge);
  await only(edge);
  const there = tracker.add(id);
  try {
    await use(tracker, edge, there);
    await edge.end();
  } finally {
    await tracker.end();
  }
}

test("a tracker without stamps: told, taken by its activity, and never its own changes back", async () => {
  await withTracker({}, async (tracker, edge, there) => {
    await change(edge, { status: "resolved" });
    await until(() => there.status === "resolved", { what: "resolved over there" });
    await settled(edge);
    assert.deepEqual(tracker.puts().map(({ body }) => JSON.parse(body)), [{ status: "resolved" }]);

    // Its clock is an hour behind: what changed only there is taken all the same.
    tracker.clockOff = -3_600_000;
    tracker.set(there, { status: "ignored", substatus: "archived_until_escalating" });
    await becomes(edge, "archived here", (now) => now.substatus === "archived_until_escalating");
    const [taken] = await activities(edge);
    assert.deepEqual([taken.type, taken.data.origin], ["set_ignored", "upstream cloud"]);
    tracker.set(there, { assignedTo: "admin@localhost" });
    await becomes(edge, "assigned here", (now) => now.assignedTo?.email === "admin@localhost");
    tracker.set(there, { assignedTo: "stranger@example.com" });
    tracker.set(there, { priority: "low" });
    await becomes(edge, "the priority here", (now) => now.priority === "low");
    assert.equal((await issue(edge)).assignedTo.email, "admin@localhost");
    assert.equal(tracker.puts().length, 1, "nothing went back");

    // Without anything to do, one request a round and no more.
    await assertSilent(edge);
    const from = tracker.requests.length;
    await sleep(1_000);
    const idle = tracker.requests.slice(from);
    assert.ok(idle.length <= 8 && idle.every(({ query }) => query.includes("group=")), JSON.stringify(idle.map(({ path, query }) => path + query)));
  });
});

test("a tracker that errs, limits and refuses: tried again, waited for, remembered", async () => {
  await withTracker({ status_sync: "send" }, async (tracker, edge, there) => {
    let left = 3;
    tracker.refuse = (method) => (method === "PUT" && left-- > 0 ? [left === 1 ? 429 : 503, { detail: "no" }, { "Retry-After": "1" }] : null);
    await change(edge, { status: "resolved" });
    await until(() => there.status === "resolved", { what: "resolved after three failures" });
    assert.equal(there.activity.length, 1);

    // A release it does not know: told without it. An assignee it does not know: refused, once.
    tracker.refuse = (method, url, body) => (method === "PUT" && /inCommit|assignedTo/.test(body) ? [400, { detail: "unknown" }] : null);
    await change(edge, { status: "unresolved" });
    await until(() => there.status === "unresolved", { what: "unresolved" });
    await change(edge, { status: "resolved", statusDetails: { inCommit: { commit: "abc", repository: "shop" } } });
    await until(() => there.status === "resolved", { what: "resolved without the commit" });
    await change(edge, { assignedTo: "admin@localhost" });
    await until(() => sync(edge).refused === 1, { what: "the refusal" });
    await settled(edge);
    const puts = tracker.puts().length;
    await sleep(1_000);
    assert.equal(tracker.puts().length, puts, "refused is refused");
    // Sending only: what is done there stays there.
    tracker.set(there, { status: "ignored", substatus: "archived_forever" });
    await sleep(1_000);
    assert.equal((await issue(edge)).status, "resolved");
  });
});

test("off, which it is by default, asks nothing", async () => {
  const tracker = await new Tracker().start();
  const edge = await new Picket({ env: { PICKET_UPSTREAM_0_DSN: tracker.liveDsn } }).start();
  await send(edge);
  await only(edge);
  await change(edge, { status: "resolved" });
  await until(() => edge.status().destinations[0].forwarded === 1, { what: "the event over there" });
  await sleep(2_000);
  assert.deepEqual(tracker.requests, []);
  assert.equal(sync(edge), null);
  await edge.end();
  await tracker.end();
});

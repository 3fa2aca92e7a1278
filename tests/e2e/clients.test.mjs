// sentry-cli against the REST API, with nothing but a URL and a token.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Picket, assertConserved, errorEvent, envelope, eventId, post, root, until } from "./lib.mjs";

let picket;
before(async () => {
  picket = await new Picket().start();
  const id = eventId();
  await post(picket, envelope(id, [[{ type: "event" }, errorEvent(id, { tags: { shift: "night" }, user: { id: "7" } })]]));
  await until(async () => (await picket.issues("")).length === 1, { what: "the first issue" });
});
after(async () => {
  await assertConserved(assert, picket);
  await picket.end();
});

function cli(...args) {
  const run = spawnSync(join(root, "tests/e2e/node_modules/.bin/sentry-cli"), args, {
    encoding: "utf8", timeout: 60_000,
    env: { ...process.env, SENTRY_URL: picket.url, SENTRY_AUTH_TOKEN: picket.token, SENTRY_ORG: picket.organization,
      SENTRY_PROJECT: picket.project, SENTRY_DSN: picket.liveDsn, SENTRY_LOG_LEVEL: "warn" },
  });
  assert.equal(run.status, 0, `sentry-cli ${args.join(" ")}\n${run.stdout}\n${run.stderr}`);
  return run.stdout;
}

test("info knows the token and its user", () => {
  const info = JSON.parse(cli("info", "--config-status-json"));
  assert.equal(info.auth.successful, true);
  assert.match(cli("info"), /Scopes/);
});

test("organizations, projects, issues and events are listed", () => {
  assert.match(cli("organizations", "list"), /picket/);
  assert.match(cli("projects", "list"), /default/);
  assert.match(cli("issues", "list"), /ValueError: it broke/);
  assert.match(cli("events", "list"), /ValueError: it broke/);
  assert.match(cli("events", "list", "--show-user", "--show-tags"), /night/);
});

test("issues are muted, resolved and unresolved", async () => {
  const [issue] = await picket.issues("");
  cli("issues", "resolve", "-i", issue.id);
  assert.equal((await picket.issues(""))[0].status, "resolved");
  cli("issues", "unresolve", "-i", issue.id);
  assert.equal((await picket.issues(""))[0].status, "unresolved");
  cli("issues", "mute", "-i", issue.id);
  assert.equal((await picket.issues(""))[0].status, "ignored");
  cli("issues", "unresolve", "-i", issue.id);
});

test("releases live their life", async () => {
  cli("releases", "new", "cli@1.0.0");
  assert.match(cli("releases", "list"), /cli@1\.0\.0|1\.0\.0/);
  cli("releases", "finalize", "cli@1.0.0");
  const release = (await picket.api(`organizations/${picket.organization}/releases/${encodeURIComponent("cli@1.0.0")}/`)).body;
  assert.ok(release.dateReleased);
  cli("releases", "info", "cli@1.0.0");
  cli("releases", "archive", "cli@1.0.0");
  cli("releases", "restore", "cli@1.0.0");
  cli("releases", "delete", "cli@1.0.0");
});

test("send-event arrives", async () => {
  cli("send-event", "-m", "from the command line");
  await until(async () => (await picket.issues("command")).length === 1, { what: "the sent event" });
});

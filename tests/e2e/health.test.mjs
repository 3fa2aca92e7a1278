// Sessions, check-ins, feedback and attachments as the real SDK sends them, read back through the API.
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

// Runs an application with the SDK; the last line ends it when everything is sent.
function run(lines, options = "") {
  const folder = tempFolder();
  const script = join(folder, "app.mjs");
  writeFileSync(script, `
    import * as Sentry from ${JSON.stringify(join(root, "tests/e2e/node_modules/@sentry/node/build/esm/index.js"))};
    Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, release: "shop@2.0.0", environment: "staging"${options} });
    ${lines}
    await Sentry.flush(5000);
  `);
  const ran = spawnSync(process.execPath, [script], { encoding: "utf8", timeout: 30_000 });
  rmSync(folder, { recursive: true });
  return ran;
}

const organization = (path) => picket.api(`organizations/${picket.organization}/${path}`).then((answer) => answer.body);
const project = (path) => picket.api(`projects/${picket.organization}/${picket.project}/${path}`).then((answer) => answer.body);

test("@sentry/node: a healthy and an errored session", async () => {
  for (const trouble of ["", `Sentry.captureException(new Error("till drawer stuck")); await Sentry.flush(5000);`]) {
    const ran = run(`Sentry.startSession(); ${trouble} Sentry.endSession();`);
    assert.equal(ran.status, 0, ran.stderr);
  }
  const counts = await until(async () => {
    const answer = await organization("sessions/?field=sum(session)&groupBy=session.status&groupBy=release&groupBy=environment&statsPeriod=1d");
    const of = {};
    for (const group of answer.groups) {
      if (group.by.release === "shop@2.0.0" && group.by.environment === "staging") of[group.by["session.status"]] = group.totals["sum(session)"];
    }
    return of.errored === 1 && of;
  }, { what: "the sessions" });
  assert.ok(counts.healthy >= 1, JSON.stringify(counts));
  assert.equal(counts.crashed, 0);
  const release = await organization("releases/shop@2.0.0/?health=1");
  assert.equal(release.projects[0].hasHealthData, true);
  assert.equal(release.projects[0].healthData.crashFreeSessions, 100);
});

test("@sentry/node: a check-in that ends, one that fails, and its monitor", async () => {
  const ran = run(`
    const config = { schedule: { type: "crontab", value: "*/5 * * * *" }, checkinMargin: 2, maxRuntime: 10, timezone: "Europe/Vienna" };
    const id = Sentry.captureCheckIn({ monitorSlug: "Stock Take", status: "in_progress" }, config);
    Sentry.captureCheckIn({ checkInId: id, monitorSlug: "Stock Take", status: "ok", duration: 1.25 }, config);  // the two race
    const hourly = { schedule: { type: "interval", value: 1, unit: "hour" } };
    Sentry.captureCheckIn({ monitorSlug: "stock-order", status: "ok" }, hourly);
    await Sentry.flush(60000);  // the end of the next one brings no monitor, and must find it
    try { Sentry.withMonitor("stock-order", () => { throw new Error("supplier away"); }, hourly); } catch {}
  `);
  assert.equal(ran.status, 0, ran.stderr);
  const taken = await until(async () => {
    const list = await organization("monitors/stock-take/checkins/");
    return Array.isArray(list) && list[0]?.status === "ok" && list;
  }, { what: "the check-in" });
  assert.equal(taken.length, 1);
  assert.equal(taken[0].duration, 1250);
  assert.equal(taken[0].environment, "staging");
  const monitor = await organization("monitors/stock-take/");
  assert.equal(monitor.config.schedule, "*/5 * * * *");
  assert.equal(monitor.config.timezone, "Europe/Vienna");
  assert.equal(monitor.environments[0].status, "ok");
  const issue = await until(async () => (await organization("issues/?query=issue.category:cron"))[0], { what: "the cron issue" });
  assert.match(issue.title, /stock-order/);
  const failed = await organization("monitors/stock-order/checkins/");
  assert.equal(failed[0].status, "error");
  assert.deepEqual(failed[0].groups, [issue.id]);
});

test("@sentry/node: feedback about an event", async () => {
  const ran = run(`
    const id = Sentry.captureMessage("checkout was odd");
    Sentry.captureFeedback({ message: "the button is hidden", name: "Ada", email: "ada@example.com", associatedEventId: id });
  `);
  assert.equal(ran.status, 0, ran.stderr);
  const issue = await until(async () => (await organization("issues/?query=issue.category:feedback"))[0], { what: "the feedback" });
  assert.equal(issue.metadata.message, "the button is hidden");
  assert.equal(issue.metadata.contact_email, "ada@example.com");
  assert.equal(issue.issueCategory, "feedback");
});

test("@sentry/node: an attachment comes back byte for byte", async () => {
  const ran = run(`
    Sentry.withScope((scope) => {
      scope.addAttachment({ filename: "till.bin", data: new Uint8Array([0, 255, 10, 13, 0, 7]), contentType: "application/x-till" });
      Sentry.captureMessage("with a file");
    });
  `);
  assert.equal(ran.status, 0, ran.stderr);
  const [event] = await until(async () => {
    const [issue] = await picket.issues("message:\"with a file\"");
    return issue && organization(`issues/${issue.id}/events/`);
  }, { what: "the event" });
  const [attachment] = await project(`events/${event.eventID}/attachments/`);
  assert.equal(attachment.name, "till.bin");
  assert.equal(attachment.size, 6);
  const answer = await fetch(`${picket.url}/api/0/projects/${picket.organization}/${picket.project}/events/${event.eventID}/attachments/${attachment.id}/?download=1`,
    { headers: { Authorization: `Bearer ${picket.token}` } });
  assert.equal(answer.headers.get("content-type"), "application/x-till");
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.deepEqual([...new Uint8Array(await answer.arrayBuffer())], [0, 255, 10, 13, 0, 7]);
});

// What @sentry/browser records of a page in headless Chromium: it arrives deflated, in segments, is scrubbed
// before it is stored, is read back segment by segment, and is the same at a second Picket.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as esbuild from "esbuild";
import { inBrowser } from "./browser.mjs";
import { join } from "node:path";
import { Picket, assertConserved, root, until } from "./lib.mjs";

const card = "4917-4845-8989-7107";
const token = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl";

let hub;
let picket;
before(async () => {
  hub = await new Picket().start();
  picket = await new Picket({ env: { PICKET_UPSTREAM_0_DSN: hub.liveDsn } }).start();
});
after(async () => {
  for (const side of [picket, hub]) {
    await until(() => side.status().digest.waiting === 0, { what: "the digest" });
    await assertConserved(assert, side);
    await side.end();
  }
});

// Three segments, each with something that nobody may keep and something that must stay. Nothing is masked in
// the browser: that is what a server's scrubbing is for.
const application = (dsn) => `
  import * as Sentry from "@sentry/browser";
  Sentry.init({
    dsn: ${JSON.stringify(dsn)}, release: "web@9", environment: "quay", replaysSessionSampleRate: 1,
    integrations: [
      Sentry.browserTracingIntegration({ instrumentPageLoad: false, instrumentNavigation: false }),
      Sentry.replayIntegration({ useCompression: true, maskAllText: false, maskAllInputs: false, minReplayDuration: 0, flushMinDelay: 60_000, flushMaxDelay: 60_000,
        networkDetailAllowUrls: [location.origin], networkRequestHeaders: ["Authorization", "X-Colour"] }),
    ],
  });
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const flush = async () => { await pause(200); await Sentry.getReplay().flush(); await pause(200); };
  const show = (text) => document.body.append(Object.assign(document.createElement("p"), { textContent: text }));
  (async () => {
    await pause(300);
    await flush();

    const field = document.querySelector("input");
    field.value = "${card}";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    show("declined: ${card}");
    show("two teas");
    Sentry.captureException(new RangeError("drawer is stuck"));
    await flush();

    await fetch("/paid?colour=green", { headers: { Authorization: "Bearer ${token}", "X-Colour": "green" } });
    document.querySelector("button").click();
    show("three teas");
    await flush();
    await Sentry.flush(10_000);
    await fetch("/all-sent");
  })();
`;
const html = `<!doctype html><title>shop</title><h1>Till 3</h1><p>last card ${card}</p><input><button id=pay>pay</button><script src=/app.js></script>`;

const replays = async (side) => (await side.api(`organizations/${side.organization}/replays/`)).body.data;
const segmentsOf = (side, id, rest = "") => side.api(`projects/${side.organization}/${side.project}/replays/${id}/recording-segments/${rest}`);

async function complete(side, page) {
  const replay = await until(async () => {
    const found = await replays(side);
    return found.length === 1 && found[0].count_segments >= 3 && found[0].count_errors === 1 && found[0];
  }, { within: 60_000, every: 100, what: "a replay of three segments with its error" });
  assert.equal(replay.replay_type, "session");
  assert.equal(replay.environment, "quay");
  assert.deepEqual(replay.releases, ["web@9"]);
  assert.equal(replay.urls[0], page);
  assert.match(replay.browser.name, /Chrom/);
  return replay;
}

test("a replay of three segments arrives, is scrubbed, and is read back one by one", async () => {
  const built = await esbuild.build({
    stdin: { contents: application(picket.liveDsn), resolveDir: join(root, "tests/e2e") }, bundle: true, write: false, format: "iife",
  });
  const page = await inBrowser({ html, script: built.outputFiles[0].contents }, async ({ url, asked }) => {
    await asked("/all-sent");
    return url;
  });
  const replay = await complete(picket, page);

  const list = await segmentsOf(picket, replay.id, "?download=true");
  assert.equal(list.status, 200, JSON.stringify(list.body));
  assert.equal(list.body.length, replay.count_segments);
  for (let number = 0; number < replay.count_segments; ++number) {
    const one = await segmentsOf(picket, replay.id, `${number}/?download`);
    assert.equal(one.status, 200);
    assert.deepEqual(one.body, list.body[number], `segment ${number}`);
    const about = await segmentsOf(picket, replay.id, `${number}/`);
    assert.equal(about.body.data.segmentId, number);
    assert.equal(about.body.data.replayId, replay.id);
  }
  assert.equal((await segmentsOf(picket, replay.id, `${replay.count_segments}/`)).status, 404);

  const [first, second, third] = list.body.map((events) => JSON.stringify(events));
  assert.ok(list.body[0].some((event) => event.type === 2), "a full snapshot of the page");
  assert.ok(list.body[0].some((event) => event.type === 4 && event.data.href === page), "where it was");
  assert.ok(first.includes("Till 3"), first);
  assert.ok(first.includes("last card [Filtered]") || first.includes("[Filtered]"), first);
  assert.ok(second.includes("two teas") && second.includes("[Filtered]"), second);
  assert.ok(third.includes("three teas") && third.includes("green"), third);
  const input = list.body[1].find((event) => event.type === 3 && event.data.source === 5);
  assert.equal(input?.data.text, "[Filtered]", "what was typed");
  const all = first + second + third;
  for (const secret of [card, card.replaceAll("-", ""), token]) assert.ok(!all.includes(secret), `${secret} was kept`);

  const clicks = (await picket.api(`projects/${picket.organization}/${picket.project}/replays/${replay.id}/clicks/`)).body;
  assert.equal(clicks.data.length, 1, JSON.stringify(clicks));

  // The error knows its replay, and the replay its error.
  const [issue] = await until(async () => { const found = await picket.issues("drawer"); return found.length === 1 && found; }, { what: "the error's issue" });
  const event = (await picket.api(`organizations/${picket.organization}/issues/${issue.id}/events/latest/`)).body;
  assert.deepEqual(replay.error_ids, [event.eventID]);
  assert.equal(event.tags.find((tag) => tag.key === "replayId")?.value, replay.id);

  const there = await complete(hub, page);
  assert.equal(there.id, replay.id);
  assert.deepEqual((await segmentsOf(hub, there.id, "?download=true")).body, list.body, "the same at the second Picket");
});

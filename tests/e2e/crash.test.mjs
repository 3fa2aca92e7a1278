// The promise that matters: what was acknowledged survives SIGKILL at any moment, once, whole, and
// reaches the upstream.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Picket, ScriptedUpstream, assertConserved, envelope, errorEvent, eventId, randomNumbers, sleep, until } from "./lib.mjs";

const rounds = Number(process.env.PICKET_CRASH_ROUNDS ?? 200);
const seed = Number(process.env.PICKET_SEED ?? Math.floor(Math.random() * 2 ** 31));

let upstream;
let picket;
before(async () => {
  // Now and then the upstream errs too.
  upstream = await new ScriptedUpstream("every 50: 503").start();
  picket = new Picket({ env: {
    PICKET_UPSTREAM_0_URL: upstream.url,
    PICKET_UPSTREAM_0_RETRY_MIN: "20ms",
    PICKET_UPSTREAM_0_RETRY_MAX: "200ms",
    PICKET_STORAGE_SEGMENT_BYTES: "4MiB", // so that rotation happens under fire
  } });
  await picket.start();
});
after(async () => {
  await picket.end();
  await upstream.end();
});

// Sends events of round `round` until told to stop; collects what was sent and what was acknowledged.
function load(round, random) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const sent = new Set();
  const acknowledged = new Set();
  let stopped = false;
  const one = () => new Promise((done) => {
    const id = eventId();
    sent.add(id);
    const filler = "x".repeat(Math.floor(random() * random() * 60_000));
    const event = errorEvent(id, { fingerprint: [`round-${round}`], extra: { filler }, tags: { round: String(round) } });
    const post = request({ agent, port: picket.port, host: "127.0.0.1", method: "POST", path: `/api/${picket.project_id}/envelope/`,
      headers: { "X-Sentry-Auth": `Sentry sentry_key=${picket.public_key}, sentry_version=7`, "Content-Encoding": "gzip" } }, (answer) => {
      let text = "";
      answer.on("data", (bytes) => (text += bytes));
      answer.on("end", () => {
        if (answer.statusCode === 200 && JSON.parse(text).id === id) acknowledged.add(id);
        done();
      });
      answer.on("error", done);
    });
    post.on("error", done);
    post.end(gzipSync(envelope(id, [[{ type: "event" }, event]])));
  });
  const worker = async () => { while (!stopped) await one(); };
  const workers = Promise.all(Array.from({ length: 16 }, worker));
  return { sent, acknowledged, stop: async () => { stopped = true; agent.destroy(); await workers; } };
}

async function listedEvents(issue) {
  const ids = [];
  let cursor = "";
  for (;;) {
    const page = await picket.api(`organizations/${picket.organization}/issues/${issue.id}/events/?per_page=100&cursor=${cursor}`);
    assert.equal(page.status, 200);
    ids.push(...page.body.map((event) => event.eventID));
    const next = page.headers.get("link").match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
    if (next[1] !== "true") return ids;
    cursor = next[2];
  }
}

test(`killed ${rounds} times under load, nothing acknowledged is lost and nothing is there twice (PICKET_SEED=${seed})`,
  { timeout: 30 * 60_000 }, async () => {
    const random = randomNumbers(seed);
    const everStored = new Set();
    let acknowledgedInAll = 0;
    const settled = []; // how many the upstream had when the tables said that nothing waits
    const mirrorCaughtUp = () => until(() => picket.status().destinations[0].waiting === 0, { within: 60_000, what: "the mirror to catch up" });
    for (let round = 0; round < rounds; ++round) {
      const running = load(round, random);
      await sleep(10 + random() * (round % 10 === 0 ? 600 : 120));
      await picket.kill();
      await running.stop();
      await picket.start();
      acknowledgedInAll += running.acknowledged.size;
      if (running.acknowledged.size === 0) continue;
      const ids = await until(async () => {
        const issue = (await picket.issues(`round:${round}`))[0];
        if (!issue) return false;
        const listed = await listedEvents(issue);
        // The digest may still be at it: wait until every acknowledged id is there.
        if (![...running.acknowledged].every((id) => listed.includes(id))) return false;
        if (Number(issue.count) !== listed.length) return false;
        return listed;
      }, { what: `the ${running.acknowledged.size} acknowledged events of round ${round}` });
      assert.equal(new Set(ids).size, ids.length, "an event is listed twice");
      for (const id of ids) {
        assert.ok(running.sent.has(id), "an event that nobody sent");
        everStored.add(id);
      }
      const any = ids[Math.floor(random() * ids.length)];
      const whole = await picket.api(`projects/${picket.organization}/${picket.project}/events/${any}/`);
      assert.equal(whole.status, 200);
      assert.equal(typeof whole.body.context.filler, "string", "the payload is whole");
      if (round % 5 === 4) {
        await mirrorCaughtUp();
        settled.push(upstream.ids().length);
      }
    }
    assert.ok(acknowledgedInAll > rounds, `too little was acknowledged to prove anything: ${acknowledgedInAll}`);
    await mirrorCaughtUp();
    const accepted = upstream.ids();
    const mirrored = new Set(accepted);
    const missing = [...everStored].filter((id) => !mirrored.has(id));
    assert.deepEqual(missing, [], "stored here but not upstream");
    // A kill may send again what it cut off from its answer: 64 requests at most. Never what the tables had as delivered.
    const twice = accepted.length - mirrored.size;
    assert.ok(twice <= rounds * 64, `${twice} times more than once`);
    const lastPlace = new Map(accepted.map((id, place) => [id, place]));
    for (const end of settled) {
      const again = accepted.slice(0, end).filter((id) => lastPlace.get(id) >= end);
      assert.deepEqual(again, [], "sent again though its delivery was on disk");
    }
    await assertConserved(assert, picket);
    console.log(`acknowledged ${acknowledgedInAll}, stored ${everStored.size}, at the upstream ${mirrored.size}, ${twice} times more than once; slowest start ${picket.slowestStart} ms`);
  });

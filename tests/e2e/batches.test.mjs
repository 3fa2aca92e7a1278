// Many envelopes in one request from Picket to Picket: a chain of three of which each is killed again and
// again, and a hub that learns to take batches and forgets it.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { test } from "node:test";
import { Picket, assertConserved, envelope, errorEvent, eventId, post, randomNumbers, sleep, until } from "./lib.mjs";

const rounds = Number(process.env.PICKET_CHAIN_ROUNDS ?? 12);
const seed = Number(process.env.PICKET_SEED ?? Math.floor(Math.random() * 2 ** 31));

const destination = (dsn) => ({ PICKET_UPSTREAM_0_DSN: dsn, PICKET_UPSTREAM_0_NAME: "next", PICKET_UPSTREAM_0_RETRY_MIN: "20ms",
  PICKET_UPSTREAM_0_RETRY_MAX: "200ms" });
const waiting = (target) => target.status().destinations[0].waiting;

async function answers(target, endpoint, status) {
  const text = await (await fetch(`${target.url}/metrics`)).text();
  const line = text.match(new RegExp(`picket_requests_total\\{endpoint="${endpoint}",status="${status}"\\} (\\d+)`));
  return line ? Number(line[1]) : 0;
}

const perRound = 150;

// Posts from eight sides, so many each round, until it is told to stop; failures are part of the weather.
function load(target, round, acknowledged, sent) {
  let stopped = false;
  const worker = async () => {
    while (!stopped) {
      if (acknowledged.size >= perRound * (round() + 1)) {
        await sleep(10);
        continue;
      }
      const id = eventId();
      sent.add(id);
      const event = errorEvent(id, { fingerprint: [`round-${round()}`], extra: { filler: "some words ".repeat(200) } });
      const answer = await post(target, envelope(id, [[{ type: "event" }, event]], { sent_at: new Date().toISOString() }), { gzip: true }).catch(() => null);
      if (answer?.status === 200) acknowledged.add(id);
      else await sleep(20);
      // Nothing in these says which they are: only the Pickets know when one comes once more.
      const added = { aggregates: [{ started: new Date().toISOString(), exited: 1 }], attrs: { release: "chain@1" } };
      await post(target, envelope(undefined, [[{ type: "sessions" }, added]]), { gzip: true }).catch(() => null);
    }
  };
  const workers = Promise.all(Array.from({ length: 8 }, worker));
  return async () => { stopped = true; await workers; };
}

async function eventsOf(target) {
  const ids = [];
  let issues = 0;
  let counted = 0;
  for (const issue of (await target.api(`projects/${target.organization}/${target.project}/issues/?query=&limit=100`)).body) {
    ++issues;
    counted += Number(issue.count);
    for (let cursor = "", more = true; more;) {
      const page = await target.api(`organizations/${target.organization}/issues/${issue.id}/events/?per_page=100&cursor=${cursor}`);
      assert.equal(page.status, 200);
      ids.push(...page.body.map((event) => event.eventID));
      const next = page.headers.get("link").match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
      more = next[1] === "true";
      cursor = next[2];
    }
  }
  return { ids, issues, counted };
}

async function sessionsOf(target) {
  const answer = await target.api(`organizations/${target.organization}/sessions/?field=sum(session)&statsPeriod=1d`);
  assert.equal(answer.status, 200);
  return answer.body.groups[0].totals["sum(session)"];
}

test(`a chain of three, of which one is killed ${rounds} times in turn, passes each event and session on exactly once (PICKET_SEED=${seed})`, { timeout: 20 * 60_000 }, async () => {
  const random = randomNumbers(seed);
  const hub = await new Picket().start();
  const middle = await new Picket({ env: destination(hub.liveDsn) }).start();
  const edge = await new Picket({ env: destination(middle.liveDsn) }).start();
  const acknowledged = new Set();
  const sent = new Set();
  let round = 0;
  let batches = 0;
  const stop = load(edge, () => round, acknowledged, sent);
  for (; round < rounds; ++round) {
    const enough = perRound * round + 20 + random() * 120;
    await until(() => acknowledged.size >= enough, { within: 120_000, what: "some more" });
    const victim = [edge, middle, hub][round % 3];
    batches += await answers(victim, "batch", 200);
    await victim.kill();
    await sleep(random() * 200);
    await victim.start();
  }
  await stop();
  assert.ok(acknowledged.size >= perRound * (rounds - 1));
  for (const side of [edge, middle]) await until(() => waiting(side) === 0, { within: 180_000, what: "nothing waiting" });
  for (const side of [edge, middle, hub]) await until(() => side.status().digest.waiting === 0, { within: 120_000, what: "the digest" });
  batches += (await answers(middle, "batch", 200)) + (await answers(hub, "batch", 200));
  assert.ok(batches > 0, "envelopes went in batches");

  const there = await eventsOf(hub);
  assert.equal(new Set(there.ids).size, there.ids.length, "nothing is there twice");
  assert.equal(there.counted, there.ids.length, "and nothing was counted twice");
  const arrived = new Set(there.ids);
  assert.deepEqual([...acknowledged].filter((id) => !arrived.has(id)), [], "all that was acknowledged is there");
  assert.deepEqual([...arrived].filter((id) => !sent.has(id)), [], "and nothing else");
  const sessions = await sessionsOf(edge);
  assert.ok(sessions >= acknowledged.size / 2, `${sessions} sessions at the edge`);
  for (const side of [middle, hub]) assert.equal(await sessionsOf(side), sessions, "sessions are there as often as at the edge");
  for (const side of [edge, middle, hub]) {
    await assertConserved(assert, side);
    await side.end();
  }
});

// Between edge and hub: as an older hub it knows no batches.
class Between {
  old = true;
  batches = 0;
  constructor(port) {
    this.server = createServer((incoming, outgoing) => {
      const batch = incoming.url.startsWith("/api/picket/");
      if (batch) ++this.batches;
      if (batch && this.old) {
        incoming.resume();
        return void incoming.on("end", () => outgoing.writeHead(404, { "Content-Type": "application/json" }).end('{"detail":"not found"}'));
      }
      const onward = request({ host: "127.0.0.1", port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
        const headers = { ...answer.headers };
        if (this.old) delete headers["x-picket-batch"];
        outgoing.writeHead(answer.statusCode, headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      incoming.pipe(onward);
    });
  }
  async start() {
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.server.unref();
    return this.server.address().port;
  }
}

test("a hub that is upgraded gets batches, and single envelopes again after a downgrade", async () => {
  const hub = await new Picket().start();
  const between = new Between(hub.port);
  const port = await between.start();
  const edge = await new Picket({ env: destination(hub.liveDsn.replace(`:${hub.port}/`, `:${port}/`)) }).start();
  const ids = [];
  const sendMany = async (count) => {
    await Promise.all(Array.from({ length: count }, async () => {
      const id = eventId();
      ids.push(id);
      assert.equal((await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)]]))).status, 200);
    }));
    await until(() => waiting(edge) === 0, { what: "nothing waiting" });
  };
  await sendMany(60);
  assert.equal(between.batches, 0, "an older hub is sent none");

  between.old = false;
  await sendMany(1);
  await sendMany(60);
  const taken = await answers(hub, "batch", 200);
  assert.ok(taken > 0, "the newer one is");
  assert.equal(between.batches, taken);

  between.old = true;
  await sendMany(60);
  assert.ok(between.batches > taken, "it was tried");
  const tried = between.batches;
  await sendMany(60);
  assert.equal(between.batches, tried, "and is left alone then");
  assert.match(edge.log, /batches are not taken/);

  await until(() => hub.status().digest.waiting === 0, { what: "the digest" });
  const there = await eventsOf(hub);
  assert.deepEqual(there.ids.sort(), ids.sort());
  assert.equal(there.counted, ids.length);
  for (const side of [edge, hub]) {
    await assertConserved(assert, side);
    await side.end();
  }
  between.server.close();
  between.server.closeAllConnections?.();
});

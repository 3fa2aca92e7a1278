// Two hosts and a link between them that is cut in every way that can be staged without special hardware: network namespaces and a
// pair of virtual interfaces. Needs root and iproute2; says so when they are not there.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Picket, assertConserved, envelope, errorEvent, eventId, post, sleep, tempFolder, until } from "./lib.mjs";

const number = process.pid % 64_000;
const there = `picket${number}`;
const [near, far] = [`pn${number}`, `pf${number}`];
const network = `10.${214 + (number >> 14)}.${(number >> 6) & 255}`;
const base = (number & 63) * 4;
const [nearAddress, farAddress] = [`${network}.${base + 1}`, `${network}.${base + 2}`];

function ip(...words) {
  const ran = spawnSync("ip", words, { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`ip ${words.join(" ")}: ${ran.error ?? ran.stderr}`);
  return ran.stdout;
}

let skip = false;
try {
  ip("netns", "add", there);
  ip("link", "add", near, "type", "veth", "peer", "name", far);
  ip("link", "set", far, "netns", there);
  ip("addr", "add", `${nearAddress}/30`, "dev", near);
  ip("-n", there, "addr", "add", `${farAddress}/30`, "dev", far);
  ip("link", "set", near, "up");
  ip("-n", there, "link", "set", far, "up");
} catch (failure) {
  skip = `no network namespaces here: ${failure.message.trim()}`;
  console.log(skip);
}
after(() => {
  spawnSync("ip", ["link", "del", near]);
  spawnSync("ip", ["netns", "del", there]);
});

// What is done to the link, and undone.
const cuts = {
  "no carrier": [() => ip("link", "set", near, "down"), () => ip("link", "set", near, "up")],
  "everything is swallowed": [
    () => ip("neigh", "replace", farAddress, "lladdr", "02:00:00:00:00:01", "dev", near, "nud", "permanent"),
    () => ip("neigh", "del", farAddress, "dev", near)],
  "answers are swallowed": [
    () => ip("-n", there, "route", "add", "blackhole", `${nearAddress}/32`),
    () => ip("-n", there, "route", "del", "blackhole", `${nearAddress}/32`)],
};

class FarUpstream {
  constructor() {
    this.folder = tempFolder();
    this.file = join(this.folder, "arrived");
  }
  async start() {
    const said = join(this.folder, "said");
    const output = openSync(said, "w");
    const script = join(import.meta.dirname, "far_upstream.mjs");
    this.process = spawn("ip", ["netns", "exec", there, process.execPath, script, farAddress, this.file], { stdio: ["ignore", output, "inherit"] });
    closeSync(output);
    const port = (await until(() => readFileSync(said, "utf8").match(/listening on (\d+)\n/), { what: "the far upstream" }))[1];
    this.dsn = `http://${"ab".repeat(16)}@${farAddress}:${port}/7`;
    return this;
  }
  arrived() {
    return existsSync(this.file) ? readFileSync(this.file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
  }
  async end() {
    const gone = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGTERM");
    await gone;
  }
}

async function hosts(lines = "") {
  const upstream = await new FarUpstream().start();
  const config = join(tempFolder(), "picket.toml");
  writeFileSync(config, `[[upstream]]\nname = "far"\ndsn = "${upstream.dsn}"\ncompression = "gzip"\n${lines}\n`);
  const edge = await new Picket({ config }).start();
  const sent = new Map();
  const send = async (count) => {
    for (let i = 0; i < count; ++i) {
      const id = eventId();
      const timestamp = Date.now() / 1_000;
      sent.set(id, timestamp);
      assert.equal((await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id, { timestamp })]], { sent_at: new Date().toISOString() }))).status, 200);
    }
  };
  return { upstream, edge, sent, send };
}

// Everything is there, at its own time, whatever it waited for.
function assertArrived({ upstream, sent }, { ambiguous }) {
  const lines = upstream.arrived();
  const times = new Map();
  for (const { id } of lines) times.set(id, (times.get(id) ?? 0) + 1);
  assert.deepEqual([...times.keys()].sort(), [...sent.keys()].sort(), "each is there");
  if (!ambiguous) assert.deepEqual([...times.values()].filter((count) => count > 1), [], "and once");
  for (const { id, timestamp, sent_at, at } of lines) {
    assert.equal(timestamp, sent.get(id));
    // What an upstream takes for the clock's error: none, or it would shift the timestamps.
    assert.ok(Math.abs(Date.parse(sent_at) - at) < 60_000, `sent_at ${sent_at}, arrived ${new Date(at).toISOString()}`);
  }
  return [...times.values()].filter((count) => count > 1).length;
}

const waiting = (edge) => edge.status().destinations[0].waiting;

for (const [name, [cut, mend]] of Object.entries(cuts)) {
  // The pauses of the back-off are longer than what this test is ready to wait for, TCP's own are 6 s by then.
  test(`after a link was cut, what waits goes at once: ${name}`, { skip, timeout: 300_000 }, async () => {
    const staged = await hosts('retry_min = "1m"\nretry_max = "10m"');
    const { edge, upstream, send } = staged;
    const outage = async (meanwhile) => {
      await send(20);
      await until(() => waiting(edge) === 0, { what: "what comes before" });
      cut();
      await send(20);
      await meanwhile();
      await sleep(8_000);
      const seen = upstream.arrived().length;
      const mended = Date.now();
      mend();
      await until(() => upstream.arrived().length > seen || waiting(edge) === 0, { within: 60_000, every: 20, what: "the first" });
      const first = (upstream.arrived()[seen]?.at ?? Date.now()) - mended;
      await until(() => waiting(edge) === 0, { within: 60_000, what: "what waits" });
      return first;
    };
    const first = await outage(async () => {});
    const anew = await outage(async () => { await edge.stop(); await edge.start(); });
    const twice = assertArrived(staged, { ambiguous: true });
    console.log(`${name}: the first after ${first} ms, and ${anew} ms after a restart within the outage; ${twice} of ${staged.sent.size} sent twice`);
    assert.ok(first <= 4_000, `${first} ms`);
    assert.ok(anew <= 4_000, `${anew} ms after a restart`);
    await until(() => edge.status().digest.waiting === 0);
    await assertConserved(assert, edge);
    await edge.end();
    await upstream.end();
  });
}

test("a link that flaps every few seconds carries everything", { skip, timeout: 300_000 }, async () => {
  const staged = await hosts();
  const { edge, upstream, send } = staged;
  const [cut, mend] = cuts["no carrier"];
  let going = true;
  const flapping = (async () => {
    while (going) {
      await sleep(1_500);
      cut();
      await sleep(2_500);
      mend();
    }
  })();
  for (let i = 0; i < 120; ++i) {
    await send(5);
    await sleep(150);
  }
  going = false;
  await flapping;
  await until(() => waiting(edge) === 0, { within: 60_000, what: "what waits" });
  const twice = assertArrived(staged, { ambiguous: true });
  console.log(`flapping: ${twice} of ${staged.sent.size} sent twice`);
  assert.ok(twice <= 60, `${twice} sent twice`);
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.end();
});

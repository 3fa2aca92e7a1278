// What a destination may put on the wire, when, and what goes first; counted by an upstream that counts bytes.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Picket, assertConserved, envelope, errorEvent, eventId, picket, post, sleep, tempFolder, until } from "./lib.mjs";

// Takes everything (or nothing while `down`), counts what its sockets carried both ways.
class CountingUpstream {
  constructor() {
    this.down = false;
    this.ids = [];
    this.sockets = new Set();
    this.closed = { in: 0, out: 0 };
  }
  async start() {
    this.server = createServer((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        if (this.down) return response.writeHead(503).end("{}");
        const id = this.decode ? JSON.parse(this.decode(Buffer.concat(parts)).toString("latin1").split("\n", 1)[0]).event_id : "";
        this.ids.push(id);
        response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
      });
      request.on("error", () => {});
    });
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.sockets.delete(socket);
        this.closed.in += socket.bytesRead;
        this.closed.out += socket.bytesWritten;
      });
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.dsn = `http://${"ab".repeat(16)}@127.0.0.1:${this.server.address().port}/7`;
    return this;
  }
  get received() {
    return [...this.sockets].reduce((sum, socket) => sum + socket.bytesRead, this.closed.in);
  }
  get sent() {
    return [...this.sockets].reduce((sum, socket) => sum + socket.bytesWritten, this.closed.out);
  }
  async end() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

function config(upstream, lines) {
  const file = join(tempFolder(), "picket.toml");
  writeFileSync(file, `[[upstream]]\nname = "hub"\ndsn = "${upstream.dsn}"\nretry_min = "20ms"\nretry_max = "200ms"\n${lines}\n`);
  return file;
}

// An event that no compression makes much smaller.
const bulky = (id, bytes) => envelope(id, [[{ type: "event" }, errorEvent(id, { extra: { noise: randomBytes(bytes * 3 / 4).toString("base64") } })]]);

async function sendBulky(edge, count, bytes) {
  for (let i = 0; i < count; ++i) assert.equal((await post(edge, bulky(eventId(), bytes), { gzip: true })).status, 200);
}
const destination = (edge) => edge.status().destinations[0];

test("bytes a second stay within 3 % over any ten seconds, inside large bodies too", async () => {
  const cap = 100_000;
  const upstream = await new CountingUpstream().start();
  const edge = await new Picket({ config: config(upstream, `max_bytes_per_second = ${cap}`) }).start();
  await sendBulky(edge, 60, 3_000);
  await sendBulky(edge, 1, 600_000);
  await sendBulky(edge, 900, 3_000);
  await until(() => upstream.received > 10_000, { what: "the first bytes" });
  const samples = [];
  const begun = performance.now();
  while (performance.now() - begun < 20_000) {
    samples.push([performance.now(), upstream.received]);
    await sleep(20);
  }
  let most = 0;
  let least = Infinity;
  let from = 0;
  for (const [at, bytes] of samples) {
    if (at - samples[0][0] < 10_000) continue;
    while (samples[from + 1][0] <= at - 10_000) ++from;
    const rate = (bytes - samples[from][1]) / ((at - samples[from][0]) / 1_000);
    most = Math.max(most, rate / cap);
    least = Math.min(least, rate / cap);
  }
  console.log(`of the cap, over any ten seconds: ${least.toFixed(4)} to ${most.toFixed(4)}`);
  assert.ok(most <= 1.03, `${most} of the cap`);
  assert.ok(least >= 0.97, `${least} of the cap`);
  await edge.end();
  await upstream.end();
});

test("a day's bytes hold over kill -9, and what was waiting goes the next day or when the cap is raised", async () => {
  const cap = 300_000;
  const upstream = await new CountingUpstream().start();
  const file = config(upstream, `max_bytes_per_day = ${cap}`);
  const edge = await new Picket({ config: file }).start();
  for (let life = 0; life < 8; ++life) {
    await sendBulky(edge, 15, 4_000);
    await sleep(150 + life * 40);
    await edge.kill();
    await edge.start();
  }
  await until(() => destination(edge).link.waits !== null || upstream.ids.length === 120, { what: "the end of the day's bytes" });
  await sleep(500);
  const carried = upstream.received + upstream.sent;
  console.log(`${carried} bytes of ${cap} carried in eight lives, ${upstream.ids.length} envelopes`);
  assert.ok(carried <= cap, `${carried} bytes were carried`);
  assert.ok(carried >= cap * 0.5, `${carried} bytes were carried`);
  const said = destination(edge);
  assert.equal(said.state, "closed");
  assert.equal(said.link.waits, "the day's bytes are used up");
  assert.equal(said.link.day_cap, cap);
  assert.ok(said.link.day_bytes <= cap + 16_384);
  assert.match(picket(["status", "--storage", edge.storage], { env: edge.env }).out, /today .* of .* on the wire/);

  writeFileSync(file, `[[upstream]]\nname = "hub"\ndsn = "${upstream.dsn}"\n`);
  edge.process.kill("SIGHUP");
  await until(() => destination(edge).waiting === 0, { what: "everything, without a cap" });
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.end();
});

test("a metered link, by file and by signal, carries only its classes", async () => {
  const upstream = await new CountingUpstream().start();
  const metered = join(tempFolder(), "metered");
  const edge = await new Picket({ config: config(upstream, `metered_file = "${metered}"\nmetered_signal = true`) }).start();
  const transaction = (id) => envelope(id, [[{ type: "transaction" }, { event_id: id, type: "transaction", transaction: "/", timestamp: 2, start_timestamp: 1, contexts: { trace: { trace_id: id, span_id: id.slice(16) } } }]]);
  const both = async () => {
    const id = eventId();
    await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)]]));
    await post(edge, transaction(eventId()));
  };
  edge.process.kill("SIGUSR1");
  await until(() => destination(edge).link.waits === "metered", { what: "the signal" });
  await both();
  await until(() => upstream.ids.length === 1, { what: "the error" });
  writeFileSync(metered, "");
  edge.process.kill("SIGUSR2");
  await sleep(1_500);
  await both();
  await until(() => upstream.ids.length === 2, { what: "the second error" });
  await sleep(300);
  assert.equal(upstream.ids.length, 2);
  assert.equal(destination(edge).waiting, 2);
  await edge.stop();
  await edge.start();
  await sleep(500);
  assert.equal(upstream.ids.length, 2);
  rmSync(metered);
  await until(() => upstream.ids.length === 4, { what: "the transactions" });
  await until(() => destination(edge).waiting === 0);
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.end();
});

test("after an outage errors go first, the newest first where told to, and everything goes once", async () => {
  const upstream = await new CountingUpstream().start();
  upstream.decode = gunzipSync;
  upstream.down = true;
  const edge = await new Picket({ config: config(upstream, 'max_in_flight = 1\ncompression = "gzip"\nnewest_first = ["errors"]\n[upstream.time_to_live]\nlogs = "1ms"') }).start();
  const errors = [];
  const others = [];
  const one = async (i) => {
    const id = eventId();
    if (i % 10 === 0) {
      errors.push(id);
      await post(edge, envelope(id, [[{ type: "event" }, errorEvent(id)]]));
    } else {
      others.push(id);
      await post(edge, envelope(id, [[{ type: "attachment", filename: "a.txt" }, "text"]]));
    }
  };
  for (let i = 0; i < 5_000; ) {
    const turn = [];
    for (; turn.length < 20 && i < 5_000; ++i) if (i % 10 === 0) { await Promise.all(turn.splice(0)); await one(i); } else turn.push(one(i));
    await Promise.all(turn);
  }
  await edge.kill();
  await edge.start();
  await until(() => destination(edge).waiting === 5_000, { what: "the backlog" });
  upstream.down = false;
  await until(() => destination(edge).waiting === 0, { within: 60_000, what: "an empty backlog" });
  assert.deepEqual([...upstream.ids].sort(), [...errors, ...others].sort(), "everything exactly once");
  // What was tried while the upstream was down is tried first: one or two of any class.
  const first = upstream.ids.slice(0, errors.length + 2).filter((id) => errors.includes(id));
  assert.ok(first.length >= errors.length - 2, `${first.length} of ${errors.length} errors among the first`);
  const order = first.map((id) => errors.indexOf(id));
  const rising = order.slice(1).filter((at, i) => at > order[i]).length;
  assert.ok(rising <= 2, `${rising} errors came after an older one`);
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.end();
});

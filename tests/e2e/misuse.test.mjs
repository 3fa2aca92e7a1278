// Bad input and bad surroundings: each gets a clear error, and nothing acknowledged is lost.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Picket, assertConserved, binary, envelope, errorEvent, eventId, picket as verb, post, sleep, tempFolder, until } from "./lib.mjs";

const event = (id, extra) => envelope(id, [[{ type: "event" }, errorEvent(id, extra)]]);

test("what a sender gets wrong is said in Sentry's words", async () => {
  const picket = await new Picket().start();
  const expect = async (status, words, body, options = {}) => {
    const answer = await post(picket, body, options);
    assert.equal(answer.status, status, `${JSON.stringify(answer.body)} for ${words}`);
    assert.match(JSON.stringify(answer.body), words);
    assert.equal(typeof answer.body.detail, "string");
  };
  const id = eventId();
  await expect(400, /envelope/, "not an envelope");
  await expect(400, /envelope|eof|end/i, `{}\n{"type":"event","length":1000}\n{}`);
  await expect(400, /./, gzipSync(event(id)).subarray(0, 60), { headers: { "Content-Encoding": "gzip" } });
  await expect(413, /./, gzipSync(Buffer.alloc(300 << 20)), { headers: { "Content-Encoding": "gzip" } });
  await expect(413, /./, event(id, { extra: { big: "x".repeat(2 << 20) } }));
  await expect(415, /./, event(id), { headers: { "Content-Encoding": "lzma" } });
  await expect(400, /./, event(id), { headers: { "X-Sentry-Auth": "Sentry sentry_key=tooshort" } });
  await expect(403, /./, event(id), { headers: { "X-Sentry-Auth": `Sentry sentry_key=${"0".repeat(32)}` } });
  await expect(401, /./, event(id), { headers: { "X-Sentry-Auth": "" } });
  await expect(400, /./, event(id), { path: "/api/no-number/envelope/" });
  await expect(403, /./, event(id), { path: "/api/4711/envelope/" });
  await expect(400, /JSON|json/, "{ nonsense", { path: `/api/${picket.project_id}/store/` });

  // An event that is not JSON within a good envelope is kept, and counted as what it is.
  const kept = await post(picket, envelope(id, [[{ type: "event" }, "{ nonsense"]]));
  assert.equal(kept.status, 200);
  const good = eventId();
  assert.equal((await post(picket, event(good))).status, 200);
  await until(async () => (await picket.issues("")).length === 1);
  await until(async () => {
    const stats = (await picket.api(`organizations/${picket.organization}/stats_v2/?groupBy=outcome&groupBy=reason&field=sum(quantity)&statsPeriod=1d`)).body;
    return stats.groups.some((group) => group.by.reason === "invalid_json" && group.totals["sum(quantity)"] === 2);
  }, { what: "the two invalid_json outcomes: the refused one and the kept one" });
  await until(() => { const { ledger } = picket.status(); return ledger.dropped > 0 && ledger.received === ledger.stored + ledger.dropped; });
  await assertConserved(assert, picket);
  await picket.end();
});

test("a disabled project refuses", async () => {
  const picket = await new Picket().start();
  const keys = (await picket.api(`projects/${picket.organization}/${picket.project}/keys/`)).body;
  const off = await picket.api(`projects/${picket.organization}/${picket.project}/keys/${keys[0].id}/`, { method: "PUT", body: JSON.stringify({ isActive: false }) });
  assert.equal(off.status, 200);
  await until(async () => (await post(picket, event(eventId()))).status === 403, { what: "the refusal" });
  await picket.end();
});

test("a body that never ends, and connections that never speak, cost nothing but themselves", async () => {
  const picket = await new Picket({ env: { PICKET_SERVER_BODY_IDLE_TIMEOUT: "500ms", PICKET_SERVER_HEADER_TIMEOUT: "500ms" } }).start();
  const endless = connect(picket.port, "127.0.0.1");
  endless.write(`POST /api/${picket.project_id}/envelope/?sentry_key=${picket.public_key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\n{}\r\n`);
  let cut = false;
  endless.once("close", () => { cut = true; });
  endless.on("error", () => {});
  endless.resume();
  const idle = [];
  for (let i = 0; i < 2_000; ++i) {
    const socket = connect(picket.port, "127.0.0.1");
    socket.on("error", () => {});
    idle.push(socket);
    if (i % 200 === 0) await sleep(10);
  }
  await sleep(300);
  const id = eventId();
  assert.equal((await post(picket, event(id))).status, 200);
  await until(() => cut, { what: "the endless body's end" });
  for (const socket of idle) socket.destroy();
  await until(async () => (await picket.issues("")).length === 1);
  await picket.end();
});

test("a wrong configuration ends with 78 and says what to write instead", () => {
  const folder = tempFolder();
  const config = join(folder, "picket.toml");
  writeFileSync(config, "[server]\nlisten_on = \"x\"\n");
  for (const args of [["serve", "--config", config], ["config", "check", "--config", config]]) {
    const run = verb(args);
    assert.equal(run.code, 78, run.err);
    assert.match(run.err, /picket\.toml:2:1: unknown key "listen_on" in \[server\]; did you mean "listen"\?/);
  }
  writeFileSync(config, "[storage]\nwhen_full = \"panic\"\n");
  const full = verb(["config", "check", "--config", config]);
  assert.equal(full.code, 78);
  assert.match(full.err, /drop_oldest/);
  writeFileSync(config, "[[upstream]]\nname = \"x\"\n");
  const nowhere = verb(["config", "check", "--config", config]);
  assert.equal(nowhere.code, 78);
  assert.match(nowhere.err, /dsn/);
  assert.equal(verb(["serve", "--config", join(folder, "absent.toml")]).code, 78);
  rmSync(folder, { recursive: true });
});

test("a data folder that cannot be written ends with a clear error", () => {
  const folder = tempFolder();
  const file = join(folder, "file");
  writeFileSync(file, "");
  const run = verb(["serve", "--storage", join(file, "data")]);
  assert.ok([74, 78].includes(run.code), `${run.code} ${run.err}`);
  assert.match(run.err, /data/);
  rmSync(folder, { recursive: true });
});

test("an address that is taken ends with a clear error", async () => {
  const picket = await new Picket().start();
  const other = tempFolder();
  const run = verb(["serve", "--storage", other], { env: { PICKET_SERVER_LISTEN: `127.0.0.1:${picket.port}` } });
  assert.equal(run.code, 69, run.err);
  assert.match(run.err, /in use/i);
  rmSync(other, { recursive: true });
  await picket.end();
});

test("the same data folder is not served twice", async () => {
  const picket = await new Picket().start();
  const run = verb(["serve", "--storage", picket.storage], { env: { PICKET_SERVER_LISTEN: "127.0.0.1:0" }, timeout: 10_000 });
  assert.equal(run.code, 78, run.err);
  assert.match(run.err, /already/);
  await picket.end();
});

test("a full disk refuses and recovers, and loses nothing it acknowledged", async (context) => {
  const folder = tempFolder();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]);
  if (mounted.status !== 0) {
    rmSync(folder, { recursive: true });
    return context.diagnostic("skipped: no right to mount a small file system here");
  }
  let picket;
  try {
    // A destination that is away needs every record: nothing may be forgotten to make room.
    picket = new Picket({ storage: folder, env: { PICKET_UPSTREAM_0_URL: "http://127.0.0.1:9", PICKET_STORAGE_SEGMENT_BYTES: "4MiB", PICKET_STORAGE_DISK_RESERVE_BYTES: "2MiB" } });
    picket.expectErrors = true;
    await picket.start();
    const acknowledged = [];
    let refused = 0;
    for (let i = 0; i < 600 && refused < 5; ++i) {
      const id = eventId();
      const answer = await post(picket, event(id, { extra: { noise: Buffer.from(Array.from({ length: 50_000 }, () => Math.random() * 256)).toString("base64") } }));
      if (answer.status === 200) acknowledged.push(id);
      else {
        assert.ok([429, 503].includes(answer.status), JSON.stringify(answer));
        refused += 1;
      }
    }
    assert.ok(refused > 0, "the disk never filled");
    assert.ok(acknowledged.length > 10);
    await picket.kill();
    await picket.start();
    const found = async (id) => (await picket.api(`projects/${picket.organization}/${picket.project}/events/${id}/`)).status === 200;
    await until(async () => {
      for (const id of acknowledged) if (!(await found(id))) return false;
      return true;
    }, { within: 60_000, every: 200, what: "every acknowledged event after the restart" });
    await picket.stop();
  } finally {
    await picket?.kill();
    spawnSync("umount", [folder]);
    rmSync(folder, { recursive: true, force: true });
  }
});

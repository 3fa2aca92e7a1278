// A disk that fails, tears, delays, lies and loses power by a seeded schedule (tests/fault), under the real
// program: what was acknowledged is there once and whole after a restart, and upstream; nothing is there by halves,
// and when the faults end the same process goes on by itself.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { randomBytes } from "node:crypto";
import { Picket, ScriptedUpstream, binary, envelope, errorEvent, eventId, faultShim, picket, randomNumbers, sleep, tempFolder, underFaults, until, watched } from "./lib.mjs";

const seeds = Number(process.env.PICKET_FAULT_SEEDS ?? 200);
const first = Number(process.env.PICKET_FAULT_FIRST ?? 1);
const at_once = Number(process.env.PICKET_FAULT_PARALLEL ?? 4);

let made; // a fresh storage, copied for each seed
let folder;
let upstream; // of all of them
before(async () => {
  assert.ok(existsSync(faultShim), `${faultShim} is not built`);
  // How fast a disk syncs is not what is tested here.
  const memory = existsSync("/dev/shm") && statfsSync("/dev/shm");
  folder = memory && memory.bavail * memory.bsize > 2 ** 30 ? mkdtempSync("/dev/shm/picket-e2e-") : tempFolder();
  upstream = await new ScriptedUpstream().start();
  made = new Picket({ storage: join(folder, "made"), env: { PICKET_STORAGE_SEGMENT_BYTES: "1MiB" } });
  await made.start(); // so that all tables and the first segment are there
  await made.stop();
});
after(async () => {
  await upstream.end();
  rmSync(folder, { recursive: true, force: true });
});

class Run {
  constructor(seed) {
    this.seed = seed;
    this.random = randomNumbers(seed);
    this.character = seed % 8; // as tests/fault/schedule.cpp has it
    this.cuts = this.character >= 5;
    this.lies = this.character === 7;
    this.recompresses = Math.floor(seed / 8) % 2 === 0;
    this.folder = join(folder, `seed-${seed}`);
    this.storage = join(this.folder, "storage");
    this.armed = join(this.folder, "armed");
    this.logFile = join(this.folder, "log");
    this.faults = join(this.folder, "faults");
    this.sent = new Map(); // id → filler
    this.acknowledged = new Set();
    mkdirSync(this.folder);
    cpSync(made.storage, this.storage, { recursive: true });
  }

  async start(withFaults) {
    const from = existsSync(this.logFile) ? readFileSync(this.logFile).length : 0;
    const file = openSync(this.logFile, "a");
    const env = {
      ...process.env, ...made.env, PICKET_SERVER_LISTEN: "127.0.0.1:0", PICKET_STORAGE_PATH: this.storage,
      PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_STORAGE_JOURNAL_MAX_BYTES: "64MiB", PICKET_DIGEST_LINGER: "1ms",
      PICKET_SERVER_IO_THREADS: "2", PICKET_UPSTREAM_0_URL: upstream.url, PICKET_UPSTREAM_0_RETRY_MIN: "10ms",
      PICKET_UPSTREAM_0_RETRY_MAX: "100ms",
    };
    if (this.recompresses) {
      Object.assign(env, { PICKET_STORAGE_RECOMPRESS: "true", PICKET_STORAGE_RECOMPRESS_AFTER: "0s" });
    }
    if (withFaults) {
      Object.assign(env, underFaults({ PICKET_FAULT_FOLDER: this.storage, PICKET_FAULT_SEED: String(this.seed),
        PICKET_FAULT_ARMED: this.armed, PICKET_FAULT_LOG: this.faults }));
    }
    this.process = watched(spawn(binary, ["serve"], { env, stdio: ["ignore", "ignore", file] }));
    closeSync(file);
    this.gone = null;
    this.exited = new Promise((done) => this.process.once("exit", (code, signal) => done((this.gone = { code, signal }))));
    return until(() => {
      if (this.gone) return true;
      const line = readFileSync(this.logFile, "utf8").slice(from).match(/listening on http:\/\/127\.0\.0\.1:(\d+)\n/);
      if (line) this.port = Number(line[1]);
      return line;
    }, { within: 20_000, every: 4, what: "the listening line" }).then(() => !this.gone);
  }

  arm() { writeFileSync(this.armed, ""); }
  disarm() { rmSync(this.armed, { force: true }); }

  // The answer's status; 0 when the connection broke.
  post(id, agent) {
    const size = this.random() < 0.05 ? 300_000 : 2 * Math.floor(this.random() * 3_000);
    // Letters in which no scrubber finds a word or a number.
    const filler = randomBytes(size / 2).toString("hex").replaceAll(/[0-9]/g, (digit) => "ghijklmnop"[digit]);
    this.sent.set(id, filler);
    const body = envelope(id, [[{ type: "event" }, errorEvent(id, { fingerprint: ["one"], extra: { filler } })]]);
    return new Promise((done) => {
      const post = request({ agent, port: this.port, host: "127.0.0.1", method: "POST", path: `/api/${made.project_id}/envelope/`,
        headers: { "X-Sentry-Auth": `Sentry sentry_key=${made.public_key}, sentry_version=7`, "Content-Length": body.length } }, (answer) => {
        answer.resume();
        answer.on("end", () => {
          if (answer.statusCode === 200) this.acknowledged.add(id);
          done(answer.statusCode);
        });
        answer.on("error", () => done(0));
      });
      post.on("error", () => done(0));
      post.end(body);
    });
  }

  // So many, six at a time; fewer when the process ends.
  async load(count) {
    const agent = new Agent({ keepAlive: true, maxSockets: 6 });
    const worker = async () => {
      while (count-- > 0 && !this.gone) {
        const status = await this.post(eventId(), agent);
        if (status !== 200) await sleep(2);
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    agent.destroy();
  }

  async api(path) {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/0/${path}`, { headers: { Authorization: `Bearer ${made.token}` } });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  }

  // The faults are over: the same process takes, keeps and shows again.
  async goesOn() {
    const agent = new Agent({ keepAlive: true });
    let id;
    await until(async () => {
      id = eventId();
      return (await this.post(id, agent)) === 200;
    }, { within: 8_000, every: 20, what: "an event to be accepted after the faults" });
    agent.destroy();
    await until(async () => (await this.api(`projects/${made.organization}/${made.project}/events/${id}/`)).status === 200,
      { within: 25_000, every: 20, what: "an event to be digested after the faults" });
  }

  async listed() {
    const issue = (await this.api(`projects/${made.organization}/${made.project}/issues/?query=`)).body[0];
    if (!issue) return { count: 0, ids: [] };
    const ids = [];
    for (let cursor = ""; ;) {
      const page = await this.api(`organizations/${made.organization}/issues/${issue.id}/events/?per_page=100&cursor=${cursor}`);
      ids.push(...page.body.map((event) => event.eventID));
      const next = page.headers.get("link").match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
      if (next[1] !== "true") return { count: Number(issue.count), ids };
      cursor = next[2];
    }
  }

  async check() {
    const wanted = this.lies ? new Set() : this.acknowledged;
    const ids = await until(async () => {
      const now = await this.listed();
      const there = new Set(now.ids);
      const missing = [...wanted].filter((id) => !there.has(id));
      return missing.length === 0 && now.count === now.ids.length ? now.ids : Promise.reject(new Error(
        `${missing.length} acknowledged events of ${wanted.size} missing, ${now.ids.length} listed, ${now.count} counted`));
    }, { within: 15_000, every: 15, what: "the acknowledged events" });
    assert.equal(new Set(ids).size, ids.length, "an event is listed twice");
    for (const id of ids) assert.ok(this.sent.has(id), "an event that nobody sent");
    // Those nobody was told of are the likeliest to be there by halves.
    const doubtful = ids.filter((id) => !this.acknowledged.has(id));
    for (const id of [...doubtful.slice(0, 3), ...ids.slice(0, 2)]) {
      const whole = await this.api(`projects/${made.organization}/${made.project}/events/${id}/`);
      assert.equal(whole.status, 200);
      const filler = whole.body.context.filler;
      // The row is there, and the payload in the journal is what the disk lied about.
      if (filler === undefined && this.lies) continue;
      assert.equal(filler.slice(0, 100), this.sent.get(id).slice(0, 100), "another event's payload");
    }
    if (this.lies) return;
    await until(async () => {
      const here = new Set((await this.listed()).ids);
      const mirrored = new Set(upstream.ids().filter((id) => this.sent.has(id)));
      const missing = [...here].filter((id) => !mirrored.has(id)).length;
      const unknown = [...mirrored].filter((id) => !here.has(id)).length;
      return missing + unknown === 0 || Promise.reject(new Error(`${missing} of ${here.size} events are not upstream, ${unknown} are only there`));
    }, { within: 15_000, every: 20, what: "the events upstream" });
    await until(() => {
      const ledger = picket(["ledger", "--storage", this.storage, "--check"]);
      return ledger.code === 0 || Promise.reject(new Error(`the ledger does not balance: ${ledger.out}${ledger.err}`));
    }, { within: 10_000, every: 100, what: "the ledger" });
    const verified = picket(["journal", "verify", "--storage", this.storage]);
    assert.equal(verified.code, 0, `the journal is damaged: ${verified.out}${verified.err}`);
  }

  async end() {
    if (!this.gone) {
      this.process.kill("SIGKILL");
      this.process.ref();
      await this.exited;
    }
  }

  async whole() {
    try {
      const fromTheStart = this.random() < 0.2;
      if (fromTheStart) this.arm();
      let up = await this.start(true);
      if (!up && !fromTheStart) throw new Error(`ended at start: ${JSON.stringify(this.gone)}`);
      this.arm();
      if (up) await this.load(Math.floor(30 + this.random() * 120));
      this.disarm();
      if (up && !this.cuts) {
        assert.equal(this.gone, null, "ended by itself");
        if (this.random() < 0.5) await this.goesOn();
      }
      await this.end();
      up = await this.start(false);
      assert.ok(up, `ended at start without faults: ${JSON.stringify(this.gone)}`);
      await this.check();
      if (this.lies) await this.goesOn();
      await this.end();
      rmSync(this.folder, { recursive: true, force: true });
    } catch (error) {
      await this.end();
      const tail = (file) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(-40).join("\n") : "");
      throw new Error(`seed ${this.seed}: ${error.message}\n${tail(this.logFile)}\nlast faults:\n${tail(this.faults)}`, { cause: error });
    } finally {
      rmSync(`${this.storage}.kept`, { recursive: true, force: true });
    }
  }
}

// Seeds that once failed, by what was wrong.
const once_failed = [];

for (const [seed, what] of once_failed) {
  test(`seed ${seed}: ${what}`, { timeout: 120_000 }, () => new Run(seed).whole());
}

test(`${seeds} schedules of faults from seed ${first} on lose nothing acknowledged, keep nothing by halves, wedge nothing`,
  { timeout: 24 * 3600_000 }, async () => {
    let next = first;
    let acknowledged = 0;
    let stored = 0;
    const failures = [];
    const worker = async () => {
      while (next < first + seeds && failures.length < 10) {
        const run = new Run(next++);
        await run.whole().catch((error) => failures.push(error.message));
        acknowledged += run.acknowledged.size;
        stored += run.sent.size;
      }
    };
    await Promise.all(Array.from({ length: at_once }, worker));
    assert.deepEqual(failures, []);
    assert.ok(acknowledged > seeds, `too little was acknowledged to prove anything: ${acknowledged}`);
    console.log(`acknowledged ${acknowledged} of ${stored} sent under ${seeds} schedules of faults`);
  });

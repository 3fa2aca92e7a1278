// What every end-to-end test needs: a Picket of its own on an ephemeral port with its own folder,
// stopped by its own process id, and ways to send, to ask and to wait.
import { execFile, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

// A test that fails leaves its processes behind: they must neither keep the file from ending nor
// outlive it.
const alive = new Set();
const folders = [];
process.on("exit", (code) => {
  for (const child of alive) child.kill("SIGKILL");
  // After a failure they are kept for a look.
  if (code === 0 && !process.exitCode) for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});
export function watched(child) {
  alive.add(child);
  child.once("exit", () => alive.delete(child));
  child.unref();
  return child;
}
// While somebody waits for a process to end, it counts again.
function awaited(child, exited) {
  child.ref();
  return exited;
}

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const binary = process.env.PICKET_BINARY ?? join(root, "build/release/picket");
export const scriptedUpstream =
  process.env.PICKET_SCRIPTED_UPSTREAM ?? join(dirname(binary), "picket_scripted_upstream");
export const sharedData = process.env.PICKET_SHARED_DATA ?? resolve(root, "../shared/data");

// The disk that fails on command: tests/fault/shim.cpp. `variables` are its own.
export const faultShim = process.env.PICKET_FAULT_SHIM ?? join(dirname(binary), "libpicket_fault.so");
export function underFaults(variables) {
  const asan = process.env.ASAN_OPTIONS ? `${process.env.ASAN_OPTIONS}:` : "";
  return { LD_PRELOAD: faultShim, ASAN_OPTIONS: `${asan}verify_asan_link_order=0`, ...variables };
}

// Milliseconds of the machine's own clock, the same in all its processes: waits and durations must
// not mind that the time of day is set, or leaps because the machine was suspended.
export const uptimeMs = () => Math.round(Number(process.hrtime.bigint()) / 1e6);

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Gone at the end of the test file.
export function tempFolder() {
  const folder = mkdtempSync(join(tmpdir(), "picket-e2e-"));
  folders.push(folder);
  return folder;
}

// Runs a verb to its end. Options: env, input, timeout.
export function picket(args, options = {}) {
  const run = spawnSync(binary, args, {
    encoding: "utf8",
    env: { ...process.env, ...options.env },
    input: options.input,
    timeout: options.timeout ?? 60_000,
    cwd: options.cwd,
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

// The same while the test goes on beside it.
export function picketBeside(args, options = {}) {
  return new Promise((done) => {
    execFile(binary, args, { encoding: "utf8", env: { ...process.env, ...options.env }, timeout: options.timeout ?? 60_000 },
      (error, out, err) => done({ code: error ? error.code : 0, out, err }));
  });
}

// Polls `probe` until it returns something truthy; throws with the last result when the time is over.
export async function until(probe, { within = 30_000, every = 25, what = "condition" } = {}) {
  const end = uptimeMs() + within;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (uptimeMs() > end) throw new Error(`waited ${within} ms for ${what}; last: ${last?.stack ?? JSON.stringify(last)}`);
    await sleep(every);
  }
}

export class Picket {
  constructor(options = {}) {
    this.storage = options.storage ?? tempFolder();
    this.keepStorage = options.storage !== undefined;
    this.env = { PICKET_SERVER_LISTEN: "127.0.0.1:0", PICKET_STORAGE_PATH: this.storage, ...options.env };
    this.config = options.config;
    // What is to start the process, and becomes it in the end: a program and its arguments.
    this.through = options.through ?? [];
    const made = picket(["init", "--storage", this.storage, "--json"], { env: this.env });
    if (made.code !== 0) throw new Error(`init failed (${made.code}): ${made.err}`);
    Object.assign(this, JSON.parse(made.out)); // organization, project, project_id, public_key, dsn, token
    // A file and not a pipe: nothing to drain, and nothing that keeps this process going.
    this.logFolder = tempFolder();
    this.logFile = join(this.logFolder, "log");
  }

  get log() {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
  }

  async start() {
    const args = ["serve", ...(this.config ? ["--config", this.config] : [])];
    const from = this.log.length;
    const began = uptimeMs();
    const file = openSync(this.logFile, "a");
    const [program, ...words] = [...this.through, binary, ...args];
    this.process = watched(spawn(program, words, { env: { ...process.env, ...this.env }, stdio: ["ignore", "ignore", file] }));
    closeSync(file);
    this.exited = new Promise((done) => this.process.once("exit", (code, signal) => done({ code, signal })));
    let gone = null;
    this.exited.then((how) => (gone = how));
    await until(() => {
      if (gone) throw new Error(`picket ended at start: ${JSON.stringify(gone)}\n${this.log}`);
      const line = this.log.slice(from).match(/listening on (http:\/\/\S+)\n/);
      if (line) this.url = line[1];
      return line;
    }, { within: 60_000, what: "the listening line" });
    this.slowestStart = Math.max(this.slowestStart ?? 0, uptimeMs() - began);
    this.port = new URL(this.url).port;
    // Restarts keep the port, so that SDKs and destinations find it again.
    this.env.PICKET_SERVER_LISTEN = `127.0.0.1:${this.port}`;
    return this;
  }

  get liveDsn() {
    return `http://${this.public_key}@127.0.0.1:${this.port}/${this.project_id}`;
  }

  async kill() {
    if (!this.process) return undefined;
    this.process.kill("SIGKILL");
    return awaited(this.process, this.exited);
  }

  async stop() {
    if (!this.process) return undefined;
    this.process.kill("SIGTERM");
    const how = await awaited(this.process, this.exited);
    this.process = null;
    return how;
  }

  async end() {
    const how = await this.stop();
    const log = this.log;
    rmSync(this.logFolder, { recursive: true, force: true });
    if (!this.keepStorage) rmSync(this.storage, { recursive: true, force: true });
    if (how && (how.code !== 0 || how.signal)) throw new Error(`picket ended with ${JSON.stringify(how)}\n${log.slice(-4000)}`);
    const errors = log.split("\n").filter((line) => line.startsWith("error "));
    if (errors.length && !this.expectErrors) throw new Error(`error lines in the log:\n${errors.slice(0, 5).join("\n")}`);
  }

  async api(path, options = {}) {
    const answer = await fetch(`${this.url}/api/0/${path}`, {
      ...options,
      headers: { Authorization: `Bearer ${this.token}`, ...(options.body ? { "Content-Type": "application/json" } : {}), ...options.headers },
    });
    const text = await answer.text();
    let body = text;
    try { body = text === "" ? null : JSON.parse(text); } catch { /* kept as text */ }
    return { status: answer.status, headers: answer.headers, body };
  }

  issues(query = "") {
    return this.api(`projects/${this.organization}/${this.project}/issues/?query=${encodeURIComponent(query)}`).then((a) => a.body);
  }

  status() {
    const run = picket(["status", "--storage", this.storage, "--json"], { env: this.env });
    if (run.code !== 0) throw new Error(`status failed (${run.code}): ${run.err}`);
    return JSON.parse(run.out);
  }
}

export const eventId = () => randomUUID().replaceAll("-", "");

export function errorEvent(id, extra = {}) {
  return {
    event_id: id,
    timestamp: Date.now() / 1000,
    platform: "python",
    level: "error",
    exception: { values: [{ type: "ValueError", value: "it broke",
      stacktrace: { frames: [{ function: "main", module: "app", filename: "app.py", lineno: 3, in_app: true }] } }] },
    ...extra,
  };
}

export function envelope(id, items, header = {}) {
  const parts = [Buffer.from(JSON.stringify({ event_id: id, ...header }) + "\n")];
  for (const [itemHeader, payload] of items) {
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
    parts.push(Buffer.from(JSON.stringify({ ...itemHeader, length: bytes.length }) + "\n"), bytes, Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}

// Sends one envelope; the answer's status and body, or throws when the connection breaks.
export async function post(target, body, { gzip = false, headers = {}, path, signal } = {}) {
  const answer = await fetch(`${target.url}${path ?? `/api/${target.project_id}/envelope/`}`, {
    method: "POST",
    body: gzip ? gzipSync(body) : body,
    signal,
    headers: {
      "X-Sentry-Auth": `Sentry sentry_key=${target.public_key}, sentry_version=7, sentry_client=picket.tests/1`,
      ...(gzip ? { "Content-Encoding": "gzip" } : {}),
      ...headers,
    },
  });
  const text = await answer.text();
  let json = text;
  try { json = JSON.parse(text); } catch { /* kept as text */ }
  return { status: answer.status, body: json, headers: answer.headers };
}

// The scripted upstream: a program that errs on command and writes down every event id it accepted.
export class ScriptedUpstream {
  constructor(rules = "") {
    this.folder = tempFolder();
    this.file = join(this.folder, "ids");
    this.rules = rules;
  }
  async start(port = 0) {
    const args = ["--port", String(port), "--out", this.file, "--seconds", "1800"];
    if (this.rules) args.push("--rules", this.rules);
    const said = join(this.folder, "said");
    const file = openSync(said, "w");
    this.process = watched(spawn(scriptedUpstream, args, { stdio: ["ignore", file, "inherit"] }));
    closeSync(file);
    this.exited = new Promise((done) => this.process.once("exit", done));
    const line = await until(() => readFileSync(said, "utf8").match(/listening on (http:\/\/\S+)\n/), { what: "the scripted upstream" });
    this.url = line[1];
    return this;
  }
  ids() {
    return existsSync(this.file) ? readFileSync(this.file, "utf8").split("\n").filter(Boolean) : [];
  }
  async stop() {
    this.process.kill("SIGTERM");
    await awaited(this.process, this.exited);
  }
  async end() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// Conservation at the end of a test: everything received is stored or dropped by reason, everything
// stored is forwarded, waiting, quarantined, expired or not routed per destination; in all, and item by item.
export async function assertConserved(assert, subject) {
  let ledger;
  await until(() => {
    ledger = picket(["ledger", "--storage", subject.storage, "--check", "--by", "project,category,hour"], { env: subject.env });
    return ledger.code !== 69;
  }, { what: "the digest, for the ledger" });
  assert.equal(ledger.code, 0, `the ledger does not balance: ${ledger.out}${ledger.err}`);
  const status = subject.status();
  const { received, stored, dropped } = status.ledger;
  assert.equal(received, stored + dropped, `received = stored + dropped: ${JSON.stringify(status.ledger)}`);
  for (const destination of status.destinations) {
    const { forwarded, waiting, quarantined, expired, not_routed, not_sampled } = destination;
    assert.equal(status.envelopes.stored, forwarded + waiting + quarantined + expired + not_routed + not_sampled,
      `${destination.name}: stored = forwarded + waiting + quarantined + expired + not routed + not sampled: ${JSON.stringify(destination)}`);
  }
}

// mulberry32: a failing seed can be run again.
export function randomNumbers(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

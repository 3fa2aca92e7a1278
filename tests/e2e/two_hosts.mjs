// Two hosts and a link between them: this network namespace and one of its own, joined by a pair of virtual interfaces that can be
// cut, or by a link with weather (tests/support/bad_link.py). Needs root, iproute2 and, for weather, /dev/net/tun and Python.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { Picket, envelope, errorEvent, eventId, post, root, tempFolder, until, watched } from "./lib.mjs";

const number = process.pid % 64_000;
export const there = `picket${number}`;
export const [near, far] = [`pn${number}`, `pf${number}`];
const network = `10.${214 + (number >> 14)}.${(number >> 6) & 255}`;
const base = (number & 63) * 4;
// Whoever lives at `strangerAddress` is no upstream of ours.
export const [nearAddress, farAddress, strangerAddress] = [1, 2, 3].map((at) => `${network}.${base + at}`);

export function ip(...words) {
  const ran = spawnSync("ip", words, { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`ip ${words.join(" ")}: ${ran.error ?? ran.stderr}`);
  return ran.stdout;
}

function skipped(failure) {
  const reason = `no network namespaces here: ${failure.message.trim()}`;
  console.log(`skipped: ${reason}`);
  return reason;
}

// False, or why there can be none.
export function layCable() {
  after(() => {
    spawnSync("ip", ["link", "del", near]);
    spawnSync("ip", ["netns", "del", there]);
  });
  try {
    ip("netns", "add", there);
    ip("link", "add", near, "type", "veth", "peer", "name", far);
    ip("link", "set", far, "netns", there);
    ip("addr", "add", `${nearAddress}/30`, "dev", near);
    ip("-n", there, "addr", "add", `${farAddress}/30`, "dev", far);
    ip("link", "set", near, "up");
    ip("-n", there, "link", "set", far, "up");
  } catch (failure) {
    return skipped(failure);
  }
  return false;
}

// A process that is told things line by line, and whose words are read from a file.
class Told {
  constructor(command, args) {
    this.said = join(tempFolder(), "said");
    const output = openSync(this.said, "w");
    this.process = watched(spawn(command, args, { stdio: ["pipe", output, output] }));
    closeSync(output);
    this.process.stdin.on("error", () => {});
    this.process.stdin.unref?.();
  }
  words() {
    return readFileSync(this.said, "utf8");
  }
  heard(pattern, what) {
    return until(() => {
      const found = this.words().match(pattern);
      if (!found && this.process.exitCode !== null) throw new Error(`${what} ended: ${this.words()}`);
      return found;
    }, { what });
  }
  tell(wish) {
    this.process.stdin.write(`${JSON.stringify(wish)}\n`);
  }
  async end() {
    if (this.process.exitCode !== null) return;
    const gone = new Promise((done) => this.process.once("exit", done));
    this.process.ref();
    this.process.stdin.end();
    await gone;
  }
}

export const fair = { latency: 0, jitter: 0, loss: 0, reorder: 0, rate: 0, queue: 0, open: true, flap: [] };

// A link with weather for `seconds`: `weather.tell({…})` changes it. { skip } says why there can be none.
export async function makeWeather(seconds, seed = 1) {
  let weather;
  after(async () => {
    await weather?.end();
    spawnSync("ip", ["netns", "del", there]);
  });
  try {
    ip("netns", "add", there);
    ip("-n", there, "link", "set", "lo", "up");
    const script = join(root, "tests/support/bad_link.py");
    weather = new Told("python3", [script, there, near, nearAddress, far, `${farAddress},${strangerAddress}`, String(seconds), String(seed)]);
    await weather.heard(/^ready$/m, "the link");
  } catch (failure) {
    return { skip: skipped(failure) };
  }
  return { skip: false, tell: (wish) => weather.tell(wish) };
}

// Of the far address, with its key, in one file.
function makeCertificate() {
  const [key, whole] = ["key", "both.pem"].map((name) => join(tempFolder(), name));
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=far", "-addext", `subjectAltName=IP:${farAddress}`, "-keyout", key];
  const made = spawnSync("openssl", words, { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  writeFileSync(whole, readFileSync(key, "utf8") + made.stdout);
  return whole;
}

export class FarHost extends Told {
  // With `whole`, everything that lives there, not just the upstream; with `secure`, that over TLS.
  constructor({ whole = false, secure = false } = {}) {
    const file = join(tempFolder(), "arrived");
    const script = join(import.meta.dirname, "far_host.mjs");
    const certificate = secure ? makeCertificate() : null;
    super("ip", ["netns", "exec", there, process.execPath, script, file, farAddress, ...(whole ? [strangerAddress] : []), ...(secure ? [certificate] : [])]);
    this.file = file;
    this.certificate = certificate;
    this.told = 0;
  }
  async start() {
    [, this.port, this.proxyPort] = await this.heard(/^listening on (\d+) (\d+)$/m, "the far host");
    this.dsn = this.dsnAt(farAddress);
    return this;
  }
  dsnAt(host) {
    return `${this.certificate ? "https" : "http"}://${"ab".repeat(16)}@${host}:${this.port}/7`;
  }
  // Returns how many connections its upstream had.
  async does(wish) {
    this.tell(wish);
    return Number((await this.heard(new RegExp(`^did ${++this.told}: (\\d+)$`, "m"), `the far host to do ${JSON.stringify(wish)}`))[1]);
  }
  arrived() {
    return existsSync(this.file) ? readFileSync(this.file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
  }
}

export function transaction(id, timestamp) {
  const trace = { trace_id: id, span_id: id.slice(16), op: "http.server" };
  return { event_id: id, type: "transaction", transaction: "/", timestamp, start_timestamp: timestamp - 1, contexts: { trace } };
}

// A Picket here, an upstream over there. `lines` are the destination's, `host` what FarHost is to be; `by` the host's name in the DSN.
export async function stage(lines = "", { host = {}, by = farAddress, through } = {}) {
  const upstream = await new FarHost(host).start();
  const config = join(tempFolder(), "picket.toml");
  const proxy = lines.replace("PROXY", `http://${farAddress}:${upstream.proxyPort}`);
  writeFileSync(config, `[[upstream]]\nname = "far"\ndsn = "${upstream.dsnAt(by)}"\ncompression = "gzip"\n${upstream.certificate ? `ca_file = "${upstream.certificate}"\n` : ""}${proxy}\n`);
  const edge = await new Picket({ config, through }).start();
  const sent = new Map();
  const send = async (count, type = "event") => {
    for (let i = 0; i < count; ++i) {
      const id = eventId();
      const timestamp = Date.now() / 1_000;
      sent.set(id, { timestamp, type, place: sent.size });
      const payload = type === "event" ? errorEvent(id, { timestamp }) : transaction(id, timestamp);
      assert.equal((await post(edge, envelope(id, [[{ type }, payload]], { sent_at: new Date().toISOString() }))).status, 200);
    }
  };
  return { upstream, edge, sent, send };
}

export const destination = (edge) => edge.status().destinations[0];
export const waiting = (edge) => destination(edge).waiting;

// Everything is there, at its own time, whatever it waited for. With `ambiguous`, some of it more than once: answers may have been
// lost; else only what was not answered. Returns how many those are.
export function assertArrived({ upstream, sent }, { ambiguous }) {
  const lines = upstream.arrived();
  const answered = new Set();
  const times = new Map();
  for (const { id, answer } of lines) {
    times.set(id, (times.get(id) ?? 0) + 1);
    if (!ambiguous) assert.ok(!answered.has(id), `${id} came again after its acknowledgement`);
    if (answer === "whole") answered.add(id);
  }
  assert.deepEqual([...times.keys()].sort(), [...sent.keys()].sort(), "each is there");
  assert.deepEqual([...answered].sort(), [...sent.keys()].sort(), "and was acknowledged");
  for (const { id, timestamp, sent_at, at } of lines) {
    assert.equal(timestamp, sent.get(id).timestamp);
    // What an upstream takes for the clock's error: none, or it would shift the timestamps.
    assert.ok(Math.abs(Date.parse(sent_at) - at) < 60_000, `sent_at ${sent_at}, arrived ${new Date(at).toISOString()}`);
  }
  return [...times.values()].filter((count) => count > 1).length;
}

// Those of a type, in the order in which each came first: how far the latest of them was overtaken.
export function mostOvertaken({ upstream, sent }, type, newestFirst = false) {
  const first = [...new Set(upstream.arrived().map(({ id }) => id))].filter((id) => sent.get(id).type === type);
  const order = [...first].sort((a, b) => (sent.get(a).place - sent.get(b).place) * (newestFirst ? -1 : 1));
  return Math.max(0, ...first.map((id, at) => at - order.indexOf(id)));
}

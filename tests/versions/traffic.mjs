// What is sent to a box: errors, attachments, transactions, logs, sessions and check-ins, in every coding, and what
// became of each: acknowledged, or left without an answer because the box was stopped meanwhile.
import { createHash, randomBytes } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { envelope, eventId } from "../e2e/lib.mjs";
import { check, forEachOf } from "./checks.mjs";

const perStep = Number(process.env.PICKET_PER_STEP ?? 40);
const inRush = 3 * perStep;
const words = ["order", "invoice", "basket", "customer", "payment", "shipment", "coupon", "product"];
const codings = [["", (bytes) => bytes], ["gzip", gzipSync], ["deflate", deflateSync], ["br", brotliCompressSync]];

function filler(number, bytes) {
  let text = "";
  for (let i = 0; text.length < bytes; ++i) text += `${words[(number + i * 7) % words.length]}_${(number * 31 + i * i) % 4001} `;
  return text;
}
const numbers = (count) => Array.from({ length: count }, (_, i) => i);

export class Traffic {
  constructor(box) {
    this.box = box;
    // By id. `said` is what the first version that was asked told of it; `again`: a kill may have the mirror send it twice.
    this.sent = new Map();
    // What has no id, or is only counted.
    this.counted = { session: { sure: 0, unsure: 0 }, log: { sure: 0, unsure: 0 } };
    this.solved = new Set(); // issues that were resolved and have a comment
    this.late = 0;    // acknowledged, and not upstream before the exchange
    this.twice = 0;   // upstream, where a kill may do that
    this.refused = 0; // by a box that was stopping, an item each
    this.stopping = null; // the signal that the box may get at any moment
    this.number = 0;
  }

  of(kind) { return [...this.sent].filter(([, one]) => one.kind === kind); }

  // Whether it was acknowledged.
  async #post(id, items) {
    const [coding, encode] = codings[this.number++ % codings.length];
    const headers = { "X-Sentry-Auth": `Sentry sentry_key=${this.box.public_key}, sentry_version=7`, ...(coding && { "Content-Encoding": coding }) };
    let status = "nothing";
    try {
      const answer = await fetch(`${this.box.url}/api/${this.box.project_id}/envelope/`, { method: "POST", body: encode(envelope(id, items)), headers });
      status = answer.status;
      await answer.arrayBuffer();
    } catch { /* gone meanwhile */ }
    if (status === 503) ++this.refused;
    if (status !== 200 && this.stopping === null) check(false, `${this.box.version.name} answered ${status}`);
    return status === 200;
  }
  async #send(round, id, items, rest = {}) {
    const one = { kind: items[0][0].type, round, sure: false, again: this.stopping === "SIGKILL", said: null, ...rest };
    this.sent.set(id, one);
    one.sure = await this.#post(id, items);
  }
  async #count(header, payload) {
    ++this.counted[header.type][await this.#post(undefined, [[header, payload]]) ? "sure" : "unsure"];
  }

  error(round, issue, bytes, attached = 0) {
    const id = eventId();
    const number = this.number;
    const event = { event_id: id, timestamp: Date.now() / 1000, platform: "python", level: "error", server_name: `till-${number % 5}`,
      tags: { round: String(round) }, user: { id: String(number % 50) }, extra: { filler: filler(number, bytes) },
      exception: { values: [{ type: "ValueError", value: `${issue} broke`, stacktrace: { frames: [{ function: issue.replace(" ", "_"), module: "app", filename: "app.py", lineno: number, in_app: true }] } }] } };
    if (attached === 0) return this.#send(round, id, [[{ type: "event" }, event]], { issue });
    const attachment = randomBytes(attached);
    return this.#send(round, id, [[{ type: "event" }, event], [{ type: "attachment", filename: "till.bin" }, attachment]],
      { issue, attachment: createHash("sha1").update(attachment).digest("hex") });
  }
  transaction(round) {
    const id = eventId();
    const now = Date.now() / 1000;
    const trace = { trace_id: eventId(), span_id: "a".repeat(16), op: "http.server" };
    return this.#send(round, id, [[{ type: "transaction" }, { event_id: id, type: "transaction", transaction: `GET /round/${round}`, platform: "python", start_timestamp: now - 1, timestamp: now,
      tags: { round: String(round) }, contexts: { trace }, spans: [{ ...trace, span_id: "b".repeat(16), parent_span_id: trace.span_id, op: "db", start_timestamp: now - 1, timestamp: now }] }]]);
  }
  checkIn(round) {
    const id = eventId();
    return this.#send(round, id, [[{ type: "check_in" }, { check_in_id: id, monitor_slug: "stock-take", status: "ok", environment: "production",
      monitor_config: { schedule: { type: "crontab", value: "0 0 1 1 *" } } }]]);
  }
  session() {
    return this.#count({ type: "session" }, { sid: eventId(), init: true, started: new Date().toISOString(), status: "exited", attrs: { release: "till@1.0.0" } });
  }
  log() {
    return this.#count({ type: "log", item_count: 1 }, { items: [{ timestamp: Date.now() / 1000, trace_id: eventId(), level: "info", body: "till opened", attributes: {} }] });
  }
  async #others(round, i) {
    if (i % 4 === 0) await this.transaction(round);
    if (i % 10 === 0) { await this.session(); await this.log(); await this.checkIn(round); }
  }

  // Some of everything; one attachment is larger than a segment of the journal.
  async some(round) {
    await this.error(round, `solved ${round}`, 100);
    await forEachOf(numbers(perStep), 4, async (i) => {
      await this.error(round, `steady ${i % 7}`, (i * 997) % 40_000, i === 0 ? 3 << 20 : i % 5 === 0 ? 2_000 + i : 0);
      await this.#others(round, i);
    });
  }
  // Bytes for the journal.
  async fill(round) {
    await forEachOf(numbers(10), 4, () => this.error(round, "large", 60_000));
  }
  // Small events of many issues, as fast as they go. `half` is called in the midst of it.
  async rush(round, half = async () => {}) {
    let meanwhile;
    await forEachOf(numbers(inRush), 16, async (i) => {
      if (i === inRush / 2) meanwhile = half();
      await this.error(round, `rush ${i % 100}`, 200);
      await this.#others(round, i);
    });
    await meanwhile;
  }
}

// An upstream that takes signed requests of registered Relays only, written from the protocol, and an edge that stands
// before it as one. It answers with the statuses that Sentry's server answers with; what is signed it leaves to a judge.
import assert from "node:assert/strict";
import { createHmac, createPublicKey, randomBytes, verify } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { Picket, envelope, errorEvent, eventId, picket, post, sleep, tempFolder, until } from "./lib.mjs";

// Seconds for which a signature counts, and a challenge with the signatures about it.
const signatureMaxAge = 300;
const challengeMaxAge = 60;
// What comes "late" may be no older than the first, and is kept for the second.
const strictMaxAge = 1;
const lateness = 2_100;

// A judge's no.
export class Refusal extends Error {
  constructor(words, { expired = false } = {}) {
    super(words);
    this.expired = expired;
  }
}

// Node's own Ed25519. Whatever else stands in its place answers the same questions, and may take its time.
export class NodeJudge {
  supports(version) {
    return /^\d+\.\d+\.\d+$/.test(version);
  }

  // Returns when the signature is right, of that key and over those bytes.
  verify({ publicKey, signature, body, maxAge }) {
    const [sig, header] = signature.split(".");
    if (!/^[\w-]+$/.test(sig) || !/^[\w-]+$/.test(header ?? "")) throw new Refusal("not base64url without padding");
    const head = Buffer.from(header, "base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
    if (!verify(null, Buffer.concat([head, Buffer.from([0]), body]), key, Buffer.from(sig, "base64url"))) throw new Refusal("invalid signature");
    const { t } = JSON.parse(head);
    if (!(Math.abs(Date.now() - Date.parse(t)) < maxAge * 1000)) throw new Refusal(`signed at ${t}`, { expired: true });
  }

  // The challenge's token.
  challenge({ body, signature, secret, maxAge }) {
    const { relay_id: id, public_key: key } = JSON.parse(body);
    this.verify({ publicKey: key, signature, body, maxAge });
    const state = Buffer.from(JSON.stringify({ id, key, at: Date.now(), nonce: randomBytes(8).toString("hex") })).toString("base64url");
    return `${state}:${this.#mac(state, secret)}`;
  }

  // Who has answered it.
  response({ body, signature, secret, maxAge }) {
    const { relay_id: id, token, version } = JSON.parse(body);
    const [state, mac] = token.split(":");
    if (mac !== this.#mac(state, secret)) throw new Refusal("not our token");
    const challenged = JSON.parse(Buffer.from(state, "base64url"));
    if (challenged.id !== id) throw new Refusal("another Relay's token");
    this.verify({ publicKey: challenged.key, signature, body, maxAge });
    if (Date.now() - challenged.at > maxAge * 1000) throw new Refusal("the token is too old", { expired: true });
    return { id, key: challenged.key, version };
  }

  #mac(state, secret) {
    return createHmac("sha512", secret).update(state).digest("base64url");
  }
}

// An upstream that knows its Relays, until it is told to forget them.
export class RelayUpstream {
  constructor({ allowed = new Set(), judge = new NodeJudge(), config = { piiConfig: null } } = {}) {
    this.allowed = allowed;         // public keys
    this.judge = judge;
    this.config = config;           // of every project
    this.secret = randomBytes(32).toString("base64");
    this.relays = new Map();        // id → public key
    this.disabled = new Set();      // public keys of projects
    this.moved = new Map();         // public key of a project → its id here
    this.received = [];             // event ids of what was answered 200, repetitions included
    this.signed = [];               // what came signed: its kind, and what the judge was asked
    this.refusals = [];             // what the judge said no to, in its words
    this.problems = [];             // what a real upstream would never forgive
    this.counts = { challenge: 0, response: 0, refused: 0, configs: 0 };
    // What befalls the next of each kind: "changed" on its way, or "late". A late token is one answered late.
    this.faults = { challenge: [], token: [], response: [], configs: [], envelope: [] };
    this.lateTokens = new Set();
    this.answerNext = [];           // statuses of the next envelopes; after them 200
  }

  async start(port = 0) {
    this.server = createServer((request, response) => this.serve(request, response));
    await new Promise((done, failed) => this.server.once("error", failed).listen(port, "127.0.0.1", done));
    // A test that fails leaves it behind, and an edge that goes on asking.
    this.server.unref().on("connection", (socket) => socket.unref());
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }
  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  async serve(request, response) {
    const parts = [];
    let [status, body] = [500, {}];
    try {
      for await (const part of request) parts.push(part);
      [status, body] = await this.answer(request, Buffer.concat(parts));
    } catch (error) {
      if (request.destroyed && !request.complete) return; // who asked is gone
      this.problems.push(`${request.url}: ${error.message}`);
      [status, body] = [400, { detail: error.message }];
    }
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  }

  // What the judge says to a signed request, and its refusal where it refuses.
  async judged(kind, method, question) {
    const fault = this.faults[kind].shift();
    if (fault === "late") {
      await sleep(lateness);
      question.maxAge = strictMaxAge;
    }
    // A blank after JSON changes nothing but the signature; where no body is signed, the signature is changed.
    if (fault === "changed" && question.body.length > 0) question.body = Buffer.concat([question.body, Buffer.from(" ")]);
    else if (fault === "changed") question.signature = (question.signature[0] === "A" ? "B" : "A") + question.signature.slice(1);
    this.signed.push({ kind, ...question });
    try {
      return { said: await this.judge[method](question) };
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.refusals.push(`${kind}: ${refusal.message}`);
      return { refusal };
    }
  }

  async answer(request, body) {
    const id = request.headers["x-sentry-relay-id"];
    const signature = request.headers["x-sentry-relay-signature"];
    assert.match(id ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.ok(signature, "not signed");
    if (request.url.startsWith("/api/0/relays/register/")) return this.register(request, id, signature, body);
    const key = this.relays.get(id);
    if (!key) {
      ++this.counts.refused;
      return [401, { detail: "Relay is not known" }];
    }
    const project = request.url.match(/^\/api\/(\d+)\/envelope\/$/);
    if (project) return this.take(request, key, signature, body, Number(project[1]));
    assert.equal(request.url, "/api/0/relays/projectconfigs/?version=3");
    ++this.counts.configs;
    const { refusal } = await this.judged("configs", "verify", { publicKey: key, signature, body, maxAge: signatureMaxAge });
    if (refusal) return [401, { detail: refusal.message }];
    const asked = JSON.parse(body);
    assert.equal(asked.publicKeys.length, asked.revisions.length);
    const configs = {};
    for (const one of asked.publicKeys) {
      configs[one] = this.disabled.has(one) ? { disabled: true }
        : { disabled: false, projectId: this.moved.get(one), rev: "1", publicKeys: [{ publicKey: one }], config: this.config };
    }
    return [200, { configs, pending: [], unchanged: [], global_status: "ready" }];
  }

  async register(request, id, signature, body) {
    const asked = JSON.parse(body);
    assert.equal(asked.relay_id, id);
    if (request.url === "/api/0/relays/register/challenge/") {
      ++this.counts.challenge;
      assert.ok(await this.judge.supports(asked.version), `version ${asked.version}`);
      const { said: token, refusal } = await this.judged("challenge", "challenge", { body, signature, secret: this.secret, maxAge: challengeMaxAge });
      if (refusal) return [400, { detail: refusal.message }];
      if (!this.allowed.has(asked.public_key)) return [403, { detail: "Relay is not allowed to register" }];
      if ((this.relays.get(id) ?? asked.public_key) !== asked.public_key) return [400, { detail: "This Relay has another public key" }];
      if (this.faults.token.shift() === "late") {
        this.lateTokens.add(token);
        await sleep(lateness);
      }
      return [200, { relay_id: id, token }];
    }
    assert.equal(request.url, "/api/0/relays/register/response/");
    ++this.counts.response;
    const maxAge = this.lateTokens.has(asked.token) ? strictMaxAge : challengeMaxAge;
    const { said: relay, refusal } = await this.judged("response", "response", { body, signature, secret: this.secret, maxAge });
    if (refusal) return refusal.expired ? [401, { detail: "Challenge expired" }] : [400, { detail: refusal.message }];
    assert.equal(relay.id, id);
    assert.equal(relay.version, asked.version);
    this.relays.set(id, relay.key);
    return [200, { relay_id: id }];
  }

  async take(request, key, signature, body, project) {
    const { refusal } = await this.judged("envelope", "verify", { publicKey: key, signature, body: Buffer.alloc(0), maxAge: signatureMaxAge });
    if (refusal) return [401, { detail: refusal.message }];
    const [, sentryKey] = request.headers["x-sentry-auth"].match(/sentry_key=([0-9a-f]{32})/);
    assert.ok(!this.disabled.has(sentryKey), "an envelope for a disabled project");
    if (this.moved.has(sentryKey)) assert.equal(project, this.moved.get(sentryKey));
    const next = this.answerNext.shift();
    if (next) return [next, { detail: `told to answer ${next}` }];
    const coding = request.headers["content-encoding"];
    const plain = coding === "gzip" ? gunzipSync(body) : coding === "br" ? brotliDecompressSync(body) : body;
    const { event_id: event } = JSON.parse(plain.subarray(0, plain.indexOf(10)));
    this.received.push(event);
    return [200, { id: event }];
  }

  distinct() {
    return [...new Set(this.received)].sort();
  }
  forgetRelays() {
    this.relays.clear();
    this.secret = randomBytes(32).toString("base64");
  }
}

// Credentials made by the verb, or those of the file `key`, and an edge that uses them. zstd is what Node cannot read.
export async function edgeOf(upstream, { lines = "", key } = {}) {
  const folder = tempFolder();
  const file = key ?? join(folder, "credentials.json");
  if (!key) assert.equal(picket(["upstream", "credentials", "generate", file]).code, 0);
  const config = join(folder, "picket.toml");
  writeFileSync(config, `[[upstream]]\nname = "cloud"\nurl = "http://127.0.0.1:${upstream.port}"\nrelay_credentials_file = "${file}"\n` +
    `retry_min = "20ms"\nretry_max = "200ms"\nhold_probe = "300ms"\ncompression = "gzip"\n${lines}\n`);
  const edge = await new Picket({ config }).start();
  return { edge, file, publicKey: JSON.parse(picket(["upstream", "credentials", "show", file, "--json"]).out).public_key };
}

// Events, every other one compressed; their ids.
export async function send(target, count) {
  const ids = [];
  for (let i = 0; i < count; ++i) {
    const id = eventId();
    const answer = await post(target, envelope(id, [[{ type: "event" }, errorEvent(id)]]), { gzip: i % 2 === 0 });
    assert.equal(answer.status, 200);
    ids.push(id);
  }
  return ids;
}
export const cloud = (edge) => edge.status().destinations[0];
export const idle = (edge) => until(() => cloud(edge).waiting === 0, { what: "nothing waiting" });

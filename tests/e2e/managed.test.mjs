// Picket where a Relay stood: an upstream that takes signed requests of registered Relays only, written from the protocol
// and checked by Node's own Ed25519.
import assert from "node:assert/strict";
import { createHmac, createPublicKey, randomBytes, verify } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { Picket, assertConserved, envelope, errorEvent, eventId, picket, post, tempFolder, until } from "./lib.mjs";

const signatureMaxAge = 300_000;

function keyOf(text) {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
}

// What the header says when the signature is right; throws when it is not.
function checkSignature(signature, publicKey, body) {
  const [sig, header] = signature.split(".");
  assert.ok(/^[\w-]+$/.test(sig) && /^[\w-]+$/.test(header), "base64url without padding");
  const head = Buffer.from(header, "base64url");
  assert.ok(verify(null, Buffer.concat([head, Buffer.from([0]), body]), keyOf(publicKey), Buffer.from(sig, "base64url")), "the signature is wrong");
  const { t } = JSON.parse(head);
  assert.ok(Math.abs(Date.now() - Date.parse(t)) < signatureMaxAge, `signed at ${t}`);
}

// An upstream that knows its Relays, until it is told to forget them.
class RelayUpstream {
  constructor({ allowed }) {
    this.allowed = allowed;         // public keys
    this.secret = randomBytes(32);
    this.relays = new Map();        // id → public key
    this.disabled = new Set();      // public keys of projects
    this.moved = new Map();         // public key of a project → its id here
    this.received = [];             // event ids of what was answered 200, repetitions included
    this.problems = [];             // what a real upstream would never forgive
    this.counts = { challenge: 0, response: 0, refused: 0, configs: 0 };
    this.expire = 0;                // so many challenges are too old when they are answered
    this.answerNext = [];           // statuses of the next envelopes; after them 200
  }

  async start(port = 0) {
    this.server = createServer((request, response) => this.serve(request, response));
    await new Promise((done, failed) => this.server.once("error", failed).listen(port, "127.0.0.1", done));
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
    for await (const part of request) parts.push(part);
    let [status, body] = [500, {}];
    try {
      [status, body] = this.answer(request, Buffer.concat(parts));
    } catch (error) {
      this.problems.push(`${request.url}: ${error.message}`);
      [status, body] = [400, { detail: error.message }];
    }
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  }

  answer(request, body) {
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
    checkSignature(signature, key, body);
    const asked = JSON.parse(body);
    assert.equal(asked.publicKeys.length, asked.revisions.length);
    const configs = {};
    for (const one of asked.publicKeys) {
      configs[one] = this.disabled.has(one) ? { disabled: true }
        : { disabled: false, projectId: this.moved.get(one), rev: "1", publicKeys: [{ publicKey: one }], config: { piiConfig: null } };
    }
    return [200, { configs, pending: [], unchanged: [], global_status: "ready" }];
  }

  register(request, id, signature, body) {
    const asked = JSON.parse(body);
    assert.equal(asked.relay_id, id);
    assert.match(asked.version, /^\d+\.\d+\.\d+$/);
    if (request.url === "/api/0/relays/register/challenge/") {
      ++this.counts.challenge;
      checkSignature(signature, asked.public_key, body);
      if (!this.allowed.has(asked.public_key)) return [403, { detail: "Relay is not allowed to register" }];
      const state = Buffer.from(JSON.stringify({ id, key: asked.public_key, nonce: randomBytes(8).toString("hex") })).toString("base64url");
      return [200, { relay_id: id, token: `${state}:${this.mac(state)}` }];
    }
    assert.equal(request.url, "/api/0/relays/register/response/");
    ++this.counts.response;
    const [state, mac] = asked.token.split(":");
    assert.equal(mac, this.mac(state), "not our token");
    const { key, id: challenged } = JSON.parse(Buffer.from(state, "base64url"));
    assert.equal(challenged, id);
    checkSignature(signature, key, body);
    if (this.expire-- > 0) return [401, { detail: "Challenge expired" }];
    this.relays.set(id, key);
    return [200, { relay_id: id }];
  }
  mac(state) {
    return createHmac("sha512", this.secret).update(state).digest("base64url");
  }

  take(request, key, signature, body, project) {
    checkSignature(signature, key, Buffer.alloc(0));
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
    this.secret = randomBytes(32);
  }
}

// Credentials made by the verb, and an edge that uses them. zstd is what Node cannot read.
async function edgeOf(upstream, { lines = "", key } = {}) {
  const folder = tempFolder();
  const file = key ?? join(folder, "credentials.json");
  if (!key) assert.equal(picket(["upstream", "credentials", "generate", file]).code, 0);
  const config = join(folder, "picket.toml");
  writeFileSync(config, `[[upstream]]\nname = "cloud"\nurl = "http://127.0.0.1:${upstream.port}"\nrelay_credentials_file = "${file}"\n` +
    `retry_min = "20ms"\nretry_max = "200ms"\nhold_probe = "300ms"\ncompression = "gzip"\n${lines}\n`);
  const edge = await new Picket({ config }).start();
  return { edge, file, publicKey: JSON.parse(picket(["upstream", "credentials", "show", file, "--json"]).out).public_key };
}

async function send(target, count) {
  const ids = [];
  for (let i = 0; i < count; ++i) {
    const id = eventId();
    const answer = await post(target, envelope(id, [[{ type: "event" }, errorEvent(id)]]), { gzip: i % 2 === 0 });
    assert.equal(answer.status, 200);
    ids.push(id);
  }
  return ids;
}
const cloud = (edge) => edge.status().destinations[0];
const idle = (edge) => until(() => cloud(edge).waiting === 0, { what: "nothing waiting" });

test("an upstream that denies the Relay holds everything until its key is entered there", async () => {
  const upstream = await new RelayUpstream({ allowed: new Set() }).start();
  const { edge, file, publicKey } = await edgeOf(upstream);
  edge.expectErrors = true; // it is held
  const ids = await send(edge, 5);
  const held = await until(() => cloud(edge).state === "held" && cloud(edge), { what: "held" });
  assert.match(held.held_reason, /not registered as a Relay: answer 403: .*Relay is not allowed to register/);
  assert.equal(held.waiting, 5);
  assert.match(picket(["status", "--storage", edge.storage], { env: edge.env }).out, /not allowed to register/);

  upstream.expire = 1; // and the first challenge is answered too late
  upstream.allowed.add(publicKey);
  await idle(edge);
  assert.deepEqual(upstream.received.sort(), ids.sort());
  assert.equal(upstream.counts.response, 2);
  assert.match(await (await fetch(`${edge.url}/metrics`)).text(), /picket_upstream_relay_registered\{destination="cloud"\} 1\n/);

  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { secret_key: secret, id } = JSON.parse(readFileSync(file, "utf8"));
  assert.ok(edge.log.includes(id));
  assert.ok(!edge.log.includes(secret));
  assert.deepEqual(upstream.problems, []);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.stop();
});

test("an upstream that forgets its Relays, errs, goes down and comes back gets each event once, with kill -9 in between", async () => {
  const upstream = await new RelayUpstream({ allowed: new Set() }).start();
  const { edge, publicKey } = await edgeOf(upstream, { lines: 'relay_register_every = "0s"' });
  edge.expectErrors = true;
  upstream.allowed.add(publicKey);
  const settled = await send(edge, 20);
  await idle(edge);
  assert.equal(upstream.received.length, 20);

  upstream.forgetRelays();
  settled.push(...await send(edge, 20));
  await idle(edge);
  assert.ok(upstream.counts.refused > 0);
  upstream.answerNext = [401, 503, 403]; // in the middle, though nothing was forgotten
  settled.push(...await send(edge, 20));
  await idle(edge);
  // What is waited for is in the tables: from here on a crash sends none of these again.
  assert.deepEqual(upstream.received.slice().sort(), settled.slice().sort());

  const later = await send(edge, 20);
  await edge.kill();
  await edge.start();
  later.push(...await send(edge, 10));
  await upstream.stop();
  upstream.forgetRelays();
  later.push(...await send(edge, 10));
  await edge.kill();
  await edge.start();
  later.push(...await send(edge, 10));
  await until(() => /not registered as a Relay/.test(cloud(edge).last_error), { what: "an upstream that is away" });
  await upstream.start(upstream.port);
  await idle(edge);
  assert.deepEqual(upstream.distinct(), [...settled, ...later].sort());
  const times = (id) => upstream.received.filter((one) => one === id).length;
  assert.ok(settled.every((id) => times(id) === 1), "what was settled before the crash came twice");
  assert.deepEqual(upstream.problems, []);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.stop();
});

test("a Relay's own credentials are taken over; disabled projects wait here, moved ones are found", async () => {
  const upstream = await new RelayUpstream({ allowed: new Set() }).start();
  const taken = join(tempFolder(), "credentials.json");
  // RFC 8032's first key, as a Relay would have written it.
  writeFileSync(taken, JSON.stringify({ secret_key: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    public_key: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", id: "0190a5c4-5c62-4f6c-9c5f-0a1b2c3d4e5f" }));
  const { edge, publicKey } = await edgeOf(upstream, { key: taken });
  edge.expectErrors = true;
  assert.equal(publicKey, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  upstream.allowed.add(publicKey);
  upstream.disabled.add(edge.public_key);
  const ids = await send(edge, 3);
  const held = await until(() => cloud(edge).state === "held" && /disabled/.test(cloud(edge).held_reason) && cloud(edge), { what: "held" });
  assert.equal(held.waiting, 3);
  assert.equal(upstream.received.length, 0);
  upstream.disabled.clear();
  upstream.moved.set(edge.public_key, 4711);
  await idle(edge);
  assert.deepEqual(upstream.received.sort(), ids.sort());
  assert.deepEqual(upstream.problems, []);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.stop();
});

test("a configuration that cannot mean anything is refused at the start", () => {
  const config = join(tempFolder(), "picket.toml");
  writeFileSync(config, '[[upstream]]\nname = "x"\nurl = "http://127.0.0.1:1"\nrelay_credentials_file = "/nowhere"\n[upstream.projects]\n' +
    `2 = "http://${"ab".repeat(16)}@127.0.0.1:2/9"\n`);
  const said = picket(["config", "check", "--config", config]);
  assert.equal(said.code, 78);
  assert.match(said.err, /a Relay registers with one upstream/);
});

// Picket where a Relay stood, before the library by which Sentry's server knows its Relays: sentry_relay makes the
// challenge, validates the response and verifies each signature. run.sh installs it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertConserved, envelope, errorEvent, eventId, picket, post, sleep, tempFolder, until } from "../e2e/lib.mjs";
import { Refusal, RelayUpstream, cloud, edgeOf, idle, send } from "../e2e/relay_upstream.mjs";
import { LibraryJudge } from "./relay/judge.mjs";

let judge;
before(async () => { judge = await new LibraryJudge().start(); });
after(() => judge.end());

function credentials(keys) {
  const file = join(tempFolder(), "credentials.json");
  writeFileSync(file, JSON.stringify(keys));
  return file;
}
const show = (file) => picket(["upstream", "credentials", "show", file, "--json"]);

// A Relay with credentials of the library's making before an upstream that knows its key, and the end of both.
async function stand({ lines, config } = {}) {
  const upstream = await new RelayUpstream({ judge, config }).start();
  const keys = await judge.ask("key_pair");
  upstream.allowed.add(keys.public_key);
  const { edge } = await edgeOf(upstream, { lines, key: credentials(keys) });
  return { upstream, edge, keys, async end({ refusals }) {
    await idle(edge);
    assert.deepEqual(upstream.refusals, refusals);
    assert.deepEqual(upstream.problems, []);
    await assertConserved(assert, edge);
    await edge.end();
    await upstream.stop();
  } };
}

test("it is taken for a Relay by the library, and so is each signature, until anything about it is changed", async () => {
  const config = await judge.ask("project_config", { config: {
    allowedDomains: ["*.example.com"], eventRetention: 90, features: ["organizations:profiling"],
    piiConfig: { applications: { "$string": ["@ip:replace"] } },
    datascrubbingSettings: { scrubData: true, scrubIpAddresses: true, scrubDefaults: true, sensitiveFields: ["pin"], excludeFields: [] },
    filterSettings: { localhost: { isEnabled: true }, releases: { releases: ["1.*"] } },
    quotas: [{ id: "1", categories: ["error"], scope: "project", scopeId: "7", limit: 100, window: 60, reasonCode: "disabled" }],
    sampling: { version: 2, rules: [{ id: 1, type: "trace", samplingValue: { type: "sampleRate", value: 0.5 }, condition: { op: "and", inner: [] } }] },
    txNameRules: [{ pattern: "/a/*/**", expiry: "2090-01-01T00:00:00Z", redaction: { method: "replace", substitution: "*" } }],
  } });
  assert.ok(config.quotas && config.sampling && config.txNameRules, "a config of some size");
  const asked = { ...judge.asked };
  const { upstream, edge, keys, end } = await stand({ lines: 'relay_register_every = "200ms"', config });
  upstream.moved.set(edge.public_key, 4711);
  const ids = await send(edge, 10);
  await idle(edge);
  await until(() => upstream.counts.response >= 5, { what: "renewals" });
  ids.push(...await send(edge, 10));
  await idle(edge);
  assert.deepEqual(upstream.received.sort(), ids.sort());
  assert.deepEqual([...upstream.relays], [[keys.id, keys.public_key]]);
  assert.ok(!edge.log.includes(keys.secret_key));
  const times = (kind) => upstream.signed.filter((one) => one.kind === kind).length;
  assert.ok(times("configs") >= 1 && times("envelope") >= ids.length);
  for (const name of ["supports", "challenge", "response"]) assert.ok(judge.asked[name] - (asked[name] ?? 0) >= 5, `${name} was not asked`);

  const other = (await judge.ask("key_pair")).public_key;
  const refuses = (changed, words) => assert.rejects(async () => judge.verify(changed), Refusal, words);
  await sleep(1_100);
  for (const kind of ["challenge", "response", "configs", "envelope"]) {
    const { publicKey = keys.public_key, signature, body } = upstream.signed.find((one) => one.kind === kind);
    const one = { publicKey, signature, body, maxAge: 300 };
    await judge.verify(one);
    const [sig, header] = signature.split(".");
    const { t, ...rest } = JSON.parse(Buffer.from(header, "base64url"));
    assert.deepEqual(rest, {});
    assert.match(t, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    await refuses({ ...one, publicKey: other }, `${kind}: another key`);
    await refuses({ ...one, body: Buffer.concat([body, Buffer.from("\n")]) }, `${kind}: another body`);
    await refuses({ ...one, maxAge: 1 }, `${kind}: too old`);
    await refuses({ ...one, signature: `${sig}.${Buffer.from(JSON.stringify({ t: new Date().toISOString() })).toString("base64url")}` }, `${kind}: another time`);
    await refuses({ ...one, signature: `${sig}.` }, `${kind}: no header`);
  }
  await end({ refusals: [] });
});

test("a challenge or response that was altered holds it until it is asked again; one answered too late is asked for anew", async () => {
  const { upstream, edge, end } = await stand();
  edge.expectErrors = true; // it is held
  await until(() => upstream.relays.size === 1, { what: "registered" });
  Object.assign(upstream.faults, { challenge: ["changed", "late"], token: ["late"], response: [undefined, "late", "changed"] });
  upstream.forgetRelays();
  const ids = await send(edge, 5);
  const held = await until(() => cloud(edge).state === "held" && cloud(edge), { what: "held" });
  assert.match(held.held_reason, /not registered as a Relay: answer 400: .*signature/);
  assert.equal(held.waiting, 5);
  await idle(edge);
  assert.deepEqual(upstream.received.sort(), ids.sort());
  assert.ok(!cloud(edge).held_reason);
  await end({ refusals: ["challenge: invalid signature on data", "challenge: signature is too old",
    "response: signature is too old", "response: signature is too old", "response: invalid signature on data"] });
  assert.equal(upstream.counts.response, 5);
});

test("a signature that does not arrive as it left, or too late, makes it register anew once and send again", async () => {
  const { upstream, edge, end } = await stand({ lines: 'relay_register_every = "0s"' });
  upstream.faults.configs.push("changed");
  const ids = await send(edge, 3);
  await idle(edge);
  assert.equal(upstream.counts.response, 2);
  for (const [fault, so_far] of [["changed", 3], ["late", 4]]) {
    upstream.faults.envelope.push(fault);
    ids.push(...await send(edge, 1));
    await idle(edge);
    assert.equal(upstream.counts.response, so_far);
  }
  assert.deepEqual(upstream.received.sort(), ids.sort());
  await end({ refusals: ["configs: not verified", "envelope: not verified", "envelope: not verified"] });
});

test("under an id that is known with another key it is held, and goes on once that is gone", async () => {
  const { upstream, edge, keys, end } = await stand({ lines: 'relay_register_every = "0s"' });
  edge.expectErrors = true; // it is held
  const ids = await send(edge, 3);
  await idle(edge);
  upstream.relays.set(keys.id, (await judge.ask("key_pair")).public_key);
  ids.push(...await send(edge, 3));
  const held = await until(() => cloud(edge).state === "held" && cloud(edge), { what: "held" });
  assert.match(held.held_reason, /not registered as a Relay: answer 400: .*another public key/);
  assert.equal(held.waiting, 3);
  const refused = upstream.refusals.length;
  assert.ok(refused >= 1 && upstream.refusals.every((words) => words === "envelope: not verified"), upstream.refusals.join());
  upstream.relays.delete(keys.id);
  await idle(edge);
  assert.deepEqual(upstream.received.sort(), ids.sort());
  assert.equal(upstream.refusals.length, refused);
  await end({ refusals: upstream.refusals });
});

test("credentials that either made are the other's, and what is no key to one is none to the other", async () => {
  for (let i = 0; i < 8; ++i) {
    const theirs = await judge.ask("key_pair");
    const shown = show(credentials(theirs));
    assert.equal(shown.code, 0, shown.err);
    assert.deepEqual(JSON.parse(shown.out), { id: theirs.id, public_key: theirs.public_key });
  }
  for (let i = 0; i < 8; ++i) {
    const file = join(tempFolder(), "credentials.json");
    assert.equal(picket(["upstream", "credentials", "generate", file]).code, 0);
    const { id, ...keys } = JSON.parse(readFileSync(file, "utf8"));
    assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.deepEqual(await judge.ask("parse_keys", keys), keys);
    const body = Buffer.from(`of ${i}`);
    const signature = await judge.ask("sign", { secret_key: keys.secret_key, body: body.toString("base64") });
    await judge.verify({ publicKey: keys.public_key, signature, body, maxAge: 300 });
  }

  const [{ secret_key: secret, public_key: open, id }, other] = [await judge.ask("key_pair"), await judge.ask("key_pair")];
  const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part, "base64url"))).toString("base64url");
  const taken = async (key) => judge.ask("parse_keys", { secret_key: key, public_key: open }).then(() => true, () => false);
  for (const [key, what, right] of [
    [bytes(secret, open), "both halves", true], [bytes(secret, other.public_key), "halves of two", false],
    [bytes(secret).slice(0, 42), "31 bytes", false], [bytes(secret, "AA"), "33 bytes", false], ["", "nothing", false],
  ]) {
    assert.equal(await taken(key), right, `the library: ${what}`);
    assert.equal(show(credentials({ secret_key: key, public_key: open, id })).code === 0, right, what);
  }
  const mixed = show(credentials({ ...other, secret_key: secret }));
  assert.equal(mixed.code, 1);
  assert.match(mixed.err, /public_key does not belong to secret_key/);
  assert.ok(!mixed.err.includes(secret));
});

test("the categories are the library's, by name and by what an event is", async () => {
  const names = Object.keys(await judge.ask("categories"));
  assert.ok(names.length >= 25);
  const check = (words) => {
    const config = join(tempFolder(), "picket.toml");
    writeFileSync(config, `[[upstream]]\nname = "cloud"\nurl = "http://127.0.0.1:1"\ninclude_categories = ${JSON.stringify(words)}\n`);
    return picket(["config", "check", "--config", config]);
  };
  const all = check(names);
  assert.equal(all.code, 0, all.err);
  for (const word of ["errors", "Error", "log", "user_report_v2", "feedback"]) {
    const known = await judge.ask("parse_category", { name: word }) !== null;
    assert.equal(check([word]).code === 0, known, word);
  }

  const { edge, end } = await stand();
  const counted = {};
  const give = async (type, body, options) => {
    const answer = await post(edge, body, options);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const name = await judge.ask("category_of_event", { event_type: type });
    counted[name] = (counted[name] ?? 0) + 1;
  };
  const as = (item, event, id = eventId()) => envelope(id, [[{ type: item }, { ...event, event_id: id }]]);
  const report = (content_type, body) => [JSON.stringify(body), { path: `/api/${edge.project_id}/security/?sentry_key=${edge.public_key}`,
    headers: { "Content-Type": content_type, "X-Sentry-Auth": "" } }];
  const now = Date.now() / 1000;
  await give("error", as("event", errorEvent(eventId())));
  await give("default", as("event", { message: "a message", level: "info" }));
  await give("transaction", as("transaction", { type: "transaction", transaction: "/", start_timestamp: now - 1, timestamp: now,
    contexts: { trace: { trace_id: "ab".repeat(16), span_id: "cd".repeat(8), op: "http.server" } } }));
  await give("feedback", as("feedback", { type: "feedback", contexts: { feedback: { message: "so it is" } } }));
  await give("csp", ...report("application/csp-report", { "csp-report": {
    "document-uri": "https://example.com/", "effective-directive": "script-src", "blocked-uri": "https://example.org/x.js" } }));
  await give("expectct", ...report("application/expect-ct-report+json", { "expect-ct-report": {
    "date-time": new Date().toISOString(), hostname: "example.com", port: 443, "effective-expiration-date": new Date().toISOString(),
    "served-certificate-chain": [], "validated-certificate-chain": [], scts: [] } }));
  await idle(edge);
  const ledger = picket(["ledger", "--storage", edge.storage, "--by", "category", "--json"], { env: edge.env });
  assert.deepEqual(Object.fromEntries(JSON.parse(ledger.out).data.map((row) => [row.category, row.received])), counted);
  assert.deepEqual(counted, { error: 2, transaction: 1, feedback: 1, security: 2 });
  await end({ refusals: [] });
});

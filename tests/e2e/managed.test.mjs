// Picket where a Relay stood: before an upstream that takes signed requests of registered Relays only, checked by Node's
// own Ed25519. tests/sdk/managed.test.mjs has them checked by the library of Sentry's server.
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertConserved, picket, tempFolder, until } from "./lib.mjs";
import { RelayUpstream, cloud, edgeOf, idle, send } from "./relay_upstream.mjs";

test("an upstream that denies the Relay holds everything until its key is entered there", async () => {
  const upstream = await new RelayUpstream().start();
  const { edge, file, publicKey } = await edgeOf(upstream);
  edge.expectErrors = true; // it is held
  const ids = await send(edge, 5);
  const held = await until(() => cloud(edge).state === "held" && cloud(edge), { what: "held" });
  assert.match(held.held_reason, /not registered as a Relay: answer 403: .*Relay is not allowed to register/);
  assert.equal(held.waiting, 5);
  assert.match(picket(["status", "--storage", edge.storage], { env: edge.env }).out, /not allowed to register/);

  upstream.faults.token.push("late"); // and the first challenge is answered too late
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
  assert.deepEqual(upstream.refusals, ["response: the token is too old"]);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.stop();
});

test("an upstream that forgets its Relays, errs, goes down and comes back gets each event once, with kill -9 in between", async () => {
  const upstream = await new RelayUpstream().start();
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
  assert.deepEqual([...upstream.problems, ...upstream.refusals], []);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.stop();
});

test("a Relay's own credentials are taken over; disabled projects wait here, moved ones are found", async () => {
  const upstream = await new RelayUpstream().start();
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
  assert.deepEqual([...upstream.problems, ...upstream.refusals], []);
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

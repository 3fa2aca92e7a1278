// Weather that a pair of virtual interfaces cannot have (weather.test.mjs has what it can): long, lossy and slow links, links that carry
// one way only, answers that break off, and hosts on the way that lie. After each: everything upstream once, at its own time, in order.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertConserved, sleep, tempFolder, until, uptimeMs } from "./lib.mjs";
import { assertArrived, destination, fair, farAddress, makeWeather, mostOvertaken, stage, strangerAddress, waiting } from "./two_hosts.mjs";

const weather = await makeWeather(400);
const quick = 'retry_min = "100ms"\nretry_max = "500ms"\n';

function under(name, change, body) {
  test(name, { skip: weather.skip, timeout: 150_000 }, async () => {
    weather.tell(fair);
    weather.tell(change);
    const began = uptimeMs();
    console.log(`${name}: ${await body()}; ${((uptimeMs() - began) / 1_000).toFixed(1)} s in all`);
  });
}

async function assertAllCame(staged, { ambiguous = false, within = 60_000 } = {}) {
  const { edge, upstream } = staged;
  await until(() => waiting(edge) === 0, { within, every: 100, what: "nothing waiting" });
  const twice = assertArrived(staged, { ambiguous });
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.end();
  return twice;
}

under("800 ms away", { latency: 400 }, async () => {
  const staged = await stage();
  await staged.send(60);
  const began = uptimeMs();
  await until(() => waiting(staged.edge) === 0, { within: 60_000, what: "nothing waiting" });
  const took = uptimeMs() - began;
  // One at a time would take 48 s.
  assert.ok(took < 30_000, `${took} ms`);
  const twice = await assertAllCame(staged);
  assert.equal(twice, 0);
  return `60 in ${took} ms`;
});

under("800 ms away, a backlog by classes", { latency: 400, open: false }, async () => {
  const staged = await stage('max_in_flight = 8\npriority = ["errors", "transactions"]\npriority_backlog = 5\nnewest_first = ["errors"]\nretry_min = "10m"\nretry_max = "10m"');
  for (let i = 0; i < 12; ++i) {
    await staged.send(2, "transaction");
    await staged.send(1);
  }
  weather.tell({ open: true });
  await until(() => waiting(staged.edge) === 0, { within: 60_000, what: "nothing waiting" });
  const types = [...new Set(staged.upstream.arrived().map(({ id }) => id))].map((id) => staged.sent.get(id).type);
  const early = types.slice(0, types.lastIndexOf("event")).filter((type) => type === "transaction").length;
  const newest = mostOvertaken(staged, "event", true);
  const oldest = mostOvertaken(staged, "transaction");
  // What was tried before there was a backlog is tried first; those under way together arrive in any order.
  assert.ok(early <= 8, `${early} transactions before the last error`);
  assert.ok(newest <= 8, `an error was overtaken by ${newest}`);
  assert.ok(oldest <= 8, `a transaction was overtaken by ${oldest}`);
  const twice = await assertAllCame(staged, { ambiguous: true });
  return `${early} transactions before the last error, overtaken by at most ${Math.max(newest, oldest)}, ${twice} sent twice`;
});

// Each connection takes longer than one is usually waited for, and a handshake longer than a connection.
under("2 s away, over TLS", { latency: 1_000 }, async () => {
  const staged = await stage("max_in_flight = 2", { host: { secure: true } });
  await staged.send(6);
  await until(() => waiting(staged.edge) === 0, { within: 100_000, every: 100, what: "nothing waiting" });
  const connections = await staged.upstream.does({});
  const twice = await assertAllCame(staged);
  assert.equal(twice, 0);
  // Those that ask whether there is a link come beside the two.
  assert.ok(connections <= 12, `${connections} connections`);
  return `6 over ${connections} connections`;
});

under("20 % loss both ways", { latency: 20, jitter: 10, loss: 0.2 }, async () => {
  const staged = await stage("max_in_flight = 8");
  await staged.send(60);
    const twice = await assertAllCame(staged, { ambiguous: true, within: 120_000 });
  assert.ok(twice <= 12, `${twice} of 60 sent twice`);
  return `${twice} of 60 sent twice, overtaken by at most ${mostOvertaken(staged, "event")}`;
});

// So slow that a request waits longer than a stall is waited for, only because others are before it.
under("9.6 kbit/s", { latency: 100, rate: 1_200, queue: 32_000 }, async () => {
  const staged = await stage('stall_timeout = "8s"\nconnect_timeout = "8s"\n' + quick);
  await staged.send(16);
  const twice = await assertAllCame(staged, { ambiguous: true, within: 120_000 });
  assert.equal(twice, 0, "sent again, on a link that has no room for it");
  return `16 sent`;
});

for (const [way, what] of [["out", "questions"], ["back", "answers"]]) {
  under(`${what} are swallowed`, { latency: 5 }, async () => {
    const staged = await stage("max_in_flight = 4");
    await staged.send(10);
    await until(() => waiting(staged.edge) === 0, { what: "what comes before" });
    weather.tell({ way, open: false });
    await staged.send(10);
    await sleep(4_000);
    weather.tell({ open: true });
    const twice = await assertAllCame(staged, { ambiguous: way === "back" });
    assert.ok(twice <= 4, `${twice} sent twice`);
    return `${twice} of 20 sent twice`;
  });
}

under("answers that break off in the middle", {}, async () => {
  const staged = await stage("max_in_flight = 1\n" + quick);
  await staged.upstream.does({ answers: "cut", every: 3 });
  await staged.send(30);
  const twice = await assertAllCame(staged);
  assert.ok(twice >= 10, `only ${twice} answers broke off`);
  assert.equal(mostOvertaken(staged, "event"), 0);
  return `${twice} answers of 30 broke off, and were asked for again`;
});

under("a captive portal acknowledges nothing", {}, async () => {
  const staged = await stage("max_in_flight = 1\n" + quick);
  for (const answers of ["html", "login", "captive"]) {
    await staged.upstream.does({ answers });
    const forwarded = destination(staged.edge).forwarded;
    await staged.send(5);
    await until(() => destination(staged.edge).last_error !== "", { what: `${answers} to be noticed` });
    const expected = answers === "login" ? /redirects/ : /captive portal/;
    await until(() => expected.test(destination(staged.edge).last_error), { what: `${expected}` });
    await sleep(300);
    assert.equal(destination(staged.edge).forwarded, forwarded, answers);
  }
  assert.equal(staged.upstream.arrived().length, 0);
  await staged.upstream.does({ answers: "whole" });
  const twice = await assertAllCame(staged);
  assert.equal(twice, 0);
  return "15 waited for three pages of it";
});

under("a name server that lies, denies and falls silent", {}, async () => {
  const resolver = join(tempFolder(), "resolv.conf");
  writeFileSync(resolver, `nameserver ${farAddress}\noptions timeout:1 attempts:1\n`);
  const through = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver];
  const staged = await stage(quick, { host: { whole: true }, by: "tracker.picket.test", through });
  const { edge, upstream, send } = staged;
  const reaches = async (lie, error) => {
    await upstream.does({ name: lie });
    await send(5);
    await until(() => error.test(destination(edge).last_error), { what: `${error}` });
    await sleep(1_000);
    assert.equal(waiting(edge) >= 5, true);
    await upstream.does({ name: farAddress });
    const began = uptimeMs();
    await until(() => waiting(edge) === 0, { within: 90_000, what: "what waits, after the truth" });
    return uptimeMs() - began;
  };
  const lie = await reaches(strangerAddress, /captive portal/);
  await edge.stop();
  await edge.start();
  const denied = await reaches("nxdomain", /resolve/);
  await edge.stop();
  await edge.start();
  const silent = await reaches("silence", /resolv/i);
  for (const took of [lie, denied, silent]) assert.ok(took < 20_000, `${took} ms after the truth`);
  const twice = await assertAllCame(staged);
  assert.equal(twice, 0);
  return `went ${lie}, ${denied} and ${silent} ms after the truth`;
});

under("a proxy that dies", { latency: 5 }, async () => {
  const staged = await stage('max_in_flight = 4\nproxy = "PROXY"\n' + quick, { host: { whole: true } });
  const { edge, upstream, send } = staged;
  await send(10);
  await until(() => waiting(edge) === 0, { what: "what comes before" });
  let sending = send(40);
  await until(() => upstream.arrived().length > 12, { what: "some of it" });
  await upstream.does({ proxy: false });
  await sending;
  await until(() => destination(edge).last_error !== "", { what: "the death" });
  await sleep(1_000);
  assert.ok(waiting(edge) > 0);
  await upstream.does({ proxy: true });
  const began = uptimeMs();
  const twice = await assertAllCame(staged, { ambiguous: true });
  assert.ok(twice <= 4, `${twice} sent twice`);
  return `all there ${uptimeMs() - began} ms after it came back, ${twice} of 50 sent twice`;
});

// Two hosts and a link between them that is cut in every way that can be staged without special hardware: network namespaces and a
// pair of virtual interfaces. Needs root and iproute2; says so when they are not there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertConserved, sleep, until, uptimeMs } from "./lib.mjs";
import { assertArrived, farAddress, ip, layCable, near, nearAddress, stage, there, waiting } from "./two_hosts.mjs";

const skip = layCable();

// What is done to the link, and undone.
const cuts = {
  "no carrier": [() => ip("link", "set", near, "down"), () => ip("link", "set", near, "up")],
  "everything is swallowed": [
    () => ip("neigh", "replace", farAddress, "lladdr", "02:00:00:00:00:01", "dev", near, "nud", "permanent"),
    () => ip("neigh", "del", farAddress, "dev", near)],
  "answers are swallowed": [
    () => ip("-n", there, "route", "add", "blackhole", `${nearAddress}/32`),
    () => ip("-n", there, "route", "del", "blackhole", `${nearAddress}/32`)],
};

for (const [name, [cut, mend]] of Object.entries(cuts)) {
  // The pauses of the back-off are longer than what this test is ready to wait for, TCP's own are 6 s by then.
  test(`after a link was cut, what waits goes at once: ${name}`, { skip, timeout: 300_000 }, async () => {
    const staged = await stage('retry_min = "1m"\nretry_max = "10m"');
    const { edge, upstream, send } = staged;
    const outage = async (meanwhile) => {
      await send(20);
      await until(() => waiting(edge) === 0, { what: "what comes before" });
      cut();
      await send(20);
      await meanwhile();
      await sleep(8_000);
      const seen = upstream.arrived().length;
      const mended = uptimeMs();
      mend();
      await until(() => upstream.arrived().length > seen || waiting(edge) === 0, { within: 60_000, every: 20, what: "the first" });
      const first = (upstream.arrived()[seen]?.uptime ?? uptimeMs()) - mended;
      await until(() => waiting(edge) === 0, { within: 60_000, what: "what waits" });
      return first;
    };
    const first = await outage(async () => {});
    const anew = await outage(async () => { await edge.stop(); await edge.start(); });
    const twice = assertArrived(staged, { ambiguous: true });
    console.log(`${name}: the first after ${first} ms, and ${anew} ms after a restart within the outage; ${twice} of ${staged.sent.size} sent twice`);
    assert.ok(first <= 4_000, `${first} ms`);
    assert.ok(anew <= 4_000, `${anew} ms after a restart`);
    await until(() => edge.status().digest.waiting === 0);
    await assertConserved(assert, edge);
    await edge.end();
    await upstream.end();
  });
}

test("a link that flaps every few seconds carries everything", { skip, timeout: 300_000 }, async () => {
  const staged = await stage();
  const { edge, upstream, send } = staged;
  const [cut, mend] = cuts["no carrier"];
  let going = true;
  const flapping = (async () => {
    while (going) {
      await sleep(1_500);
      cut();
      await sleep(2_500);
      mend();
    }
  })();
  for (let i = 0; i < 120; ++i) {
    await send(5);
    await sleep(150);
  }
  going = false;
  await flapping;
  await until(() => waiting(edge) === 0, { within: 60_000, what: "what waits" });
  const twice = assertArrived(staged, { ambiguous: true });
  console.log(`flapping: ${twice} of ${staged.sent.size} sent twice`);
  assert.ok(twice <= 60, `${twice} sent twice`);
  await until(() => edge.status().digest.waiting === 0);
  await assertConserved(assert, edge);
  await edge.end();
  await upstream.end();
});

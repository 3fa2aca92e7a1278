// node walk.mjs NAME=BINARY…, oldest first: data folders, each served by one version after the other, up, down and
// with skips, stopped and killed in the midst of traffic. After each step: all that was ever acknowledged is there once
// and says the same as on the day it came, issues and their tags count it, the ledger balances, the journal is whole,
// and the upstream has had everything once.
import { spawnSync } from "node:child_process";
import { Box, bundleReader, configurationError, tagRunsReader, until } from "./box.mjs";
import { check, counts } from "./checks.mjs";
import { compare, compareJournal } from "./compare.mjs";
import { Traffic } from "./traffic.mjs";

const versions = process.argv.slice(2).map((word) => {
  const at = word.indexOf("=");
  const version = { name: word.slice(0, at), binary: word.slice(at + 1) };
  return { ...version, schema: JSON.parse(spawnSync(version.binary, ["version", "--json"], { encoding: "utf8" }).stdout).schema };
});
if (versions.length < 2) {
  console.error("two versions at least: NAME=BINARY NAME=BINARY");
  process.exit(64);
}

// Each is followed by each other once, and the last by the first.
function circuit(of) {
  const path = [];
  for (const [i, one] of of.entries()) for (const other of of.slice(i + 1)) path.push(one, other);
  return path;
}

// What was stopped leaves data for every version. While counts of tags wait, after a kill, older ones refuse; the one
// that was killed adds them up when it is started and stopped once.
async function startAfter(box, version, before) {
  const refused = await box.start(version);
  if (refused === null) return false;
  const { code, said } = refused;
  const tagsWait = before?.killed && before.version.schema >= tagRunsReader && version.schema < tagRunsReader;
  check(tagsWait && code === configurationError && said.includes(`needs schema ${tagRunsReader}`), `${version.name} after ${before?.version.name} ended with ${code}: ${said}`);
  await box.start(before.version);
  await box.stop("SIGTERM");
  const again = await box.start(version);
  if (again !== null) throw new Error(`${version.name} refuses what ${before.version.name} was stopped on: ${again.said}`);
  return true;
}

// One step, to the stop at its end. Whether counts of tags wait behind it: a stop adds them up, a kill does not.
async function serve(box, traffic, round, signal, next, ahead) {
  const { version } = box;
  const at = `${version.name}, step ${round}`;
  console.log(`step ${round}: ${version.name}, ends with ${signal}`);
  if (round > 0) await compare(box, traffic, at);  // what the others have left
  await traffic.some(round);
  await ahead(box, traffic, round);
  await compare(box, traffic, at, (one) => one.said === null);
  const { issue } = traffic.of("event").find(([, one]) => one.issue === `solved ${round}`)[1].said;
  await box.ofOrganization(`issues/${issue}/`, { method: "PUT", body: JSON.stringify({ status: "resolved" }) });
  await box.ofOrganization(`issues/${issue}/comments/`, { method: "POST", body: JSON.stringify({ text: `seen to: solved ${round}` }) });
  traffic.solved.add(issue);
  traffic.stopping = signal;
  const tagsWait = version.schema >= tagRunsReader && next?.schema < tagRunsReader;
  if (tagsWait) {
    await traffic.rush(round);
    await until(() => box.status().digest.waiting === 0, "the digest");
  }
  await traffic.rush(round, () => box.stop(signal));
  traffic.stopping = null;
  const upstream = new Set(box.upstream.ids());
  traffic.late += traffic.of("event").filter(([id, one]) => one.sure && !upstream.has(id)).length;
  return tagsWait && signal === "SIGKILL";
}

// Serves the path over one box; `ahead` is done in the midst of each step, `behind` after its stop.
async function walk(path, environment, { ahead = async () => {}, behind = async () => {} } = {}) {
  const box = new Box(environment);
  const traffic = new Traffic(box);
  try {
    await box.open(path[0].version);
    let before = null;
    let refusals = 0;
    for (const [round, { version, signal }] of path.entries()) {
      const refused = await startAfter(box, version, before);
      check(refused || !before?.tagsWait, `${version.name} did not refuse while counts of tags wait`);
      refusals += refused ? 1 : 0;
      const tagsWait = await serve(box, traffic, round, signal, path[round + 1]?.version, ahead);
      before = { version, killed: signal === "SIGKILL", tagsWait };
      await behind(box, before);
    }
    const newest = path.at(-1).version;
    await startAfter(box, newest, before);
    await compare(box, traffic, `${newest.name}, at the end`);
    await box.stop("SIGTERM");
    compareJournal(box, newest, traffic);
    console.log(`${traffic.of("event").length} events, ${traffic.of("transaction").length} transactions, ${traffic.of("check_in").length} check-ins, ` +
      `${traffic.counted.session.sure} sessions and ${traffic.counted.log.sure} logs over ${path.length} steps: ${path.map(({ version }) => version.name).join(" → ")}`);
    console.log(`${refusals} times an older one refused while counts of tags waited; ${traffic.late} events waited for the upstream over an exchange; ${traffic.twice} of the moments before kills went there again`);
    check(traffic.late > 0, "nothing waited for the upstream at any exchange");
  } catch (error) {
    check(false, error.stack);
  } finally {
    await box.close();
  }
}

const stops = (signal) => circuit(versions).map((version) => ({ version, signal }));
const [oldest, newest] = [versions[0], versions.at(-1)];
await walk([...stops("SIGTERM"), ...stops("SIGKILL"), { version: oldest, signal: "SIGTERM" }, { version: newest, signal: "SIGTERM" }], () => ({}));

// Once segments are recompressed, versions that do not know them refuse for good; the others go on.
const readers = versions.filter((version) => version.schema >= bundleReader);
const others = versions.filter((version) => version.schema < bundleReader);
const recompressed = (box) => box.status().journal.recompressed.segments;
if (readers.length > 0) {
  let made = 0;
  const first = others.slice(-1).map((version) => ({ version, signal: "SIGTERM" }));
  const path = [...circuit(readers), readers[0], newest].map((version, i) => ({ version, signal: i % 2 === 0 ? "SIGTERM" : "SIGKILL" }));
  await walk([...first, ...path], ({ schema }) => (schema < bundleReader ? {} : { PICKET_STORAGE_RECOMPRESS: "true", PICKET_STORAGE_RECOMPRESS_AFTER: "0s" }), {
    async ahead(box, traffic, round) {
      if (box.version.schema < bundleReader) return;
      const had = recompressed(box);
      check(had >= made, `${box.version.name} knows of ${had} recompressed segments of ${made}`);
      await until(async () => {
        await traffic.fill(round);
        return (made = recompressed(box)) > had;
      }, "a segment to be recompressed");
    },
    async behind(box, before) {
      if (before.version.schema < bundleReader) return;
      for (const version of others) {
        const refused = await box.start(version);
        check(refused?.code === configurationError && /needs schema \d+; this is Picket \S+ with schema \d+/.test(refused.said), `${version.name} on recompressed segments: ${JSON.stringify(refused)}`);
        if (refused === null) await box.stop("SIGTERM");
      }
    },
  });
}

console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 ? 0 : 1);

// node walk.mjs NAME=BINARY…, oldest first: one data folder, served by each in turn, up, down and with skips.
// After each step: all that was ever acknowledged is there once and says the same as on the day it came, the
// ledger balances, the journal is whole. At the end the journal holds a record of each, once.
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

const versions = process.argv.slice(2).map((word) => {
  const at = word.indexOf("=");
  return { name: word.slice(0, at), binary: word.slice(at + 1) };
});
const perStep = Number(process.env.PICKET_PER_STEP ?? 40);
if (versions.length < 2) {
  console.error("two versions at least: NAME=BINARY NAME=BINARY");
  process.exit(64);
}

const folder = mkdtempSync(join(tmpdir(), "picket-versions-"));
const storage = join(folder, "data");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
let passed = 0;
let failed = 0;
function check(good, words) {
  good ? ++passed : ++failed;
  if (!good) console.log(`FAILED: ${words}`);
}
async function until(probe, what) {
  const end = Date.now() + 60_000;
  for (let last; ; await sleep(50)) {
    try { last = await probe(); if (last) return last; } catch (error) { last = error; }
    if (Date.now() > end) throw new Error(`waited 60 s for ${what}; last: ${last?.stack ?? JSON.stringify(last)}`);
  }
}

let made;
let running;
const environment = { ...process.env, PICKET_SERVER_LISTEN: "127.0.0.1:0", PICKET_STORAGE_PATH: storage, PICKET_STORAGE_SEGMENT_BYTES: "1MiB" };
function verb(version, ...words) {
  const run = spawnSync(version.binary, [...words, "--storage", storage], { encoding: "buffer", env: environment, maxBuffer: 1 << 30 });
  return { code: run.status, out: run.stdout, err: run.stderr.toString() };
}

async function start(version) {
  const log = join(folder, "log");
  const file = openSync(log, "w");
  const child = spawn(version.binary, ["serve"], { env: environment, stdio: ["ignore", "ignore", file] });
  closeSync(file);
  const gone = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
  let ended = null;
  gone.then((how) => (ended = how));
  const url = await until(() => {
    if (ended !== null) throw new Error(`${version.name} ended with ${ended}: ${readFileSync(log, "utf8")}`);
    return readFileSync(log, "utf8").match(/listening on (http:\S+)/)?.[1];
  }, `${version.name} to listen`);
  running = { version, child, gone, url, log };
}
async function stop() {
  running.child.kill(running.kill ? "SIGKILL" : "SIGTERM");
  const how = await running.gone;
  check(how === 0 || running.kill, `${running.version.name} ended with ${how}`);
  const errors = readFileSync(running.log, "utf8").split("\n").filter((line) => line.startsWith("error "));
  check(errors.length === 0, `${running.version.name} logged ${errors[0]}`);
}

const api = async (path) => {
  const answer = await fetch(`${running.url}/api/0/${path}`, { headers: { Authorization: `Bearer ${made.token}` } });
  return { status: answer.status, headers: answer.headers, body: await answer.json().catch(() => null) };
};
async function allEvents() {
  const ids = [];
  for (let cursor = ""; ;) {
    const page = await api(`projects/${made.organization}/${made.project}/events/?per_page=100&cursor=${cursor}`);
    if (page.status !== 200) throw new Error(`listing events: ${page.status}`);
    ids.push(...page.body.map((event) => event.eventID));
    const next = page.headers.get("link").match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
    if (next[1] !== "true") return ids;
    cursor = next[2];
  }
}
// What every version says of an event; later ones say more.
const core = (event) => ({
  id: event.eventID, title: event.title, message: event.message, platform: event.platform, dateCreated: event.dateCreated,
  tags: event.tags.filter((tag) => ["round", "server_name"].includes(tag.key)).map(({ key, value }) => ({ key, value })),
  filler: event.context?.filler, entries: event.entries.map((entry) => entry.type).sort(),
});

const acknowledged = new Map(); // id → what was said of it at first
let sessions = 0;
async function post(items, id) {
  const lines = [JSON.stringify({ event_id: id })];
  for (const [header, payload] of items) lines.push(JSON.stringify(header), JSON.stringify(payload));
  const answer = await fetch(`${running.url}/api/${made.project_id}/envelope/`, { method: "POST", body: lines.join("\n") + "\n",
    headers: { "X-Sentry-Auth": `Sentry sentry_key=${made.public_key}, sentry_version=7` } });
  check(answer.status === 200, `${running.version.name} answered ${answer.status}`);
  return answer.status === 200;
}
async function traffic(round) {
  for (let i = 0; i < perStep; ++i) {
    const id = randomUUID().replaceAll("-", "");
    const filler = `filler-${id}-${"x".repeat((i * 997) % 40_000)}`;
    const event = { event_id: id, timestamp: Date.now() / 1000, platform: "python", level: "error", server_name: "till-7", tags: { round: String(round) }, extra: { filler },
      exception: { values: [{ type: "ValueError", value: `broke in round ${round % 3}`, stacktrace: { frames: [{ function: `f${i % 5}`, module: "app", lineno: i }] } }] } };
    if (await post([[{ type: "event" }, event]], id)) acknowledged.set(id, null);
    if (i % 10 === 0 && await post([[{ type: "session" }, { sid: randomUUID(), init: true, started: new Date().toISOString(), status: "exited", attrs: { release: "till@1.0.0" } }]], undefined)) ++sessions;
  }
}
async function compare(round) {
  const { name } = running.version;
  const status = () => JSON.parse(verb(running.version, "status", "--json").out);
  await until(() => status().digest.waiting === 0, "the digest");
  const ids = await allEvents();
  check(new Set(ids).size === ids.length, `${name}: an event is listed twice`);
  const there = new Set(ids);
  const missing = [...acknowledged.keys()].filter((id) => !there.has(id));
  check(missing.length === 0, `${name}, step ${round}: ${missing.length} acknowledged events are missing`);
  check(ids.length === acknowledged.size, `${name}, step ${round}: ${ids.length} events, ${acknowledged.size} were acknowledged`);
  let differing = 0;
  for (const [id, before] of acknowledged) {
    const event = await api(`projects/${made.organization}/${made.project}/events/${id}/`);
    if (event.status !== 200) { ++differing; continue; }
    if (before === null) acknowledged.set(id, core(event.body));
    else if (!isDeepStrictEqual(core(event.body), before)) {
      if (++differing === 1) console.log(`${JSON.stringify(before)}\n${JSON.stringify(core(event.body))}`);
    }
  }
  check(differing === 0, `${name}, step ${round}: ${differing} events are not what they were`);
  const issues = (await api(`projects/${made.organization}/${made.project}/issues/?query=`)).body;
  const counted = issues.reduce((sum, issue) => sum + Number(issue.count), 0);
  check(counted === acknowledged.size, `${name}, step ${round}: issues count ${counted} events of ${acknowledged.size}`);
  const answer = await api(`organizations/${made.organization}/sessions/?field=sum(session)&statsPeriod=1d`);
  const total = answer.body?.groups?.[0]?.totals["sum(session)"] ?? 0;
  check(total === sessions, `${name}, step ${round}: ${total} sessions of ${sessions}`);
  await until(() => verb(running.version, "ledger", "--check").code !== 69, "the ledger");
  const ledger = verb(running.version, "ledger", "--check");
  check(ledger.code === 0, `${name}, step ${round}: the ledger does not balance: ${ledger.out}${ledger.err}`);
  check(verb(running.version, "journal", "verify").code === 0, `${name}, step ${round}: the journal is not whole`);
}

const last = versions.length - 1;
const up = versions.map((_, i) => i);
const path = [...up, 0, last, ...up.slice(0, -1).reverse(), last].filter((each, i, all) => each !== all[i - 1]);
let code = 1;
try {
  made = JSON.parse(verb(versions[0], "init", "--json").out);
  for (const [round, index] of path.entries()) {
    await start(versions[index]);
    console.log(`step ${round}: ${versions[index].name}`);
    await compare(round);     // what the others have left
    await traffic(round);
    await compare(round);
    running.kill = round % 4 === 3; // now and then the exchange is a crash
    await stop();
  }
  const newest = versions[last];
  const exported = verb(newest, "journal", "export");
  check(exported.code === 0, `export: ${exported.err}`);
  const records = exported.out.toString("latin1").match(/^\{"sequence":\d+,.*"crc32c":"[0-9a-f]{8}"\}$/gm) ?? [];
  const ids = records.map((line) => JSON.parse(line).event_id).filter((id) => acknowledged.has(id));
  check(ids.length === acknowledged.size && new Set(ids).size === ids.length, `${ids.length} of ${acknowledged.size} events are in the journal`);
  code = failed === 0 ? 0 : 1;
  console.log(`${acknowledged.size} events and ${sessions} sessions over ${path.length} steps: ${path.map((index) => versions[index].name).join(" → ")}`);
} catch (error) {
  ++failed;
  console.log(error.stack);
} finally {
  running?.child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(code);

// etc/upgrade.sh with real binaries and traffic running: exchanged, refused, rolled back, nothing lost.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertConserved, binary, envelope, errorEvent, eventId, picket as verb, post, root, sleep, tempFolder, until } from "./lib.mjs";

const folder = tempFolder();
// Without symbols, as it is installed; the sanitizers' binary is 240 MB with them.
const built = join(folder, "base");
if (spawnSync("strip", ["-o", built, binary]).status !== 0) copyFileSync(binary, built);
const installed = join(folder, "picket");
const storage = join(folder, "data");
const config = join(folder, "picket.toml");
let url;
let made;

// A copy of the real binary that differs from all others in its checksum only.
function realBinary(name) {
  const path = join(folder, name);
  copyFileSync(built, path);
  appendFileSync(path, name);
  chmodSync(path, 0o755);
  return path;
}
// A binary that tells its version like the real one, and then serves as `lines` say.
function oddBinary(name, lines) {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n# ${name}\n[ "$1" = serve ] || exec ${built} "$@"\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

// Stands for systemd: stops what runs, starts what is installed.
const restart = join(folder, "restart.sh");
writeFileSync(restart, `#!/bin/sh
if [ -e ${folder}/pid ]; then
  pid=$(cat ${folder}/pid)
  kill "$pid" 2>/dev/null
  while [ -e "/proc/$pid/exe" ]; do sleep 0.05; done
fi
setsid ${installed} serve --config ${config} >>${folder}/log 2>&1 </dev/null &
echo $! >${folder}/pid
`);

function upgrade(args, env = {}) {
  return new Promise((done) => {
    let out = "";
    const child = spawn("sh", [join(root, "etc/upgrade.sh"), "--binary", installed, "--storage", storage, "--config", config, "--url", url,
      "--restart", `sh ${restart}`, "--wait", "20", ...args], { env: { ...process.env, ...env } });
    child.stdout.on("data", (bytes) => (out += bytes));
    child.stderr.on("data", (bytes) => (out += bytes));
    child.once("close", (code) => done({ code, out }));
    upgrade.child = child;
  });
}
const history = () => JSON.parse(verb(["version", "history", "--json", "--storage", storage]).out).history;
const sumOf = (path) => JSON.parse(spawnSync(path, ["version", "--json"], { encoding: "utf8" }).stdout).binary;

// Senders that come again until they are answered, and remember what was acknowledged.
const acknowledged = new Set();
let going = true;
let senders;
async function sender() {
  while (going) {
    const id = eventId();
    const body = envelope(id, [[{ type: "event" }, errorEvent(id)]]);
    while (going) {
      try {
        const answer = await post({ url, ...made }, body);
        if (answer.status === 200) { acknowledged.add(id); break; }
      } catch { /* between two binaries nobody listens */ }
      await sleep(20);
    }
    await sleep(5);
  }
}

before(async () => {
  mkdirSync(storage, { mode: 0o700 });
  const port = await new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => { const { port: free } = probe.address(); probe.close(() => done(free)); });
  });
  url = `http://127.0.0.1:${port}`;
  writeFileSync(config, `[server]\nlisten = "127.0.0.1:${port}"\n[storage]\npath = "${storage}"\n`);
  made = JSON.parse(verb(["init", "--storage", storage, "--json"]).out);
  copyFileSync(realBinary("first"), installed);
  spawnSync("sh", [restart]);
  await until(async () => (await fetch(`${url}/api/relay/healthcheck/ready/`)).status === 200, { what: "the first binary" });
  senders = Promise.all([sender(), sender(), sender(), sender()]);
  await until(() => acknowledged.size > 20, { what: "traffic" });
});

after(() => {
  going = false;
  if (existsSync(join(folder, "pid"))) {
    try { process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), "SIGKILL"); } catch { /* gone */ }
  }
  rmSync(folder, { recursive: true, force: true });
});

test("a good binary takes over, under traffic", async () => {
  const second = realBinary("second");
  const run = await upgrade([second]);
  assert.equal(run.code, 0, run.out);
  assert.equal(sumOf(installed), sumOf(second));
  assert.equal(sumOf(`${installed}.previous`), sumOf(join(folder, "first")));
  assert.deepEqual(history().map((entry) => entry.what), ["started", "upgrading", "started", "upgraded"]);
  assert.equal((await upgrade([second])).code, 0, "the same binary again is no work");
  assert.equal(history().length, 4);
});

test("what cannot run, or does not take the configuration, is not put in place", async () => {
  const whole = readFileSync(built);
  const broken = join(folder, "broken");
  writeFileSync(broken, whole.subarray(0, Math.floor(whole.length / 3)), { mode: 0o755 });
  const picky = join(folder, "picky");
  writeFileSync(picky, `#!/bin/sh\n[ "$1 $2" != "config check" ] || { echo "picket: unknown key" >&2; exit 78; }\nexec ${built} "$@"\n`, { mode: 0o755 });
  for (const [path, words] of [[broken, /cannot be run/], [picky, /unknown key/], ["/bin/true", /no Picket/]]) {
    const run = await upgrade([path]);
    assert.equal(run.code, 78, run.out);
    assert.match(run.out, words);
  }
  assert.equal(sumOf(installed), sumOf(join(folder, "second")));
  assert.equal((await upgrade([])).code, 64);
  assert.equal((await upgrade([join(folder, "nowhere")])).code, 64);
});

test("a binary that ends at once, one that never gets ready, one that hangs: rolled back", { timeout: 240_000 }, async () => {
  const lines = {
    ends: "exit 70",
    elsewhere: `exec ${built} "$@" --listen 127.0.0.1:0 --storage ${join(folder, "other")}`,
    hangs: "exec sleep 600",
  };
  for (const [name, text] of Object.entries(lines)) {
    const sent = acknowledged.size;
    const run = await upgrade([oddBinary(name, text), "--wait", "12"]);
    assert.equal(run.code, 1, `${name}: ${run.out}`);
    assert.match(run.out, /rolled back/);
    assert.equal(sumOf(installed), sumOf(join(folder, "second")), name);
    assert.equal(history().at(-1).what, "rolled-back");
    await until(() => acknowledged.size > sent + 20, { what: `traffic after ${name}` });
  }
});

test("interrupted half-way it goes back", async () => {
  const running = upgrade([oddBinary("slow", "exec sleep 600"), "--wait", "60"]);
  await until(() => history().at(-1).what === "upgrading" && readFileSync(installed).subarray(0, 2).toString() === "#!", { what: "the exchange" });
  await sleep(1500);
  upgrade.child.kill("SIGTERM");
  const run = await running;
  assert.equal(run.code, 1, run.out);
  assert.match(run.out, /interrupted/);
  assert.equal(sumOf(installed), sumOf(join(folder, "second")));
});

test("a lock refuses, and two upgrades at once do as well", async () => {
  const third = realBinary("third");
  const locked = verb(["version", "lock", "--reason", "harvest", "--storage", storage]);
  assert.equal(locked.code, 0, locked.err);
  const refused = await upgrade([third]);
  assert.equal(refused.code, 1, refused.out);
  assert.match(refused.out, /locked \(harvest\)/);
  assert.equal(verb(["version", "lock", "--storage", storage]).code, 1);
  assert.equal(verb(["version", "unlock", "--storage", storage]).code, 0);
  assert.equal(verb(["version", "unlock", "--storage", storage]).code, 1);
  mkdirSync(`${installed}.upgrading`);
  writeFileSync(join(`${installed}.upgrading`, "pid"), String(process.pid));
  assert.equal((await upgrade([third])).code, 69);
  writeFileSync(join(`${installed}.upgrading`, "pid"), "999999999");
  const run = await upgrade([third]);
  assert.equal(run.code, 0, `what a killed upgrade has left is taken over: ${run.out}`);
});

test("--rollback goes back to the binary of before, and forth again", async () => {
  assert.equal((await upgrade(["--rollback"])).code, 0);
  assert.equal(sumOf(installed), sumOf(join(folder, "second")));
  assert.equal((await upgrade(["--rollback"])).code, 0);
  assert.equal(sumOf(installed), sumOf(join(folder, "third")));
});

test("nothing acknowledged was lost over all of it, nothing is there twice", async () => {
  going = false;
  await senders;
  const subject = {
    storage, env: {},
    status: () => JSON.parse(verb(["status", "--storage", storage, "--json"]).out),
  };
  await until(() => subject.status().digest.waiting === 0, { what: "the digest" });
  const listed = [];
  let cursor = "";
  for (;;) {
    const page = await fetch(`${url}/api/0/projects/${made.organization}/${made.project}/events/?per_page=100&cursor=${cursor}`, { headers: { Authorization: `Bearer ${made.token}` } });
    assert.equal(page.status, 200);
    listed.push(...(await page.json()).map((event) => event.eventID));
    const next = page.headers.get("link").match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
    if (next[1] !== "true") break;
    cursor = next[2];
  }
  assert.equal(new Set(listed).size, listed.length, "an event is listed twice");
  assert.deepEqual([...acknowledged].filter((id) => !listed.includes(id)), [], "acknowledged and not there");
  await assertConserved(assert, subject);
  console.log(`acknowledged ${acknowledged.size} over ${history().filter((entry) => entry.what === "upgrading").length} upgrades`);
});

// What operators rely on: names of metrics, words of log lines, alert rules, the dashboard, doctor.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Picket, ScriptedUpstream, binary, envelope, errorEvent, eventId, picket as verb, post, root, tempFolder, until } from "./lib.mjs";

const docs = readFileSync(join(root, "docs/operations.md"), "utf8");
const section = (title) => docs.split(`\n## ${title}\n`)[1].split("\n## ")[0];
const namesIn = (text) => new Set([...text.matchAll(/\bpicket_[a-z0-9_]+\b/g)].map((match) => match[0]));

// One Picket that goes through what makes lines and series appear.
let picket;
let upstream;
let metrics;
before(async () => {
  upstream = await new ScriptedUpstream("503 x 1 then 429 retry-after=1 x 1 then 400 x 1 then 401 x 1 then 200").start();
  const config = join(tempFolder(), "picket.toml");
  writeFileSync(config, `[[upstream]]\nname = "hub"\nurl = "${upstream.url}"\nretry_min = "20ms"\nretry_max = "50ms"\nhold_probe = "1s"\nmax_in_flight = 1\n` +
    `status_sync = "both"\nstatus_interval = "1s"\napi_url = "http://127.0.0.1:9"\napi_organization = "o"\napi_token = "secret-token"\n`);
  picket = new Picket({ config, env: { PICKET_STORAGE_JOURNAL_MAX_BYTES: "64MiB" } });
  picket.expectErrors = true;
  await picket.start();
  for (let i = 0; i < 3; ++i) {
    const id = eventId();
    assert.equal((await post(picket, envelope(id, [[{ type: "event" }, errorEvent(id)]]))).status, 200);
  }
  assert.equal((await post(picket, "no envelope")).status, 400);
  await until(() => picket.status().destinations[0].waiting === 0, { what: "the mirror" });
  await until(() => picket.status().digest.waiting === 0, { what: "the digest" });
  metrics = await (await fetch(`${picket.url}/metrics`)).text();
});
after(async () => {
  await picket.end();
  await upstream.end();
});

// A histogram is three series.
const said = () => new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]));
const series = () => new Set([...metrics.matchAll(/^(picket_\w+)[ {]/gm)].map((match) => match[1]));

test("docs/operations.md lists the metrics that there are, and no others", () => {
  const listed = namesIn(section("Metrics"));
  assert.deepEqual([...listed].filter((name) => !said().has(name)).sort(), [], "documented and not said");
  assert.deepEqual([...said()].filter((name) => !listed.has(name)).sort(), [], "said and not documented in docs/operations.md");
});

test("labels are those that the docs name", () => {
  for (const [, name, labels] of section("Metrics").matchAll(/`(picket_\w+)\{([\w,]+)\}`/g)) {
    const line = metrics.match(new RegExp(`^${name}\\{([^}]*)\\}`, "m"));
    if (!line) continue; // a counter that nothing was counted for yet
    assert.equal([...line[1].matchAll(/(\w+)=/g)].map((match) => match[1]).join(","), labels, name);
  }
});

test("every metric that alert rules and the dashboard name is said", () => {
  for (const file of ["etc/prometheus/alerts.yml", "etc/grafana/picket.json"]) {
    const names = namesIn(readFileSync(join(root, file), "utf8"));
    assert.ok(names.size > 10, file);
    assert.deepEqual([...names].filter((name) => !series().has(name) && !said().has(name)), [], file);
  }
});

test("alert rules are whole", () => {
  const text = readFileSync(join(root, "etc/prometheus/alerts.yml"), "utf8");
  assert.doesNotMatch(text, /\t/);
  assert.match(text, /^groups:\n {2}- name: picket\n {4}rules:\n/m);
  const rules = text.split(/^ {6}- alert: /m).slice(1);
  assert.equal(new Set(rules.map((rule) => rule.split("\n")[0])).size, rules.length, "two of one name");
  for (const rule of rules) {
    const [name, ...lines] = rule.trimEnd().split("\n");
    assert.match(name, /^Picket[A-Za-z]+$/);
    const keys = lines.map((line) => line.match(/^( {8}| {10})(\w+): ?(.*)$/) ?? assert.fail(`${name}: ${line}`));
    assert.deepEqual(keys.map((key) => key[2]).filter((key) => key !== "for"), ["expr", "labels", "annotations", "summary", "description"], name);
    const of = Object.fromEntries(keys.map((key) => [key[2], key[3]]));
    assert.match(of.labels, /^\{severity: (page|ticket)\}$/, name);
    if (of.for) assert.match(of.for, /^\d+[smhd]$/, name);
    for (const words of [of.summary, of.description]) assert.doesNotThrow(() => JSON.parse(words), `${name}: ${words}`);
    let depth = 0;
    for (const c of of.expr.replaceAll(/"[^"]*"/g, "")) {
      depth += "({[".includes(c) ? 1 : ")}]".includes(c) ? -1 : 0;
      assert.ok(depth >= 0, of.expr);
    }
    assert.equal(depth, 0, of.expr);
    // Verbs that an alert tells to run are there.
    for (const [, words] of of.description.matchAll(/picket ((?:upstream|journal|version|config|status|doctor|ledger)(?: [a-z]+)?)/g)) {
      assert.equal(verb([...words.split(" "), "--help"]).code, 0, `${name}: picket ${words}`);
    }
  }
});

test("the dashboard is whole", () => {
  const board = JSON.parse(readFileSync(join(root, "etc/grafana/picket.json"), "utf8"));
  assert.equal(board.uid, "picket");
  assert.equal(new Set(board.panels.map((panel) => panel.id)).size, board.panels.length);
  for (const panel of board.panels.filter((each) => each.type !== "row")) {
    assert.ok(panel.targets.length > 0 && panel.targets.every((target) => target.expr && target.legendFormat), panel.title);
    assert.ok(panel.gridPos.x + panel.gridPos.w <= 24, panel.title);
  }
});

function sourceLines() {
  const found = [];
  const files = ["buffer", "relay", "upstream", "api"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, name)));
  for (const file of [...files.filter((name) => name.endsWith(".cpp")), join(root, "main.cpp")]) {
    const text = readFileSync(file, "utf8");
    for (const [, level, room, words] of text.matchAll(/\blog\(\s*Level::(\w+),\s*"(\w+)",\s*(?:\w+ \? "[^"]*" : )?"([^"]*)"/g)) {
      found.push(`${level} ${room}: ${words}`);
    }
  }
  return found;
}
const documentedLines = () => [...section("Log lines").matchAll(/`((?:debug|info|warning|error) \w+: [^`]+)`/g)].map((match) => match[1].replace(/ ?…$/, ""));

test("every log line that the docs list is in the program, word for word", () => {
  const lines = sourceLines();
  assert.ok(lines.length > 40, `only ${lines.length} found`);
  const listed = documentedLines();
  assert.ok(listed.length >= 20);
  assert.deepEqual(listed.filter((line) => !lines.some((each) => each.startsWith(line))), []);
});

test("what a Picket writes while its upstream errs is what the docs list", () => {
  for (const line of ["warning upstream: not delivered; trying again", "info upstream: reached again", "info upstream: rate limited",
    "warning upstream: envelope refused and put in quarantine", "error upstream: held:", "warning upstream: status sync failed; trying again"]) {
    assert.ok(documentedLines().some((each) => each.startsWith(line)), `${line} is not in the docs`);
    assert.ok(picket.log.split("\n").some((each) => each.startsWith(line)), `${line} is not in the log:\n${picket.log}`);
  }
  for (const line of picket.log.trimEnd().split("\n")) {
    assert.match(line, /^((debug|info|warning|error) [a-z]+: \S|listening on )/, "LEVEL room: words");
  }
  assert.doesNotMatch(picket.log, /secret-token/);
});

test("doctor beside a running Picket: one line each, no secret, JSON that says the same", () => {
  const args = ["--config", picket.config, "--storage", picket.storage];
  const env = picket.env;
  const run = verb(["doctor", ...args], { env });
  const lines = run.out.trimEnd().split("\n");
  for (const line of lines.slice(0, -1)) assert.match(line, /^(ok|warn|fail) +\S/, run.out);
  assert.match(lines.at(-1), /^\d+ failed, \d+ to look at, \d+ well$/);
  const { checks, failed } = JSON.parse(verb(["doctor", ...args, "--json"], { env }).out);
  assert.equal(run.code, failed === 0 ? 0 : 1);
  const of = (subject) => checks.find((check) => check.subject === subject) ?? assert.fail(`no ${subject} in ${run.out}`);
  for (const subject of ["configuration", "service", "data folder", "disk space", "data", "certificate", "upstream hub"]) {
    assert.equal(of(subject).grade, "ok", JSON.stringify(of(subject)));
  }
  for (const subject of ["file system", "disk sync", "clock", "open files", "memory"]) of(subject);
  assert.match(of("open files").words, /of the service/);
  for (const check of checks) assert.equal(check.grade === "ok", check.to_do === "", JSON.stringify(check));
  for (const secret of ["secret-token", picket.token, picket.public_key]) assert.ok(!run.out.includes(secret));
  assert.deepEqual(readdirSync(picket.storage).filter((name) => name.startsWith("doctor")), []);
});

test("doctor without a running Picket, with what is wrong", async () => {
  const portal = createServer((request, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end("<html>log in</html>"));
  await new Promise((done) => portal.listen(0, "127.0.0.1", done));
  const folder = tempFolder();
  const storage = join(folder, "data");
  const config = join(folder, "picket.toml");
  const write = (text) => writeFileSync(config, text);
  const doctor = () => new Promise((done) => {
    let out = "";
    const child = spawn(binary, ["doctor", "--config", config, "--storage", storage, "--json"]);
    child.stdout.on("data", (bytes) => (out += bytes));
    child.once("exit", (code) => done({ code, out, checks: JSON.parse(out).checks }));
  });
  const of = (run, subject) => run.checks.find((check) => check.subject === subject) ?? assert.fail(`no ${subject} in ${run.out}`);
  write(`[server]\nlisten = "127.0.0.1:9"\n[[upstream]]\nname = "hotel"\nurl = "http://127.0.0.1:${portal.address().port}"\n` +
    `[[upstream]]\nname = "proxied"\nurl = "http://hub.invalid"\nproxy = "http://till:hunter2@127.0.0.1:9"\n`);
  let run = await doctor();
  assert.equal(run.code, 1);
  assert.equal(of(run, "service").grade, "warn");
  assert.equal(of(run, "data folder").grade, "warn");
  assert.match(of(run, "upstream hotel").words, /captive portal/);
  assert.equal(of(run, "upstream proxied").grade, "fail");
  assert.ok(!run.out.includes("hunter2"));
  mkdirSync(storage, { mode: 0o755 });
  chmodSync(storage, 0o755);
  write(`[server]\nlisten = "0.0.0.0:9"\n[storage]\njournal_max_bytes = "900TiB"\n`);
  run = await doctor();
  assert.equal(run.code, 0, run.out);
  assert.match(of(run, "data folder").to_do, /chmod o-rwx/);
  assert.match(of(run, "disk space").to_do, /journal_max_bytes/);
  assert.equal(of(run, "certificate").grade, "warn");
  write("[server]\nlisten = 7\n");
  run = await doctor();
  assert.equal(run.code, 1);
  assert.equal(run.checks.length, 1);
  portal.close();
  rmSync(folder, { recursive: true });
});

// Sentry's MCP server over stdio and Sentry's newer CLI, with nothing but an address and a token, against
// what @sentry/node sent.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Picket, assertConserved, root, tempFolder, until } from "./lib.mjs";

const modules = join(root, "tests/e2e/node_modules");
const home = tempFolder();
let picket;
let issue;  // the one of the RangeError, as the API shows it
let trace;  // its trace
let mcp;

// What the clients read of the environment and nothing of the caller's: no keys of a language model, no
// telemetry of their own.
const environment = () => ({ PATH: process.env.PATH, HOME: home, SENTRY_DSN: "", NO_COLOR: "1" });

function run(command, args, env) {
  return new Promise((done) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], cwd: home });
    const said = { out: "", err: "" };
    child.stdout.on("data", (bytes) => (said.out += bytes));
    child.stderr.on("data", (bytes) => (said.err += bytes));
    const timer = setTimeout(() => child.kill("SIGKILL"), 300_000);
    child.once("close", (code) => {
      clearTimeout(timer);
      done({ code, ...said });
    });
  });
}

async function sendWithSdk() {
  const script = join(home, "app.mjs");
  writeFileSync(script, `
    import * as Sentry from ${JSON.stringify(join(modules, "@sentry/node/build/esm/index.js"))};
    Sentry.init({ dsn: ${JSON.stringify(picket.liveDsn)}, release: "shop@2.1.0", environment: "staging", tracesSampleRate: 1, enableLogs: true });
    Sentry.setUser({ id: "7", email: "ada@example.com" });
    Sentry.setTag("shift", "night");
    function openDrawer() { throw new RangeError("drawer is stuck"); }
    await Sentry.startSpan({ name: "checkout", op: "task" }, async () => {
      await Sentry.startSpan({ name: "charge the card", op: "payment" }, () => new Promise((done) => setTimeout(done, 20)));
      Sentry.logger.warn("card reader is slow", { reader: 7 });
      try { openDrawer(); } catch (error) { Sentry.captureException(error); }
    });
    Sentry.captureMessage("paper is low", "warning");
    await Sentry.flush(60000);
  `);
  const sent = await run(process.execPath, [script], { PATH: process.env.PATH, HOME: home });
  assert.equal(sent.code, 0, sent.err);
}

before(async () => {
  picket = await new Picket().start();
  await sendWithSdk();
  issue = await until(async () => (await picket.issues("RangeError"))[0], { within: 60_000, what: "the issue" });
  await until(() => picket.status().digest.waiting === 0, { within: 60_000, what: "the digest" });
  const latest = await picket.api(`organizations/${picket.organization}/issues/${issue.id}/events/latest/`);
  trace = latest.body.contexts.trace.trace_id;
  mcp = new Client({ name: "picket-tests", version: "1" });
  await mcp.connect(new StdioClientTransport({
    command: process.execPath,
    args: [join(modules, "@sentry/mcp-server/dist/index.js"), `--access-token=${picket.token}`, `--host=127.0.0.1:${picket.port}`,
      "--insecure-http", "--all-skills"],
    env: environment(), stderr: "pipe", cwd: home,
  }));
});
after(async () => {
  await mcp?.close();
  await assertConserved(assert, picket);
  await picket.end();
  rmSync(home, { recursive: true, force: true });
});

// One tool's text. Those that the server does not list are reached through its catalogue.
let listed;
async function tool(name, args = {}) {
  listed ??= new Set((await mcp.listTools()).tools.map((each) => each.name));
  const organizationSlug = picket.organization;
  const call = listed.has(name) ? { name, arguments: { organizationSlug, ...args } }
    : { name: "execute_sentry_tool", arguments: { name, arguments: { organizationSlug, ...args } } };
  const answer = await mcp.callTool(call, undefined, { timeout: 300_000 });
  const text = answer.content.map((part) => part.text ?? JSON.stringify(part.resource ?? {})).join("\n");
  assert.ok(!answer.isError, `${name} ${JSON.stringify(args)}\n${text}\n${picket.log.slice(-2000)}`);
  return text;
}

async function sentry(...args) {
  const done = await run(process.execPath, [join(modules, "sentry/dist/bin.cjs"), ...args], {
    ...environment(), SENTRY_HOST: picket.url, SENTRY_URL: picket.url, SENTRY_AUTH_TOKEN: picket.token, SENTRY_ORG: picket.organization,
    SENTRY_CLI_NO_TELEMETRY: "1",
  });
  assert.equal(done.code, 0, `sentry ${args.join(" ")}\n${done.out}\n${done.err}`);
  return done.out;
}

test("MCP: who am I, organizations, projects, teams, keys", async () => {
  assert.match(await tool("whoami"), /@|admin|owner/i);
  assert.match(await tool("find_organizations"), new RegExp(picket.organization));
  assert.match(await tool("find_projects"), new RegExp(picket.project));
  await tool("find_teams");
  assert.match(await tool("find_dsns", { projectSlug: picket.project }), new RegExp(picket.public_key));
});

test("MCP: issues are searched, in Sentry's query language", async () => {
  const found = await tool("search_issues", { query: "is:unresolved RangeError" });
  assert.match(found, new RegExp(issue.shortId));
  assert.match(found, /drawer is stuck/);
  assert.doesNotMatch(await tool("search_issues", { query: "is:unresolved shift:day" }), new RegExp(issue.shortId));
});

test("MCP: an issue is shown with its stack trace, its tags and its events", async () => {
  const shown = await tool("get_sentry_resource", { resourceType: "issue", resourceId: issue.shortId });
  assert.match(shown, /RangeError/);
  assert.match(shown, /openDrawer/, "the frame that threw");
  assert.match(await tool("get_issue_tag_values", { issueId: issue.shortId, tagKey: "shift" }), /night/);
  assert.match(await tool("search_issue_events", { issueId: issue.shortId, query: "shift:night" }), /drawer is stuck/);
  // This tool shows the stacks of threads; an exception's is part of the issue above.
  assert.match(await tool("get_event_stacktrace", { issueId: issue.shortId, eventId: "latest" }), new RegExp(issue.shortId));
});

test("MCP: an issue is assigned, resolved and opened again, and a note is left", async () => {
  const state = async () => (await picket.api(`organizations/${picket.organization}/issues/${issue.id}/`)).body;
  const me = (await picket.api("auth/")).body;
  await tool("update_issue", { issueId: issue.shortId, assignedTo: `user:${me.id}` });
  assert.equal((await state()).assignedTo.id, me.id);
  await tool("update_issue", { issueId: issue.shortId, status: "resolved" });
  assert.equal((await state()).status, "resolved");
  await tool("update_issue", { issueId: issue.shortId, status: "unresolved" });
  assert.equal((await state()).status, "unresolved");
  await tool("add_issue_note", { issueId: issue.shortId, text: "oil the rails" });
  assert.match(await tool("get_issue_activity", { issueId: issue.shortId }), /oil the rails/);
});

test("MCP: events of each dataset are searched, and a trace is shown", async () => {
  assert.match(await tool("search_events", { dataset: "errors", query: "level:error", fields: ["title", "count()"], sort: "-count()" }), /drawer is stuck/);
  assert.match(await tool("search_events", { dataset: "spans", query: "span.op:payment", fields: ["id", "span.op", "span.description", "span.duration", "trace"], sort: "-span.duration" }), /charge the card/);
  assert.match(await tool("search_events", { dataset: "logs", query: "severity:warn", fields: ["timestamp", "message", "severity"], sort: "-timestamp" }), /card reader is slow/);
  const shown = await tool("get_trace_details", { traceId: trace });
  assert.match(shown, new RegExp(trace));
  assert.match(shown, /payment/);
});

test("MCP: releases, monitors, dashboards, alert rules", async () => {
  assert.match(await tool("find_releases"), /shop@2\.1\.0/);
  assert.match(await tool("get_release_details", { releaseVersion: "shop@2.1.0" }), /shop@2\.1\.0/);
  await tool("find_monitors");
});

test("sentry: who am I, organizations, projects, teams", async () => {
  await sentry("auth", "status");
  await sentry("auth", "whoami");
  assert.match(await sentry("org", "list"), new RegExp(picket.organization));
  assert.match(await sentry("org", "view", picket.organization), new RegExp(picket.organization));
  assert.match(await sentry("project", "list", `${picket.organization}/`), new RegExp(picket.project));
  assert.match(await sentry("project", "view", `${picket.organization}/${picket.project}`), new RegExp(picket.project));
  await sentry("team", "list", `${picket.organization}/`);
});

test("sentry: issues are listed, searched and shown with their stack trace", async () => {
  assert.match(await sentry("issue", "list", `${picket.organization}/${picket.project}`), /drawer is stuck/);
  const found = JSON.parse(await sentry("issue", "list", `${picket.organization}/${picket.project}`, "--query", "is:unresolved level:warning", "--json"));
  assert.match(JSON.stringify(found), /paper is low/);
  assert.doesNotMatch(JSON.stringify(found), /drawer is stuck/);
  const shown = await sentry("issue", "view", issue.shortId);
  assert.match(shown, /RangeError/);
  assert.match(shown, /openDrawer/, "the frame that threw");
  assert.match(await sentry("issue", "events", issue.shortId), /drawer is stuck/);
  assert.match(await sentry("issue", "tags", issue.shortId, "shift"), /night/);
});

test("sentry: an issue is resolved, opened again, archived", async () => {
  const status = async () => (await picket.api(`organizations/${picket.organization}/issues/${issue.id}/`)).body.status;
  await sentry("issue", "resolve", issue.shortId);
  assert.equal(await status(), "resolved");
  await sentry("issue", "unresolve", issue.shortId);
  assert.equal(await status(), "unresolved");
  await sentry("issue", "resolve", issue.shortId, "--in", "@next");
  assert.equal(await status(), "resolved");
  await sentry("issue", "unresolve", issue.shortId);
  await sentry("issue", "archive", issue.shortId);
  assert.equal(await status(), "ignored");
  await sentry("issue", "unresolve", issue.shortId);
});

test("sentry: traces, spans, logs, tables and series", async () => {
  const place = `${picket.organization}/${picket.project}`;
  assert.match(await sentry("trace", "list", place), /checkout/);
  assert.match(await sentry("trace", "view", `${picket.organization}/${trace}`), /charge the card/);
  await sentry("trace", "logs", `${picket.organization}/${trace}`);
  assert.match(await sentry("span", "list", place, "--json"), /payment/);
  assert.match(await sentry("log", "list", place), /card reader is slow/);
  assert.match(await sentry("event", "list", issue.shortId), /drawer is stuck/);
  const table = await sentry("explore", place, "--dataset", "spans", "--field", "span.op", "--field", "count()", "--sort", "-count()", "--json");
  assert.match(table, /payment/);
  assert.match(await sentry("explore", place, "--dataset", "spans", "--field", "count()", "--time-series", "1h", "--json"), /count\(\)/);
  await sentry("attribute", "list", place);
});

test("sentry: releases live their life", async () => {
  const place = `${picket.organization}/`;
  assert.match(await sentry("release", "list", place), /2\.1\.0/);
  await sentry("release", "create", `${picket.organization}/agents@3.0.0`, "--project", picket.project);
  await sentry("release", "finalize", `${picket.organization}/agents@3.0.0`);
  assert.match(await sentry("release", "view", `${picket.organization}/agents@3.0.0`), /3\.0\.0/);
  await sentry("release", "deploy", `${picket.organization}/agents@3.0.0`, "staging");
  await sentry("release", "deploys", `${picket.organization}/agents@3.0.0`);
  await sentry("release", "archive", `${picket.organization}/agents@3.0.0`);
  await sentry("release", "restore", `${picket.organization}/agents@3.0.0`);
});

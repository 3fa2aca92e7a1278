// A data folder and its upstream, served by one version after the other.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ScriptedUpstream, tempFolder, until as untilWithin, watched } from "../e2e/lib.mjs";
import { check } from "./checks.mjs";

// From schema to what only it and later ones know: buffer/schema_number.h.
export const bundleReader = 3;
export const tagRunsReader = 4;
export const configurationError = 78;

export const until = (probe, what) => untilWithin(probe, { within: 120_000, every: 50, what });

export class Box {
  // `environment` is a function of the version.
  constructor(environment) {
    this.environment = environment;
    this.storage = tempFolder();
    this.log = join(tempFolder(), "log");
    // Slow enough for a backlog at each exchange.
    this.upstream = new ScriptedUpstream("200 delay=20ms");
  }

  async open(version) {
    await this.upstream.start();
    const run = this.verb(version, "init", "--json");
    if (run.code !== 0) throw new Error(`init: ${run.err}`);
    Object.assign(this, JSON.parse(run.out));
  }
  async close() {
    this.child?.kill("SIGKILL");
    await this.upstream.stop();
  }

  // The digest gathers for so long that a rush is one batch: then counts of tags wait.
  environmentOf(version) {
    return { ...process.env, PICKET_SERVER_LISTEN: "127.0.0.1:0", PICKET_STORAGE_PATH: this.storage, PICKET_STORAGE_SEGMENT_BYTES: "1MiB", PICKET_DIGEST_LINGER: "1s",
      PICKET_UPSTREAM_0_NAME: "hub", PICKET_UPSTREAM_0_URL: this.upstream.url, PICKET_UPSTREAM_0_MAX_IN_FLIGHT: "4", ...this.environment(version) };
  }
  verb(version, ...words) {
    const run = spawnSync(version.binary, [...words, "--storage", this.storage], { encoding: "latin1", env: this.environmentOf(version), maxBuffer: 1 << 30 });
    return { code: run.status, out: run.stdout, err: run.stderr };
  }
  status() {
    const run = this.verb(this.version, "status", "--json");
    if (run.code !== 0) throw new Error(`status: ${run.code} ${run.err}`);
    return JSON.parse(run.out);
  }

  // Null once it listens; else the exit code and what it said.
  async start(version) {
    const file = openSync(this.log, "w");
    this.child = watched(spawn(version.binary, ["serve"], { env: this.environmentOf(version), stdio: ["ignore", "ignore", file] }));
    closeSync(file);
    this.version = version;
    this.gone = new Promise((done) => this.child.once("exit", (code, signal) => done(code ?? signal)));
    let ended = null;
    this.gone.then((how) => (ended = how));
    const said = () => readFileSync(this.log, "utf8");
    await until(() => {
      this.url = said().match(/listening on (http:\S+)/)?.[1];
      return this.url || ended !== null;
    }, `${version.name} to listen`);
    return this.url ? null : { code: ended, said: said() };
  }
  async stop(signal) {
    this.child.ref();
    this.child.kill(signal);
    const how = await this.gone;
    check(how === (signal === "SIGKILL" ? signal : 0), `${this.version.name}: ended with ${how}`);
    const errors = readFileSync(this.log, "utf8").split("\n").filter((line) => line.startsWith("error "));
    check(errors.length === 0, `${this.version.name} logged ${errors[0]}`);
  }

  async api(path, options = {}) {
    const answer = await fetch(`${this.url}/api/0/${path}`, { ...options, headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" } });
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (!answer.ok) throw new Error(`${this.version.name}: ${path}: ${answer.status} ${bytes}`);
    return { headers: answer.headers, bytes, get body() { return JSON.parse(bytes); } };
  }
  ofProject(path, options) { return this.api(`projects/${this.organization}/${this.project}/${path}`, options); }
  ofOrganization(path, options) { return this.api(`organizations/${this.organization}/${path}`, options); }
  // All rows of a list that comes in pages.
  async pages(path) {
    const rows = [];
    for (let cursor = ""; ;) {
      const page = await this.api(`${path}${path.includes("?") ? "&" : "?"}per_page=100&limit=100&cursor=${cursor}`);
      rows.push(...(page.body.data ?? page.body));
      const next = page.headers.get("link")?.match(/rel="next"; results="(\w+)"; cursor="([^"]+)"/);
      if (next?.[1] !== "true") return rows;
      cursor = next[2];
    }
  }
}

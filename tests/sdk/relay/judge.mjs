// sentry_relay, the library by which Sentry's server knows its Relays, as the judge of a RelayUpstream: judge.py asks it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Refusal } from "../../e2e/relay_upstream.mjs";
import { root, watched } from "../../e2e/lib.mjs";

export const python = process.env.PICKET_SDK_RELAY ?? join(root, "build/sdk/relay/bin/python");

export class LibraryJudge {
  constructor() {
    this.asked = {};    // name of a question → how often
    this.waiting = [];  // who gets the next lines
  }

  async start() {
    this.process = watched(spawn(python, [join(root, "tests/sdk/relay/judge.py")], { stdio: ["pipe", "pipe", "inherit"] }));
    this.exited = once(this.process, "exit");
    this.exited.catch((error) => this.#giveUp(`${python}: ${error.message}; run.sh installs it`));
    this.process.stdin.on("error", () => {}); // its output has ended as well
    createInterface({ input: this.process.stdout })
      .on("line", (line) => this.waiting.shift().done(JSON.parse(line)))
      .on("close", () => this.#giveUp("the judge has ended"));
    await this.supports("1.0.0"); // that it runs, before anything depends on it
    return this;
  }
  // Its input ends, and so does it; also when this process is killed.
  async end() {
    this.process.ref();
    this.process.stdin.end();
    await this.exited;
  }
  #giveUp(words) {
    this.gone ??= new Error(words);
    for (const { failed } of this.waiting.splice(0)) failed(this.gone);
  }

  async ask(name, question = {}) {
    if (this.gone) throw this.gone;
    this.asked[name] = (this.asked[name] ?? 0) + 1;
    this.process.stdin.write(`${JSON.stringify([name, question])}\n`);
    const answer = await new Promise((done, failed) => this.waiting.push({ done, failed }));
    if (answer.refused) throw new Refusal(answer.words, { expired: answer.refused === "UnpackErrorSignatureExpired" });
    return answer.said;
  }

  supports(version) {
    return this.ask("supports", { version });
  }
  async verify({ publicKey, signature, body, maxAge }) {
    const right = await this.ask("verify", { public_key: publicKey, signature, body: body.toString("base64"), max_age: maxAge });
    if (!right) throw new Refusal("not verified");
  }
  async challenge({ body, signature, secret, maxAge }) {
    return (await this.ask("challenge", { body: body.toString("base64"), signature, secret, max_age: maxAge })).token;
  }
  response({ body, signature, secret, maxAge }) {
    return this.ask("response", { body: body.toString("base64"), signature, secret, max_age: maxAge });
  }
}

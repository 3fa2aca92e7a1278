// Files from end to end: a dump as a crash reporter uploads it is an issue here and an envelope there.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { gunzipSync, gzipSync } from "node:zlib";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Picket, until } from "./lib.mjs";

// A program on 64-bit Linux that died of a signal, by the published format.
function minidump(bytes = 0) {
  const head = Buffer.alloc(280, 0);
  head.write("MDMP");
  head.writeUInt32LE(0xa793, 4);
  head.writeUInt32LE(2, 8); // streams
  head.writeUInt32LE(32, 12);
  head.writeUInt32LE(Math.floor(Date.now() / 1000), 20);
  [[7, 56, 56], [6, 168, 112]].forEach((entry, i) => entry.forEach((value, j) => head.writeUInt32LE(value, 32 + i * 12 + j * 4)));
  head.writeUInt16LE(9, 56); // x86_64
  [6, 1, 90, 0x8201].forEach((value, i) => head.writeUInt32LE(value, 64 + i * 4)); // version, Linux
  head.writeUInt32LE(11, 112 + 8); // SIGSEGV
  return Buffer.concat([head, Buffer.alloc(Math.max(0, bytes - head.length), "m")]);
}

async function upload(picket, dump, fields = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("upload_file_minidump", new Blob([dump]), "crash.dmp");
  form.append("log", new Blob(["the last words"]), "app.log");
  const answer = await fetch(`${picket.url}/api/${picket.project_id}/minidump/?sentry_key=${picket.public_key}`, { method: "POST", body: form });
  return { status: answer.status, text: await answer.text(), type: answer.headers.get("content-type") };
}

test("a minidump is an issue at once, and reaches the upstream byte for byte", async () => {
  const received = [];
  const upstream = createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      const coding = request.headers["content-encoding"];
      received.push(coding === "gzip" ? gunzipSync(body) : body);
      response.end("{}");
    });
  });
  await new Promise((done) => upstream.listen(0, "127.0.0.1", done));
  const picket = await new Picket({
    env: { PICKET_UPSTREAM_0_NAME: "fake", PICKET_UPSTREAM_0_URL: `http://127.0.0.1:${upstream.address().port}`, PICKET_UPSTREAM_0_COMPRESSION: "gzip" },
  }).start();
  const small = minidump();
  const large = minidump(30 << 20);
  for (const [dump, sent] of [[small, small], [large, large], [large, gzipSync(large)]]) {
    const answer = await upload(picket, sent, { sentry: JSON.stringify({ release: "app@1" }), comment: "it broke" });
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.text, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.match(answer.type, /^text\/plain/);
    const id = answer.text.replaceAll("-", "");
    const envelope = await until(() => received.find((each) => each.includes(id)), { within: 60_000, what: "the envelope upstream" });
    assert.notEqual(envelope.indexOf(dump), -1, "the dump is there, byte for byte");
    assert.notEqual(envelope.indexOf("the last words"), -1);
  }
  const issue = await until(async () => (await picket.issues(""))[0], { what: "the issue" });
  assert.match(issue.title, /SIGSEGV/);
  assert.equal(issue.level, "fatal");
  assert.equal((await upload(picket, Buffer.from("no dump"))).status, 400);
  const spool = join(picket.storage, "spool");
  assert.ok(existsSync(spool) && readdirSync(spool).length === 0, "the spool leaves no names");
  await picket.end();
  upstream.closeAllConnections();
  upstream.close();
});

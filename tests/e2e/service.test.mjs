// What systemd is told and hands over: readiness, the watchdog, the socket.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { Picket, binary, picket as verb, tempFolder, until } from "./lib.mjs";

test("READY, WATCHDOG while commits make progress, STOPPING", () => {
  const storage = tempFolder();
  // Node.js has no datagram sockets in the file system; Python does.
  const run = spawnSync("/usr/bin/python3", ["-c", `
import os, signal, socket, subprocess, sys, time
path = os.path.join(sys.argv[2], "notify")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
listener.settimeout(20)
child = subprocess.Popen([sys.argv[1], "serve"], stderr=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": path,
    "WATCHDOG_USEC": "400000", "PICKET_STORAGE_PATH": sys.argv[2], "PICKET_SERVER_LISTEN": "127.0.0.1:0"})
told = []
while told.count("WATCHDOG=1") < 3:
    told.append(listener.recv(4096).decode())
child.send_signal(signal.SIGTERM)
while told[-1] != "STOPPING=1":
    told.append(listener.recv(4096).decode())
print(child.wait(20), *told)
`, binary, storage], { encoding: "utf8", timeout: 60_000 });
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^0 READY=1 WATCHDOG=1 WATCHDOG=1 WATCHDOG=1 (WATCHDOG=1 )*STOPPING=1$/m);
  rmSync(storage, { recursive: true });
});

test("journald is told how grave each line is", async () => {
  const box = await new Picket({ env: { JOURNAL_STREAM: "8:12345", PICKET_UPSTREAM_0_URL: "http://127.0.0.1:1" } }).start();
  await fetch(`${box.url}/api/${box.project_id}/store/?sentry_key=${box.public_key}`, { method: "POST", body: '{"message":"hello"}' });
  await until(() => /^<4>/m.test(box.log), { what: "a warning of an upstream that is away" });
  await box.stop();
  const lines = box.log.trimEnd().split("\n").filter((line) => !line.startsWith("listening on "));
  const grave = { error: "<3>", warning: "<4>", info: "<6>", debug: "<7>" };
  for (const line of lines) {
    const [, priority, level] = line.match(/^(<\d>)(\w+) \w+: /) ?? [];
    assert.equal(priority, grave[level], line);
  }
  await box.end();
});

test("a socket that systemd holds is served", async () => {
  const storage = tempFolder();
  const made = JSON.parse(verb(["init", "--storage", storage, "--json"]).out);
  const port = await new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port: free } = probe.address();
      probe.close(() => done(free));
    });
  });
  const child = spawn("systemd-socket-activate", ["-l", `127.0.0.1:${port}`, "-E", `PICKET_STORAGE_PATH=${storage}`, binary, "serve"],
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PICKET_STORAGE_PATH: storage } });
  const gone = new Promise((done) => child.once("exit", done));
  let text = "";
  child.stderr.on("data", (bytes) => (text += bytes));
  try {
    await until(() => /Listening on/.test(text), { what: "systemd-socket-activate" });
    // The first connection starts Picket and waits for it.
    const answer = await fetch(`http://127.0.0.1:${port}/api/${made.project_id}/store/?sentry_key=${made.public_key}`, { method: "POST", body: '{"message":"hello"}' });
    assert.equal(answer.status, 200, text);
    assert.match(text, new RegExp(`listening on http://127\\.0\\.0\\.1:${port}`));
  } finally {
    child.kill("SIGTERM");
    await gone;
    rmSync(storage, { recursive: true, force: true });
  }
});

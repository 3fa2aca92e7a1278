// Serves the page with the application and opens it in headless Chromium until it says that it is done.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { sleep, tempFolder } from "../../e2e/lib.mjs";

const here = dirname(fileURLToPath(import.meta.url));

export async function run(project) {
  const built = await esbuild.build({
    entryPoints: [`${here}/app.mjs`], bundle: true, write: false, format: "iife", define: { SENTRY_DSN: JSON.stringify(project.dsn) },
  });
  let sent;
  const allSent = new Promise((done) => (sent = done));
  const page = createServer((request, response) => {
    if (request.url === "/all-sent") { sent("sent"); return response.end(); }
    if (request.url.endsWith(".js")) return response.setHeader("Content-Type", "text/javascript").end(built.outputFiles[0].contents);
    if (request.url !== "/") return response.writeHead(404).end();
    return response.setHeader("Content-Type", "text/html").end("<!doctype html><title>shop</title><h1>Till 3</h1><script src=/app.js></script>");
  });
  await new Promise((done) => page.listen(0, "127.0.0.1", done));
  project.page = `http://127.0.0.1:${page.address().port}/`;
  const folder = tempFolder();
  const chromium = spawn("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", `--user-data-dir=${folder}`, project.page], { stdio: "ignore", detached: true });
  const gone = new Promise((done) => chromium.once("exit", () => done("gone")));
  const late = setTimeout(() => sent("late"), 90_000);
  try {
    const how = await Promise.race([allSent, gone]);
    if (how !== "sent") throw new Error(`the browser is ${how}`);
    await sleep(200); // what the SDK sends with its own fetch, after flush
  } finally {
    clearTimeout(late);
    process.kill(-chromium.pid, "SIGKILL"); // its own process group: the browser and its children
    await gone;
    page.closeAllConnections?.();
    page.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

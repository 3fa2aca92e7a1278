// A page of our own in headless Chromium.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { tempFolder } from "./lib.mjs";

// Serves `html` at / and `script` at every path that ends in .js, opens the page, and ends the browser when
// `use` has ended. Whatever else the page asks for is answered with an empty 200 and told: `asked("/done")`
// is kept once the page has asked for that path, and broken when the browser is gone or too late.
export async function inBrowser({ html, script }, use, { within = 90_000 } = {}) {
  const paths = new Set();
  const waiting = new Set();
  const told = (error) => { for (const one of waiting) one(error); };
  const page = createServer((request, response) => {
    const path = new URL(request.url, "http://page").pathname;
    if (path === "/") return response.setHeader("Content-Type", "text/html").end(html);
    if (path.endsWith(".js")) return response.setHeader("Content-Type", "text/javascript").end(script);
    paths.add(path);
    told();
    response.end();
  });
  await new Promise((done) => page.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${page.address().port}/`;
  const folder = tempFolder();
  const chromium = spawn("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", `--user-data-dir=${folder}`, url], { stdio: "ignore", detached: true });
  let over;
  const end = (why) => { over ??= new Error(why); told(over); };
  const gone = new Promise((done) => {
    chromium.once("error", (error) => { end(`the browser did not start: ${error.message}`); done(); });
    chromium.once("exit", () => { end("the browser is gone"); done(); });
  });
  const late = setTimeout(end, within, `the page was not done after ${within} ms`);
  const asked = (path) => new Promise((done, broken) => {
    const look = (error) => {
      if (!paths.has(path) && !error) return;
      waiting.delete(look);
      if (paths.has(path)) done(); else broken(error);
    };
    waiting.add(look);
    look(over);
  });
  try {
    return await use({ url, asked });
  } finally {
    clearTimeout(late);
    if (chromium.pid) process.kill(-chromium.pid, "SIGKILL"); // its own process group: the browser and its children
    await gone;
    page.closeAllConnections?.();
    page.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

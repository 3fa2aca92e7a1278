// Opens a page with the application in headless Chromium until it says that it is done.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { inBrowser } from "../../e2e/browser.mjs";
import { sleep } from "../../e2e/lib.mjs";

const here = dirname(fileURLToPath(import.meta.url));

export async function run(project) {
  const built = await esbuild.build({
    entryPoints: [`${here}/app.mjs`], bundle: true, write: false, format: "iife", define: { SENTRY_DSN: JSON.stringify(project.dsn) },
  });
  const html = "<!doctype html><title>shop</title><h1>Till 3</h1><script src=/app.js></script>";
  await inBrowser({ html, script: built.outputFiles[0].contents }, async ({ url, asked }) => {
    project.page = url;
    await asked("/all-sent");
    await sleep(200); // what the SDK sends with its own fetch, after flush
  });
}

// The applications: how each is run against a project's DSN, and the table of what must come back.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as browser from "./browser/expected.mjs";
import * as page from "./browser/run.mjs";
import * as curl from "./curl/expected.mjs";
import * as sender from "./curl/run.mjs";
import * as go from "./go/expected.mjs";
import * as java from "./java/expected.mjs";
import * as node from "./node/expected.mjs";
import * as otel from "./otel/expected.mjs";
import * as python from "./python/expected.mjs";
import * as rust from "./rust/expected.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const installed = (name) => JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8")).version;

// Runs a program to its end in its folder.
function runs(folder, command, args, env = {}) {
  return (project) => {
    const run = spawnSync(command, args, {
      cwd: join(here, folder), encoding: "utf8", timeout: 120_000, env: { ...process.env, SENTRY_DSN: project.dsn, ...env },
    });
    if (run.status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${run.status ?? run.signal ?? run.error}\n${run.stdout}${run.stderr}`);
  };
}

const olderThan = (major, minor) => {
  const [have, haveMinor] = process.versions.node.split(".").map(Number);
  return have < major || (have === major && haveMinor < minor);
};

// What a program says of itself; nothing when it does not run.
function said(command, ...args) {
  const run = spawnSync(command, args, { encoding: "utf8", timeout: 60_000 });
  return run.status === 0 ? run.stdout.trim() : undefined;
}
const ofPython = (command) => said(command, "-c", "import sentry_sdk; print(sentry_sdk.VERSION)");

const pythonSdk = (command) => {
  const version = command && ofPython(command);
  return {
    title: `sentry-sdk ${version ?? "for Python"}`,
    unable: () => !version && `no sentry_sdk for ${command}`,
    run: runs("python", command, ["app.py"]),
    expected: () => python.expected(version),
  };
};

// The versions are the ones that the folder's own file pins.
const pinned = {
  go: /sentry-go v(\S+)/.exec(readFileSync(join(here, "go/go.mod"), "utf8"))[1],
  rust: /sentry = \{ version = "=([^"]+)/.exec(readFileSync(join(here, "rust/Cargo.toml"), "utf8"))[1],
  java: /<artifactId>sentry<\/artifactId>\s*<version>([^<]+)/.exec(readFileSync(join(here, "java/pom.xml"), "utf8"))[1],
};
function built(title, folder, program, args, expected) {
  return {
    title: `${title} ${pinned[folder]}`,
    unable: () => !program && "not built: see run.sh",
    run: (project) => runs(folder, program, args)(project),
    expected: () => expected(pinned[folder]),
  };
}

export const sdks = {
  node: {
    title: `@sentry/node ${installed("@sentry/node")}`,
    run: runs("node", process.execPath, ["app.mjs"], { SENTRY_PROFILE: "1" }),
    expected: () => node.expected(installed("@sentry/node")),
  },
  "node-11": {
    title: `@sentry/node ${installed("sentry-node-11")}`,
    unable: () => olderThan(20, 19) && "needs Node 20.19",
    run: runs("node", process.execPath, ["app.mjs"], { SENTRY_SDK: "sentry-node-11" }),
    expected: () => node.expected11(installed("sentry-node-11")),
  },
  browser: {
    title: `@sentry/browser ${installed("@sentry/browser")} in Chromium`,
    run: page.run,
    expected: (project) => browser.expected(installed("@sentry/browser"), project.page),
  },
  otel: {
    title: `@opentelemetry/sdk-node ${installed("@opentelemetry/sdk-node")}, OTLP as JSON`,
    run: runs("otel", process.execPath, ["app.mjs"], { OTLP_ENCODING: "http" }),
    expected: otel.expected,
  },
  "otel-protobuf": {
    title: `@opentelemetry/sdk-node ${installed("@opentelemetry/sdk-node")}, OTLP as protobuf`,
    run: runs("otel", process.execPath, ["app.mjs"], { OTLP_ENCODING: "proto" }),
    expected: otel.expected,
  },
  python: pythonSdk("/usr/bin/python3"),
  // What run.sh has installed or built from other registries; it says where.
  "python-pypi": pythonSdk(process.env.PICKET_SDK_PYTHON),
  go: built("sentry-go", "go", process.env.PICKET_SDK_GO, [], go.expected),
  rust: built("sentry for Rust", "rust", process.env.PICKET_SDK_RUST, [], rust.expected),
  java: built("sentry-java", "java", process.env.PICKET_SDK_JAVA && "java", ["-cp", process.env.PICKET_SDK_JAVA ?? "", "App"], java.expected),
  curl: { title: "curl", run: sender.run, expected: curl.expected },
};

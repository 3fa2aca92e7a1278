// Everything that @sentry/node can send, with fixed values; node/expected.mjs is the table of them.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(import.meta.url);
const Sentry = require(process.env.SENTRY_SDK ?? "@sentry/node");
const integrations = process.env.SENTRY_PROFILE ? [require("@sentry/profiling-node").nodeProfilingIntegration()] : [];

Sentry.init({
  dsn: process.env.SENTRY_DSN,
  release: "shop@1.4.2",
  environment: "quay",
  dist: "7",
  serverName: "till-3",
  tracesSampleRate: 1,
  profilesSampleRate: 1,
  enableLogs: true,
  integrations,
});

Sentry.setUser({ id: "42", email: "ada@example.com", username: "ada" });
Sentry.setTag("shift", "night");
Sentry.setContext("tank", { fuel: "diesel", level: 7, sealed: true });
Sentry.setExtra("queue", [1, 2, 3]);
Sentry.addBreadcrumb({ category: "ui.click", message: "clicked pay", level: "info", data: { button: "pay" } });
Sentry.addBreadcrumb({ category: "till", type: "debug", message: "drawer stuck", level: "warning" });

function pay() {
  throw new TypeError("card reader unplugged");
}
try {
  pay();
} catch (error) {
  Sentry.captureException(error);
}

function connect() {
  throw new RangeError("socket closed");
}
function readSensor() {
  try {
    connect();
  } catch (cause) {
    throw new Error("sensor lost", { cause });
  }
}
try {
  readSensor();
} catch (error) {
  Sentry.captureException(error, { fingerprint: ["sensor", "lost"], level: "fatal" });
}

function reportPump() {
  Sentry.captureMessage(Sentry.parameterize`pump ${7} at ${"dock"}`, "warning");
}
reportPump();

Sentry.withScope(function reportPrinter(scope) {
  scope.addAttachment({ filename: "receipt.txt", data: "paid 12 €\n", contentType: "text/plain" });
  scope.addAttachment({ filename: "scan.bin", data: new Uint8Array([0, 255, 10, 13, 0, 1]) });
  Sentry.captureMessage("printer on fire", "error");
});

await Sentry.startSpan({ name: "checkout", op: "task", attributes: { till: 3 } }, async () => {
  await Sentry.startSpan({ name: "SELECT tills", op: "db.query", attributes: { "db.system": "sqlite" } }, async () => {
    Sentry.startSpan({ name: "till:3", op: "cache.get" }, () => {});
  });
  await sleep(60);
});

Sentry.logger.info("till opened", { till: 3, open: true, ratio: 0.5 });
Sentry.logger.error(Sentry.logger.fmt`drawer ${"B"} jammed`);

Sentry.metrics.count("sales", 3, { attributes: { lane: "left" } });
Sentry.metrics.gauge("queue.length", 5);
Sentry.metrics.distribution("wait", 187.5, { unit: "millisecond" });

// Both bring the monitor: the SDK sends them beside each other, and the second may arrive first.
const monitor = { schedule: { type: "crontab", value: "0 3 * * *" }, checkinMargin: 5, maxRuntime: 30, timezone: "Europe/Amsterdam" };
const checkInId = Sentry.captureCheckIn({ monitorSlug: "nightly-count", status: "in_progress" }, monitor);
Sentry.captureCheckIn({ checkInId, monitorSlug: "nightly-count", status: "ok", duration: 12.5 }, monitor);

Sentry.captureFeedback({ name: "Grace", email: "grace@example.com", message: "The till is too slow", url: "https://shop.example.com/till" });

await Sentry.flush(5000);

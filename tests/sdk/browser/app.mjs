// What @sentry/browser can send from a page, with fixed values; browser/expected.mjs is the table.
// Built into one file with the DSN in it; says in the title when everything is out.
import * as Sentry from "@sentry/browser";

Sentry.init({
  dsn: SENTRY_DSN,
  release: "shop@1.4.2",
  environment: "quay",
  dist: "7",
  tracesSampleRate: 1,
  enableLogs: true,
  replaysSessionSampleRate: 1,
  integrations: [Sentry.browserTracingIntegration({ instrumentPageLoad: false, instrumentNavigation: false }), Sentry.replayIntegration({ useCompression: false, maskAllText: false, minReplayDuration: 0 })],
});
Sentry.setUser({ id: "42", email: "ada@example.com", username: "ada" });
Sentry.setTag("shift", "night");
Sentry.setContext("tank", { fuel: "diesel", level: 7, sealed: true });
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

function readSensor() {
  try {
    throw new RangeError("socket closed");
  } catch (cause) {
    throw new Error("sensor lost", { cause });
  }
}
try {
  readSensor();
} catch (error) {
  Sentry.captureException(error, { level: "fatal" });
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

Sentry.startSpan({ name: "checkout", op: "task" }, () => {
  Sentry.startSpan({ name: "SELECT tills", op: "db.query" }, () => {
    Sentry.startSpan({ name: "till:3", op: "cache.get" }, () => {});
  });
});

Sentry.logger.info("till opened", { till: 3, open: true, ratio: 0.5 });
Sentry.metrics.count("sales", 3);
Sentry.metrics.gauge("queue.length", 5);
Sentry.metrics.distribution("wait", 187.5, { unit: "millisecond" });

Sentry.captureFeedback({ name: "Grace", email: "grace@example.com", message: "The till is too slow", url: "https://shop.example.com/till" });

// Nobody catches this one.
setTimeout(() => {
  undefinedFunctionOfTheShop();
}, 20);
setTimeout(async () => {
  await Sentry.getReplay()?.flush();
  await Sentry.flush(10_000);
  document.title = "all sent";
  fetch("/all-sent");
}, 300);

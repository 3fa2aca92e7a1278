import { checkout, environment, feedback, receipt, release, scan, told } from "../story.mjs";
import { unserved } from "../features.mjs";
import { some } from "../compare.mjs";

export const expected = (version, page) => {
  const common = {
    ...told,
    platform: "javascript",
    dist: "7",
    tags: { ...told.tags, dist: "7", url: page, "browser.name": /Chrom/ },
    contexts: { ...told.contexts, ...(unserved.normalised ? {} : { browser: { name: /Chrom/, version: /^\d+\./ } }) },
    request: { url: page },
    errors: [],
  };
  const frame = (name) => some({ function: name, filename: unserved.normalised ? `${page}app.js` : "/app.js", absPath: `${page}app.js`, inApp: true });
  return {
    issues: [
      {
        ...common,
        title: "TypeError: card reader unplugged",
        issue: { level: "error", platform: "javascript", type: "error", count: "1", userCount: 1, isUnhandled: false },
        sdk: { name: "sentry.javascript.browser", version },
        exceptions: [{ type: "TypeError", value: "card reader unplugged", mechanism: { type: "generic", handled: true }, frames: frame("pay") }],
      },
      {
        ...common,
        title: "Error: sensor lost",
        issue: { level: "fatal" },
        exceptions: [
          { type: "RangeError", value: "socket closed", mechanism: { type: "chained", source: "cause" }, frames: frame("readSensor") },
          { type: "Error", value: "sensor lost", frames: frame("readSensor") },
        ],
      },
      {
        ...common,
        title: "pump 7 at dock",
        issue: { level: "warning", type: "default" },
        message: { formatted: "pump 7 at dock", message: "pump %s at %s", params: [7, "dock"] },
      },
      { ...common, title: "printer on fire", issue: { level: "error" } },
      {
        ...common,
        title: "ReferenceError: undefinedFunctionOfTheShop is not defined",
        issue: { level: "error", isUnhandled: true },
        exceptions: [{ type: "ReferenceError", value: "undefinedFunctionOfTheShop is not defined", mechanism: { type: "auto.browser.browserapierrors.setTimeout", handled: false } }],
      },
    ],
    attachments: { of: "printer on fire", files: [receipt, scan] },
    spans: checkout,
    logs: [{ message: "till opened", severity: "info", release, environment, attributes: { till: 3, open: true, ratio: 0.5 } }],
    metrics: {
      sales: { type: "counter", value: 3 },
      "queue.length": { type: "gauge", value: 5 },
      wait: { type: "distribution", value: 187.5, unit: "millisecond" },
    },
    // A page view is one session, and an error that nobody caught is a crash of it… which browsers survive.
    sessions: { healthy: 0, errored: 0, crashed: 1, abnormal: 0 },
    feedback: { ...feedback, url: "https://shop.example.com/till" },
    replay: { environment, releases: [release], user: { id: "42", email: "ada@example.com" }, urls: [page], errors: 4, html: "Till 3" },
  };
};

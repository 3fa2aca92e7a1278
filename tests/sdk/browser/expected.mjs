import { checkout, environment, feedback, receipt, release, scan, session, teller, told, transaction } from "../story.mjs";
import { some } from "../compare.mjs";

export const expected = (version, page) => {
  const common = {
    ...told,
    platform: "javascript",
    dist: "7",
    tags: { ...told.tags, dist: "7", url: page, "browser.name": /Chrom/ },
    contexts: { ...told.contexts, browser: { name: /Chrom/, version: /^\d+\./ } },
    request: { url: page },
    errors: [],
  };
  const frame = (name) => some({ function: name, filename: "/app.js", absPath: `${page}app.js`, inApp: true });
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
    attachments: [{ of: "printer on fire", files: [receipt, scan] }],
    // Without asynchronous contexts, every span of a browser is a child of the first.
    spans: { ...checkout, "till:3": { ...checkout["till:3"], parent: "checkout" } },
    transaction: {
      ...transaction, platform: "javascript", dist: "7", request: { url: page }, sdk: { name: "sentry.javascript.browser", version },
      row: { ...transaction.row, dist: "7", url: page },
    },
    logs: [{ message: "till opened", severity: "info", release, environment, number: 9, trace: /^[0-9a-f]{32}$/, attributes: { ...teller, till: 3, open: true, ratio: 0.5 } }],
    metrics: {
      sales: { type: "counter", value: 3, unit: null, release, environment, attributes: teller },
      "queue.length": { type: "gauge", value: 5, unit: null, release, environment },
      wait: { type: "distribution", value: 187.5, unit: "millisecond", release, environment },
    },
    // A page view is one session, and an error that nobody caught is a crash of it… which browsers survive.
    sessions: session("crashed"),
    feedback: { ...feedback, contexts: { ...feedback.contexts, feedback: { ...feedback.contexts.feedback, url: "https://shop.example.com/till" } } },
    replay: {
      environment, releases: [release], dist: "7", platform: "javascript", replay_type: "session", tags: { shift: ["night"] },
      user: { id: "42", email: "ada@example.com", username: "ada" }, urls: [page], count_urls: 1,
      sdk: { name: "sentry.javascript.browser", version }, browser: { name: /Chrom/, version: /^\d+/ }, os: { name: "Linux" },
      // Every event that is an error or a message, and the trace they were in.
      count_errors: 5, error_ids: (ids) => new Set(ids).size === 5, trace_ids: [/^[0-9a-f]{32}$/], count_segments: 1,
      recorded: ["Till 3", page],
    },
  };
};

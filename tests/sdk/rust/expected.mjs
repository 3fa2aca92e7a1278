import { checkout, environment, nightlyCount, receipt, release, scan, session, told, transaction } from "../story.mjs";

const common = {
  ...told,
  platform: "native",
  tags: { ...told.tags, server_name: "till-3" },
  contexts: { ...told.contexts, rust: { name: "rustc", version: /^\d/ }, os: { name: /./ } },
  extra: { queue: [1, 2, 3] },
  errors: [],
};

// The SDK has no feedback; errors that are values have no stack.
export const expected = (version) => ({
  issues: [
    {
      ...common,
      title: "CardError: card reader unplugged",
      issue: { level: "error", platform: "native", type: "error", count: "1", userCount: 1, isUnhandled: false },
      sdk: { name: "sentry.rust", version },
      exceptions: [{ type: "CardError", value: "card reader unplugged" }],
    },
    {
      ...common,
      title: "SensorError: sensor lost",
      issue: { level: "fatal" },
      exceptions: [{ type: "SocketError", value: "socket closed" }, { type: "SensorError", value: "sensor lost" }],
    },
    {
      ...common,
      title: "pump 7 at dock",
      issue: { level: "warning", type: "default", logger: "plant" },
      message: { formatted: "pump 7 at dock", message: "pump %s at %s", params: ["7", "dock"] },
    },
    { ...common, title: "printer on fire", issue: { level: "error" } },
  ],
  attachments: [{ of: "printer on fire", files: [receipt, scan] }],
  spans: checkout,
  // The SDK names a platform only of events.
  transaction: { ...transaction, platform: "other", sdk: { name: "sentry.rust", version } },
  logs: [
    { message: "till opened", severity: "info", release, environment, attributes: { till: 3, open: true, ratio: 0.5 } },
    { message: "drawer B jammed", severity: "error", release, environment, attributes: { "sentry.message.template": "drawer {} jammed" } },
  ],
  metrics: {
    sales: { type: "counter", value: 3, unit: null, release, environment },
    "queue.length": { type: "gauge", value: 5, unit: null, release, environment },
    wait: { type: "distribution", value: 187.5, unit: "millisecond", release, environment },
  },
  sessions: session("errored"),
  checkIns: nightlyCount,
});

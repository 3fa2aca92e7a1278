import { fileURLToPath } from "node:url";
import { checkout, environment, lineOf, nightlyCount, receipt, release, scan, told, transaction } from "../story.mjs";
import { some } from "../compare.mjs";

const file = fileURLToPath(new URL("main.go", import.meta.url));
const frame = (name, text) => some({ function: name, filename: file, absPath: file, module: "main", lineNo: lineOf(file, text), inApp: true });
const common = {
  ...told,
  platform: "go",
  dist: "7",
  tags: { ...told.tags, server_name: "till-3", dist: "7" },
  contexts: { ...told.contexts, runtime: { name: "go", version: /^go1\./ }, device: { arch: /./ } },
  errors: [],
};

// The SDK has no sessions and no feedback.
export const expected = (version) => ({
  issues: [
    {
      ...common,
      title: "*main.CardError: card reader unplugged",
      issue: { level: "error", platform: "go", type: "error", culprit: "main in reportCard", count: "1", userCount: 1, isUnhandled: false },
      sdk: { name: "sentry.go", version },
      exceptions: [{ type: "*main.CardError", value: "card reader unplugged", frames: frame("reportCard", "func reportCard") }],
    },
    {
      ...common,
      title: "*fmt.wrapError: sensor lost: socket closed",
      issue: { level: "fatal", culprit: "main in reportSensor" },
      exceptions: [
        { type: "*errors.errorString", value: "socket closed", mechanism: { type: "chained", source: "unwrap", parent_id: 0, exception_id: 1 } },
        { type: "*fmt.wrapError", value: "sensor lost: socket closed", mechanism: { exception_id: 0 }, frames: frame("reportSensor", "func reportSensor") },
      ],
    },
    { ...common, title: "printer on fire", issue: { level: "info" } },
  ],
  attachments: [{ of: "printer on fire", files: [receipt, scan] }],
  spans: checkout,
  transaction: { ...transaction, platform: "go", sdk: { name: "sentry.go", version } },
  logs: [
    { message: "till opened", severity: "info", release, environment, attributes: { till: 3, open: true, ratio: 0.5 } },
    { message: "drawer B jammed", severity: "error", release, environment, attributes: { "sentry.message.template": "drawer %s jammed" } },
  ],
  metrics: {
    sales: { type: "counter", value: 3, unit: null, release, environment, attributes: { lane: "left" } },
    "queue.length": { type: "gauge", value: 5, unit: null, release, environment },
    wait: { type: "distribution", value: 187.5, unit: "millisecond", release, environment },
  },
  checkIns: nightlyCount,
});

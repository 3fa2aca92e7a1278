import { fileURLToPath } from "node:url";
import { checkout, environment, feedback, lineOf, nightlyCount, receipt, release, scan, session, teller, told, transaction } from "../story.mjs";
import { some } from "../compare.mjs";

const file = fileURLToPath(new URL("app.mjs", import.meta.url));
const frame = (name, text) => some({ function: name, filename: file, lineNo: lineOf(file, text), inApp: true, module: "app" });
const common = {
  ...told,
  platform: "node",
  dist: "7",
  tags: { ...told.tags, server_name: "till-3", dist: "7" },
  contexts: { ...told.contexts, runtime: { name: "node", version: process.version }, os: { name: /./ }, device: { arch: /./ } },
  extra: { queue: [1, 2, 3] },
  errors: [],
};

// `version` of the SDK.
export const expected = (version) => ({
  visible: "TypeError: card reader unplugged",
  issues: [
    {
      ...common,
      title: "TypeError: card reader unplugged",
      issue: { level: "error", platform: "node", type: "error", culprit: "pay(app)", count: "1", userCount: 1, isUnhandled: false },
      type: "error",
      sdk: { name: "sentry.javascript.node", version },
      exceptions: [{
        type: "TypeError", value: "card reader unplugged",
        mechanism: { type: "generic", handled: true },
        frames: some({ function: "pay", filename: file, lineNo: lineOf(file, "throw new TypeError"), colNo: 9, inApp: true, module: "app" }, { inApp: false }),
      }],
    },
    {
      ...common,
      title: "Error: sensor lost",
      issue: { level: "fatal", culprit: "readSensor(app)" },
      exceptions: [
        { type: "RangeError", value: "socket closed", mechanism: { type: "chained", source: "cause" }, frames: frame("connect", "throw new RangeError") },
        { type: "Error", value: "sensor lost", frames: frame("readSensor", "throw new Error") },
      ],
    },
    {
      ...common,
      title: "pump 7 at dock",
      issue: { level: "warning", type: "default" },
      message: { formatted: "pump 7 at dock", message: "pump %s at %s", params: [7, "dock"] },
      exceptions: undefined,
    },
    { ...common, title: "printer on fire", issue: { level: "error" } },
  ],
  releases: [release],
  attachments: [{ of: "printer on fire", files: [receipt, scan] }],
  spans: {
    checkout: { ...checkout.checkout, status: "ok", duration: (ms) => ms >= 55, attributes: { till: 3 } },
    "SELECT tills": { ...checkout["SELECT tills"], attributes: { "db.system": "sqlite" } },
    "till:3": checkout["till:3"],
  },
  transaction: {
    ...transaction, platform: "node", dist: "7", sdk: { name: "sentry.javascript.node", version },
    row: { ...transaction.row, dist: "7", "transaction.status": "ok" },
    contexts: { ...transaction.contexts, trace: { ...transaction.contexts.trace, status: "ok", data: { till: 3 } }, runtime: { name: "node", version: process.version } },
  },
  logs: [
    { message: "till opened", severity: "info", release, environment, number: 9, trace: /^[0-9a-f]{32}$/, attributes: { ...teller, till: 3, open: true, ratio: 0.5 } },
    { message: "drawer B jammed", severity: "error", number: 17, release, environment, attributes: { ...teller, "sentry.message.template": "drawer %s jammed", "sentry.message.parameter.0": "B" } },
  ],
  metrics: {
    sales: { type: "counter", value: 3, unit: null, release, environment, trace: /^[0-9a-f]{32}$/, attributes: { ...teller, lane: "left" } },
    "queue.length": { type: "gauge", value: 5, unit: null, release, environment },
    wait: { type: "distribution", value: 187.5, unit: "millisecond", release, environment },
  },
  sessions: session("errored"),
  checkIns: nightlyCount,
  feedback: { ...feedback, contexts: { ...feedback.contexts, feedback: { ...feedback.contexts.feedback, url: "https://shop.example.com/till" } } },
  profile: { transaction: "checkout", platform: "node", release, environment, functions: some(/./), samples: (count) => count >= 2 },
});

// The eleventh says in every message where it was captured: an exception without a type.
export const expected11 = (version) => {
  const { profile, transaction: none, ...same } = expected(version);
  return {
    ...same,
    issues: same.issues.map((issue) => {
      if (!issue.message) return issue;
      return {
        ...issue,
        issue: { level: "warning", type: "error" },
        exceptions: [{ type: null, value: "pump 7 at dock", mechanism: { type: "generic", handled: true, synthetic: true }, frames: frame("reportPump", "parameterize") }],
      };
    }),
  };
};

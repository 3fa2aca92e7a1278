import { fileURLToPath } from "node:url";
import { checkout, environment, feedback, lineOf, nightlyCount, receipt, release, scan, session, told, transaction } from "../story.mjs";
import { some } from "../compare.mjs";

const file = fileURLToPath(new URL("src/main/java/App.java", import.meta.url));
const frame = (name, text) => ({ function: name, filename: "App.java", module: "App", lineNo: lineOf(file, text), inApp: true });
const common = {
  ...told,
  platform: "java",
  dist: "7",
  tags: { ...told.tags, server_name: "till-3", dist: "7" },
  contexts: { ...told.contexts, runtime: { version: /^\d+/ } },
  extra: { queue: "1 2 3" },
  errors: [],
};

export const expected = (version) => ({
  issues: [
    {
      ...common,
      title: "IllegalStateException: card reader unplugged",
      issue: { level: "error", platform: "java", type: "error", culprit: "App in pay", count: "1", userCount: 1, isUnhandled: false },
      sdk: { name: "sentry.java", version },
      exceptions: [{
        type: "IllegalStateException", value: "card reader unplugged",
        frames: [frame("main", "      pay();"), frame("pay", "throw new IllegalStateException")],
      }],
    },
    {
      ...common,
      title: "RuntimeException: sensor lost",
      issue: { level: "fatal", culprit: "App in readSensor" },
      exceptions: [
        { type: "ArithmeticException", value: "socket closed", mechanism: { type: "chained", exception_id: 1, parent_id: 0 }, frames: some(frame("connect", "throw new ArithmeticException")) },
        { type: "RuntimeException", value: "sensor lost", frames: [frame("main", "      readSensor();"), frame("readSensor", "throw new RuntimeException")] },
      ],
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
  transaction: { ...transaction, platform: "java", sdk: { name: "sentry.java", version } },
  logs: [
    { message: "till opened", severity: "info", release, environment, attributes: { till: 3, open: true, ratio: 0.5 } },
    { message: "drawer B jammed", severity: "error", release, environment, attributes: { "sentry.message.template": "drawer %s jammed", "sentry.message.parameter.0": "B" } },
  ],
  metrics: {
    sales: { type: "counter", value: 3, unit: null, release, environment },
    "queue.length": { type: "gauge", value: 5, unit: null, release, environment },
    wait: { type: "distribution", value: 187.5, unit: "millisecond", release, environment },
  },
  // Whose a session is it takes from the option distinctId, which Android sets, and never from the scope's user.
  sessions: { ...session("errored"), places: [{ release, environment, sessions: 1, users: 0 }] },
  checkIns: nightlyCount,
  feedback: { ...feedback, contexts: { ...feedback.contexts, feedback: { ...feedback.contexts.feedback, url: "https://shop.example.com/till" } } },
});

import { fileURLToPath } from "node:url";
import { checkout, environment, lineOf, nightlyCount, receipt, release, scan, session, told, transaction, userReport } from "../story.mjs";
import { some } from "../compare.mjs";

const file = fileURLToPath(new URL("app.py", import.meta.url));
const line = (text) => lineOf(file, text);
const frame = (name, text, more = {}) => ({ function: name, filename: "app.py", absPath: file, module: "__main__", lineNo: line(text), inApp: true, ...more });
const common = {
  ...told,
  platform: "python",
  dist: "7",
  tags: { ...told.tags, server_name: "till-3", dist: "7" },
  contexts: { ...told.contexts, runtime: { name: "CPython", version: /^3\./ } },
  extra: { queue: [1, 2, 3] },
  errors: [],
};

// `version` of the SDK: 1.9 of Debian 12 knows no logs, metrics, check-ins and profiles of scripts.
export const expected = (version) => {
  const modern = !version.startsWith("1.");
  const told = {
    issues: [
      {
        ...common,
        title: "TypeError: card reader unplugged",
        issue: { level: "error", platform: "python", type: "error", culprit: "__main__ in pay", count: "1", userCount: 1, isUnhandled: false },
        sdk: { name: "sentry.python", version },
        exceptions: [{
          type: "TypeError", value: "card reader unplugged", mechanism: modern ? { type: "generic", handled: true } : null,
          frames: [frame("<module>", "    pay(12)"), frame("pay", "raise TypeError", { vars: { amount: "12" } })],
        }],
      },
      {
        ...common,
        title: "RuntimeError: sensor lost",
        issue: { level: "fatal", culprit: "__main__ in read_sensor" },
        exceptions: [
          { type: "ConnectionError", value: "socket closed", frames: [frame("read_sensor", "        connect()"), frame("connect", "raise ConnectionError")] },
          { type: "RuntimeError", value: "sensor lost", frames: [frame("<module>", "    read_sensor()"), frame("read_sensor", "raise RuntimeError")] },
        ],
      },
      {
        ...common,
        title: "pump 7 at dock",
        issue: { level: "error", type: "default", logger: "plant" },
        message: { formatted: "pump 7 at dock", message: "pump %d at %s", params: [7, "dock"] },
      },
      { ...common, title: "printer on fire", issue: { level: "error" } },
    ],
    attachments: [{ of: "printer on fire", files: [receipt, scan] }],
    spans: { ...checkout, checkout: { ...checkout.checkout, duration: (ms) => ms >= 140 } },
    transaction: {
      ...transaction, platform: "python", dist: "7", sdk: { name: "sentry.python", version }, row: { ...transaction.row, dist: "7" },
      contexts: { ...transaction.contexts, runtime: { name: "CPython", version: /^3\./ } },
    },
    sessions: session("errored"),
    userReports: { of: "TypeError: card reader unplugged", ...userReport },
  };
  if (!modern) return told;
  return {
    ...told,
    logs: [
      { message: "till opened", severity: "info", release, environment, attributes: { till: 3, open: true, ratio: 0.5 } },
      { message: "drawer B jammed", severity: "error", release, environment, attributes: { "sentry.message.template": "drawer {which} jammed", "sentry.message.parameter.which": "B" } },
      // The SDK makes logs of what goes through `logging`, too.
      { message: "pump 7 at dock", severity: "error", release, environment },
    ],
    metrics: {
      sales: { type: "counter", value: 3, unit: null, release, environment, attributes: { lane: "left" } },
      "queue.length": { type: "gauge", value: 5, unit: null, release, environment },
      wait: { type: "distribution", value: 187.5, unit: "millisecond", release, environment },
    },
    checkIns: nightlyCount,
    profile: { transaction: "checkout", platform: "python", release, environment, functions: some(/count_tills/), samples: (count) => count >= 2 },
  };
};

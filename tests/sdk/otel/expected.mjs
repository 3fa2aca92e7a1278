import { fileURLToPath } from "node:url";
import { environment, lineOf, release } from "../story.mjs";
import { some } from "../compare.mjs";

const file = fileURLToPath(new URL("app.mjs", import.meta.url));

const span = { isTransaction: false, release, environment, duration: (ms) => ms >= 0 };
const trace = /^[0-9a-f]{32}$/;

export const expected = () => ({
  // An exception that a span recorded is an issue.
  issues: [{
    title: "TypeError: card reader unplugged",
    issue: { level: "error", type: "error" },
    release,
    tags: { release, environment },
    exceptions: [{
      type: "TypeError", value: "card reader unplugged",
      frames: some({ function: "pay", filename: (name) => name.endsWith(file), lineNo: lineOf(file, "throw new TypeError") }),
    }],
  }],
  spans: {
    checkout: { ...span, parent: null, isTransaction: true, attributes: { till: 3 } },
    "SELECT * FROM tills": { ...span, op: "db", parent: "checkout", attributes: { "db.system": "sqlite" } },
    "till:3": { ...span, parent: "SELECT * FROM tills" },
  },
  logs: [
    { message: "till opened", severity: "info", number: 9, trace, release, environment, attributes: { till: 3, open: true, ratio: 0.5 } },
    { message: "drawer B jammed", severity: "error", number: 17, trace, release, environment },
  ],
});

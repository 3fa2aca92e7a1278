import { fileURLToPath } from "node:url";
import { environment, lineOf, release } from "../story.mjs";
import { some } from "../compare.mjs";

const file = fileURLToPath(new URL("app.mjs", import.meta.url));

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
    checkout: { parent: null, isTransaction: true },
    "SELECT * FROM tills": { op: "db", parent: "checkout" },
    "till:3": { parent: "SELECT * FROM tills" },
  },
  logs: [
    { message: "till opened", severity: "info", attributes: { till: 3, open: true, ratio: 0.5 } },
    { message: "drawer B jammed", severity: "error" },
  ],
});

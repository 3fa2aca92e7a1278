// The story that every SDK tells, as far as it can, and how the API must tell it back. What differs
// from SDK to SDK (stack frames, types of exceptions, who adds which context) is in each folder's
// expected.mjs.
import { readFileSync } from "node:fs";
import { some } from "./compare.mjs";

export const release = "shop@1.4.2";
export const environment = "quay";
export const user = { id: "42", email: "ada@example.com", username: "ada" };
export const tags = { shift: "night", release, environment };
export const contexts = { tank: { fuel: "diesel", level: 7, sealed: true } };
export const breadcrumbs = some(
  { category: "ui.click", message: "clicked pay", level: "info", data: { button: "pay" } },
  { category: "till", message: "drawer stuck", level: "warning" },
);
// What every event of the story carries.
export const told = { user, tags, contexts, release, breadcrumbs };

export const receipt = { name: "receipt.txt", type: "event.attachment", mimetype: "text/plain", bytes: Buffer.from("paid 12 €\n") };
// Most SDKs do not say what it is.
export const scan = { name: "scan.bin", type: "event.attachment", mimetype: "application/octet-stream", bytes: Buffer.from([0, 255, 10, 13, 0, 1]) };

// By name: the operation, and the span above it (null: the transaction).
const span = { transaction: "checkout", isTransaction: false, release, environment, duration: (ms) => ms >= 0 };
export const checkout = {
  checkout: { ...span, op: "task", parent: null, isTransaction: true },
  "SELECT tills": { ...span, op: "db.query", parent: "checkout" },
  "till:3": { ...span, op: "cache.get", parent: "SELECT tills" },
};
// The same as a transaction: one row of the dataset, and the event that it is.
export const transaction = {
  row: {
    transaction: "checkout", "transaction.op": "task", "transaction.duration": (ms) => ms > 0, release, environment, shift: "night",
    "user.id": user.id, "user.email": user.email, "user.username": user.username,
  },
  title: "checkout", type: "transaction", user, tags, release,
  contexts: { ...contexts, trace: { op: "task", trace_id: /^[0-9a-f]{32}$/, span_id: /^[0-9a-f]{16}$/ } },
  spans: some({ op: "db.query", description: "SELECT tills" }, { op: "cache.get", description: "till:3" }),
  errors: [],
};
// Whose logs and metrics they are.
export const teller = { "user.id": user.id, "user.email": user.email, "user.name": user.username };
export const nightlyCount = {
  slug: "nightly-count",
  config: { schedule_type: "crontab", schedule: "0 3 * * *", checkin_margin: 5, max_runtime: 30, timezone: "Europe/Amsterdam" },
  environments: [{ name: environment, status: "ok" }],
  checkIns: [{ status: "ok", duration: 12500, environment, expectedTime: /./, monitorConfig: { schedule: "0 3 * * *" } }],
};
// The one session of a program, by what became of it.
export const session = (status) => ({
  healthy: 0, errored: 0, crashed: 0, abnormal: 0, [status]: 1, places: [{ release, environment, sessions: 1, users: 1 }],
});
// What a customer wrote, as feedback and as the user report of old.
const said = { name: "Grace", contact_email: "grace@example.com", message: "The till is too slow" };
export const feedback = {
  issue: { title: "User Feedback", level: "info", type: "feedback", count: "1", metadata: said },
  title: "User Feedback",
  release, user, tags,
  contexts: { ...contexts, feedback: said },
};
export const userReport = { name: said.name, email: said.contact_email, comments: said.message };

// The line of a source file that holds `text`; it must be the only one.
export function lineOf(file, text) {
  const lines = readFileSync(file, "utf8").split("\n");
  const found = lines.flatMap((line, i) => (line.includes(text) ? [i + 1] : []));
  if (found.length !== 1) throw new Error(`${file} has ${found.length} lines with ${text}`);
  return found[0];
}

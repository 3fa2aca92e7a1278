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

export const receipt = { name: "receipt.txt", mimetype: "text/plain", bytes: Buffer.from("paid 12 €\n") };
export const scan = { name: "scan.bin", bytes: Buffer.from([0, 255, 10, 13, 0, 1]) };

// By name: the operation, and the span above it (null: the transaction).
export const checkout = {
  checkout: { op: "task", parent: null },
  "SELECT tills": { op: "db.query", parent: "checkout" },
  "till:3": { op: "cache.get", parent: "SELECT tills" },
};
export const nightlyCount = {
  slug: "nightly-count",
  config: { schedule_type: "crontab", schedule: "0 3 * * *", checkin_margin: 5, max_runtime: 30, timezone: "Europe/Amsterdam" },
  checkIns: [{ status: "ok", duration: 12500, environment }],
};
export const feedback = {
  name: "Grace", contact_email: "grace@example.com", message: "The till is too slow",
};

// The line of a source file that holds `text`; it must be the only one.
export function lineOf(file, text) {
  const lines = readFileSync(file, "utf8").split("\n");
  const found = lines.flatMap((line, i) => (line.includes(text) ? [i + 1] : []));
  if (found.length !== 1) throw new Error(`${file} has ${found.length} lines with ${text}`);
  return found[0];
}

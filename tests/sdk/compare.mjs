// Compares what an API returned with what was sent, field by field, and names every difference at once.
//
// In what is expected: an object names the fields that must be there (others may be too), a list is
// compared element by element and in length, a RegExp must match a string, a function must return
// true, `undefined` means absent. `some(…)` and `none(…)` say what a list holds, in any order.
import assert from "node:assert/strict";

class Some { constructor(items) { this.items = items; } }
class None { constructor(item) { this.item = item; } }
export const some = (...items) => new Some(items);
export const none = (item) => new None(item);

const shown = (value) => {
  if (value instanceof RegExp || typeof value === "function") return String(value);
  if (value instanceof Some) return `some(${value.items.map(shown).join(", ")})`;
  const text = JSON.stringify(value);
  return text === undefined ? "nothing" : text.length > 400 ? `${text.slice(0, 400)}…` : text;
};

export function differences(actual, expected, path = "") {
  const differs = () => [`${path || "value"}: expected ${shown(expected)}, got ${shown(actual)}`];
  if (expected instanceof RegExp) return typeof actual === "string" && expected.test(actual) ? [] : differs();
  if (typeof expected === "function") return expected(actual) === true ? [] : differs();
  if (expected instanceof Some) {
    if (!Array.isArray(actual)) return differs();
    return expected.items.flatMap((item) =>
      actual.some((one) => differences(one, item).length === 0) ? [] : [`${path}: nothing in ${shown(actual)} is ${shown(item)}`]);
  }
  if (expected instanceof None) {
    if (!Array.isArray(actual)) return differs();
    return actual.filter((one) => differences(one, expected.item).length === 0).map((one) => `${path}: ${shown(one)} should not be there`);
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return differs();
    const lengths = actual.length === expected.length ? [] : [`${path}: expected ${expected.length} elements, got ${actual.length}: ${shown(actual)}`];
    return [...lengths, ...expected.slice(0, actual.length).flatMap((item, i) => differences(actual[i], item, `${path}[${i}]`))];
  }
  if (expected !== null && typeof expected === "object") {
    if (actual === null || typeof actual !== "object") return differs();
    return Object.entries(expected).flatMap(([key, value]) => differences(actual[key], value, path ? `${path}.${key}` : key));
  }
  return Object.is(actual, expected) ? [] : differs();
}

export function assertSame(actual, expected, what) {
  const found = differences(actual, expected);
  if (found.length) assert.fail(`${what}:\n  ${found.join("\n  ")}`);
}

// Real SDKs, pointed at a DSN: each tells the same story, and what the API says about it is compared
// field by field. One project per SDK, one test per SDK and feature.
//   PICKET_SDKS="node browser"   only these (default: those that need only apt and npm)
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Picket, assertConserved, until } from "../e2e/lib.mjs";
import { Project, features, unserved } from "./features.mjs";
import { sdks } from "./sdks.mjs";

let picket;
before(async () => { picket = await new Picket().start(); });
after(async () => {
  await until(() => picket.status().digest.waiting === 0, { what: "the digest" });
  await assertConserved(assert, picket);
  await picket.end();
});

const chosen = (process.env.PICKET_SDKS ?? "node node-11 browser otel otel-protobuf python curl").split(" ").filter(Boolean);

for (const name of chosen) {
  const sdk = sdks[name];
  if (!sdk) throw new Error(`no SDK is called ${name}; there are ${Object.keys(sdks).join(", ")}`);
  test(sdk.title, { skip: sdk.unable?.() }, async (t) => {
    const project = await Project.create(picket, name);
    await t.test("runs to its end", async () => {
      await sdk.run(project);
      project.ranAt = Date.now();
    });
    const expected = sdk.expected(project);
    for (const [feature, what] of Object.entries(expected)) {
      await t.test(feature, { skip: unserved[feature] }, () => features[feature](project, what));
    }
  });
}

// Real SDKs, pointed at a DSN: each tells the same story, and what the API says about it is compared
// field by field. One project per SDK, one test per SDK and feature. All of it is mirrored to a second
// Picket, whose API must say the same.
//   PICKET_SDKS="node browser"   only these (default: those that need only apt and npm)
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Picket, assertConserved, tempFolder, until, uptimeMs } from "../e2e/lib.mjs";
import { Project, features } from "./features.mjs";
import { sdks } from "./sdks.mjs";

const chosen = (process.env.PICKET_SDKS ?? "node node-11 browser otel otel-protobuf python curl").split(" ").filter(Boolean);
for (const name of chosen) {
  if (!sdks[name]) throw new Error(`no SDK is called ${name}; there are ${Object.keys(sdks).join(", ")}`);
}

let picket;
let upstream;
let folder;
const projects = new Map(); // name → [here, upstream]
before(async () => {
  upstream = await new Picket().start();
  folder = tempFolder();
  const config = join(folder, "picket.toml");
  writeFileSync(config, "");
  picket = await new Picket({ config }).start();
  for (const name of chosen) projects.set(name, [await Project.create(picket, name), await Project.create(upstream, name)]);
  const pairs = [...projects.values()].map(([here, there]) => `${here.id} = "${there.dsn}"\n`);
  writeFileSync(config, `[[upstream]]\nname = "hub"\ndsn = "${upstream.liveDsn}"\n[upstream.projects]\n${pairs.join("")}`);
  picket.process.kill("SIGHUP");
  await until(() => picket.log.includes("configuration re-read"), { what: "the projects' destinations" });
});
after(async () => {
  for (const side of [picket, upstream]) {
    await until(() => side.status().digest.waiting === 0, { what: "the digest" });
    await assertConserved(assert, side);
    await side.end();
  }
  rmSync(folder, { recursive: true, force: true });
});

for (const name of chosen) {
  const sdk = sdks[name];
  test(sdk.title, { skip: sdk.unable?.() }, async (t) => {
    const [project, mirrored] = projects.get(name);
    await t.test("runs to its end", async () => {
      await sdk.run(project);
      project.ranAt = uptimeMs();
    });
    const expected = sdk.expected(project);
    for (const [feature, what] of Object.entries(expected)) {
      await t.test(feature, () => features[feature](project, what));
    }
    await t.test("mirrored", async () => {
      const { visible, ...rest } = expected;
      for (const [feature, what] of Object.entries(rest)) await features[feature](mirrored, what);
      const [hub] = picket.status().destinations;
      assert.equal(hub.quarantined, 0, JSON.stringify(hub));
    });
    await t.test("the ledger balances", async () => {
      for (const side of [picket, upstream]) await assertConserved(assert, side);
    });
  });
}

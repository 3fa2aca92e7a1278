// What comes without an SDK: a browser's CSP report, a minidump, a check-in by GET, and store.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempFolder } from "../../e2e/lib.mjs";

const here = dirname(fileURLToPath(import.meta.url));

function curl(...args) {
  const run = spawnSync("curl", ["-sS", "-o", "-", "-w", "\n%{http_code}", ...args], { encoding: "utf8", timeout: 30_000 });
  const lines = run.stdout.split("\n");
  const status = Number(lines.pop());
  return { status, body: lines.join("\n"), err: run.stderr };
}

function expectStatus(answer, status, what) {
  if (answer.status !== status) throw new Error(`${what}: ${answer.status} ${answer.body}${answer.err}`);
  return answer;
}

export async function run(project) {
  const base = `${project.picket.url}/api/${project.id}`;
  const key = `sentry_key=${project.key}`;
  expectStatus(curl("-H", "Content-Type: application/csp-report", "--data-binary", `@${join(here, "csp.json")}`,
    `${base}/security/?${key}&sentry_release=shop@1.4.2&sentry_environment=quay`), 200, "CSP");
  expectStatus(curl("-H", "Content-Type: application/json", "--data-binary", `@${join(here, "store.json")}`, `${base}/store/?${key}`), 200, "store");
  const begun = { status: "in_progress", environment: "quay", check_in_id: "5f1c3d1ab1544e4f8b1ad1a1b2c3d4e5", monitor_config: {
    schedule: { type: "crontab", value: "0 3 * * *" }, checkin_margin: 5, max_runtime: 30, timezone: "Europe/Amsterdam" } };
  expectStatus(curl("-H", "Content-Type: application/json", "-d", JSON.stringify(begun), `${base}/cron/nightly-count/${project.key}/`), 202, "check-in");
  expectStatus(curl(`${base}/cron/nightly-count/${project.key}/?status=error&environment=quay&check_in_id=5f1c3d1ab1544e4f8b1ad1a1b2c3d4e5`), 202, "check-in");
  const folder = tempFolder();
  try {
    const dump = join(folder, "crash.dmp");
    const made = spawnSync("/usr/bin/python3", [join(here, "minidump.py"), dump], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(made.stderr);
    project.dump = readFileSync(dump);
    const event = JSON.stringify({ release: "shop@1.4.2", environment: "quay", tags: { shift: "night" }, user: { id: "42", email: "ada@example.com", username: "ada" } });
    const answer = expectStatus(curl("-F", `upload_file_minidump=@${dump};filename=crash.dmp`, "-F", `sentry=${event}`,
      "-F", "note=as found on the quay", "-F", `journal=@${join(here, "journal.txt")};type=text/plain`, `${base}/minidump/?${key}`), 200, "minidump");
    project.crash = answer.body.trim().replaceAll("-", "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

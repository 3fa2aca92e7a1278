import { readFileSync } from "node:fs";
import { environment, nightlyCount, release, told, user } from "../story.mjs";

const csp = {
  title: "Blocked 'script' from 'evil.example.net'",
  issue: { level: "error", type: "csp", culprit: "script-src-elem" },
  type: "csp",
  release: told.release,
  tags: { environment, release: told.release, logger: "csp", "effective-directive": "script-src-elem", "blocked-uri": "https://evil.example.net/grab.js" },
  csp: { effective_directive: "script-src-elem", blocked_uri: "https://evil.example.net/grab.js", document_uri: "https://shop.example.com/till", original_policy: "default-src 'self'; script-src 'self'", disposition: "enforce", line_number: 12, status_code: 200 },
};

// The dump of a crash: what it says of itself becomes an event, what came along is attached to it.
const crash = {
  title: "Minidump: Fatal Error: SIGSEGV",
  issue: { level: "fatal", type: "error", platform: "native", count: "1", userCount: 1, isUnhandled: true },
  platform: "native", release, user,
  tags: { shift: "night", release, environment, level: "fatal", handled: "no", mechanism: "minidump" },
  extra: { note: "as found on the quay" },
  contexts: { os: { name: "Linux", version: "6.1.0" }, device: { arch: "x86_64" } },
  exceptions: [{ type: "Minidump", value: "Fatal Error: SIGSEGV", mechanism: { type: "minidump", handled: false, synthetic: true } }],
  errors: [],
};

export const expected = (project) => ({
  issues: [
    crash,
    csp,
    {
      ...told,
      title: "pump 7 at dock",
      issue: { level: "warning", logger: "plant", type: "default", platform: "other" },
      dist: "7",
      extra: { queue: [1, 2, 3] },
      tags: { ...told.tags, server_name: "till-3", logger: "plant" },
      message: { formatted: "pump 7 at dock", message: "pump %s at %s", params: [7, "dock"] },
    },
  ],
  attachments: [{
    of: crash.title,
    files: [
      { name: "crash.dmp", type: "event.minidump", mimetype: "application/x-dmp", bytes: project.dump },
      { name: "journal.txt", type: "event.attachment", mimetype: "text/plain", bytes: readFileSync(new URL("journal.txt", import.meta.url)) },
    ],
  }],
  checkIns: {
    ...nightlyCount,
    environments: [{ name: environment, status: "error", activeIncident: { resolvingTimestamp: null } }],
    checkIns: [{ ...nightlyCount.checkIns[0], status: "error", id: "5f1c3d1a-b154-4e4f-8b1a-d1a1b2c3d4e5", duration: (ms) => ms >= 0 }],
  },
  incidents: [{ title: "Cron failure: nightly-count", level: "error", issueType: "monitor_check_in_failure", count: "1" }],
});

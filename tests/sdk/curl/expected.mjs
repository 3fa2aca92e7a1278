import { environment, told } from "../story.mjs";

const csp = {
  title: "Blocked 'script' from 'evil.example.net'",
  issue: { level: "error", type: "csp", culprit: "script-src-elem" },
  type: "csp",
  release: told.release,
  tags: { environment, release: told.release, logger: "csp", "effective-directive": "script-src-elem", "blocked-uri": "https://evil.example.net/grab.js" },
  csp: { effective_directive: "script-src-elem", blocked_uri: "https://evil.example.net/grab.js", document_uri: "https://shop.example.com/till", original_policy: "default-src 'self'; script-src 'self'", disposition: "enforce", line_number: 12, status_code: 200 },
};

export const expected = (project) => ({
  issues: [
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
  checkIns: { slug: "nightly-count", checkIns: [{ status: "error", environment, id: "5f1c3d1a-b154-4e4f-8b1a-d1a1b2c3d4e5" }] },
});

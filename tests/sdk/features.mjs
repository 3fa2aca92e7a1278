// Reads back through the API what an SDK sent, one reader per feature, in shapes that are easy to
// compare. A Project is one project of a running Picket with a key of its own.
import assert from "node:assert/strict";
import { until } from "../e2e/lib.mjs";
import { assertSame, differences } from "./compare.mjs";

// What is sent and not compared yet: these expectations have not met the endpoints. Remove a line, run, and mend
// whichever is wrong.
export const unserved = {
  attachments: "not compared yet",
  spans: "not compared yet",
  logs: "not compared yet",
  metrics: "not compared yet",
  profile: "not compared yet",
  sessions: "not compared yet",
  checkIns: "not compared yet",
  feedback: "not compared yet",
  userReports: "not compared yet",
  replay: "not compared yet",
  minidump: "not compared yet",
};

export class Project {
  // Makes the project through the API, as a person would.
  static async create(picket, slug) {
    const teams = (await picket.api(`organizations/${picket.organization}/teams/`)).body;
    const made = await picket.api(`teams/${picket.organization}/${teams[0].slug}/projects/`, {
      method: "POST", body: JSON.stringify({ name: slug, slug }),
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const keys = (await picket.api(`projects/${picket.organization}/${slug}/keys/`)).body;
    return Object.assign(new Project(), {
      picket, slug, id: made.body.id, key: keys[0].public,
      dsn: `http://${keys[0].public}@127.0.0.1:${picket.port}/${made.body.id}`,
    });
  }

  get(path) { return this.picket.api(`projects/${this.picket.organization}/${this.slug}/${path}`); }
  ofOrganization(path, query = {}) {
    const parameters = new URLSearchParams(query);
    parameters.append("project", this.id);
    return this.picket.api(`organizations/${this.picket.organization}/${path}?${parameters}`);
  }

  // Asks again until the answer is what is expected; says every difference of the last answer.
  async same(ask, expected, what) {
    let last;
    let refused;
    await until(async () => {
      refused = undefined;
      last = await ask().catch((error) => { refused = error; });
      return !refused && differences(last, expected).length === 0;
    }, { within: 10_000, every: 100, what }).catch(() => { if (refused) throw refused; });
    assertSame(last, expected, what);
  }

  async issues(query = "") {
    const answer = await this.get(`issues/?${new URLSearchParams({ query, limit: 100 })}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }

  async latestEvent(issue) {
    return (await this.picket.api(`organizations/${this.picket.organization}/issues/${issue.id}/events/latest/`)).body;
  }

  async eventTitled(title) {
    const issue = await until(async () => (await this.issues()).find((one) => one.title === title), { what: `an issue titled ${title}` });
    return { issue, event: await this.latestEvent(issue) };
  }

  async attachments(event) {
    const list = await this.get(`events/${event.eventID}/attachments/`);
    assert.equal(list.status, 200, JSON.stringify(list.body));
    return Promise.all(list.body.map(async (one) => {
      const answer = await fetch(
        `${this.picket.url}/api/0/projects/${this.picket.organization}/${this.slug}/events/${event.eventID}/attachments/${one.id}/?download=1`,
        { headers: { Authorization: `Bearer ${this.picket.token}` } });
      return { name: one.name, mimetype: one.mimetype, type: one.type, size: one.size, bytes: Buffer.from(await answer.arrayBuffer()).toString("base64") };
    }));
  }

  // Rows of a dataset with these fields.
  async rows(dataset, fields, query = {}) {
    const parameters = new URLSearchParams({ dataset, project: this.id, statsPeriod: "1h", per_page: "100", ...query });
    for (const field of fields) parameters.append("field", field);
    const answer = await this.picket.api(`organizations/${this.picket.organization}/events/?${parameters}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.data;
  }

  // name → {op, parent's name}; what an SDK adds of its own accord is there too.
  async spans() {
    const rows = await this.rows("spans", ["id", "parent_span", "span.op", "span.description", "span.name", "trace", "is_transaction", "transaction", "release", "environment"]);
    const nameOf = (row) => row["span.description"] || row["span.name"];
    const names = new Map(rows.map((row) => [row.id, nameOf(row)]));
    return Object.fromEntries(rows.map((row) => [nameOf(row), {
      op: row["span.op"],
      parent: names.get(row.parent_span) ?? null,
      transaction: row.transaction,
      isTransaction: Boolean(row.is_transaction),
      trace: row.trace,
      release: row.release,
      environment: row.environment,
    }]));
  }

  // Counts of sessions by what became of them.
  async sessions() {
    const answer = await this.ofOrganization("sessions/", { field: "sum(session)", groupBy: "session.status", statsPeriod: "1d", interval: "1d" });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return Object.fromEntries(answer.body.groups.map((group) => [group.by["session.status"], group.totals["sum(session)"]]));
  }

  async monitor(slug) {
    const monitor = await this.get(`monitors/${slug}/`);
    const checkIns = await this.get(`monitors/${slug}/checkins/`);
    return { slug: monitor.body?.slug, config: monitor.body?.config, checkIns: checkIns.body };
  }

  async profile(id) {
    return (await this.get(`profiling/raw_profiles/${id}/`)).body;
  }
}

// An event of the API with its lists turned into maps and its entries under their names.
export function viewOf({ issue, event }) {
  const entry = (type) => event.entries.find((one) => one.type === type)?.data;
  return {
    issue: { title: issue.title, culprit: issue.culprit, level: issue.level, platform: issue.platform, type: issue.type, count: issue.count, userCount: issue.userCount, isUnhandled: issue.isUnhandled, logger: issue.logger },
    title: event.title,
    message: entry("message"),
    platform: event.platform,
    dist: event.dist,
    type: event.type,
    user: event.user,
    tags: Object.fromEntries(event.tags.map(({ key, value }) => [key, value])),
    contexts: event.contexts,
    extra: event.context,
    release: event.release?.version,
    sdk: event.sdk,
    errors: event.errors,
    breadcrumbs: entry("breadcrumbs")?.values,
    request: entry("request"),
    exceptions: entry("exception")?.values.map(({ type, value, mechanism, stacktrace }) => ({ type, value, mechanism, frames: stacktrace?.frames })),
    csp: entry("csp"),
  };
}

// name of a feature → how it is compared: (project, expected of that SDK's table) → nothing, or throws.
export const features = {
  // expected: [{title, issue: {…}, …what viewOf gives}]
  async issues(project, expected) {
    for (const one of expected) {
      const { title, ...rest } = one;
      assertSame(viewOf(await project.eventTitled(title)), rest, title);
    }
    // Nothing else became an issue.
    const titles = (await project.issues("issue.category:error")).map((issue) => issue.title).sort();
    assert.deepEqual(titles, expected.map((one) => one.title).sort());
  },

  // expected: a title. Who looks right after the SDK's flush sees it within a second.
  async visible(project, title) {
    await until(async () => (await project.issues()).some((issue) => issue.title === title), { within: 900, what: `an issue titled ${title}` });
    const took = Date.now() - project.ranAt;
    assert.ok(took < 1_000, `visible ${took} ms after the program ended`);
  },

  // expected: versions
  async releases(project, expected) {
    const answer = await project.ofOrganization("releases/");
    assert.deepEqual(answer.body.map((release) => release.version), expected);
  },

  // expected: {of: title of the event, files: [{name, mimetype, bytes}]}
  async attachments(project, { of, files }) {
    const { event } = await project.eventTitled(of);
    await project.same(async () => (await project.attachments(event)).sort((a, b) => (a.name < b.name ? -1 : 1)),
      files.map(({ bytes, ...rest }) => ({ ...rest, size: bytes.length, bytes: bytes.toString("base64") })), `attachments of ${of}`);
  },

  // expected: {name: {op, parent}}
  async spans(project, expected) {
    await project.same(() => project.spans(), expected, "spans");
    const spans = await project.spans();
    const traces = new Set(Object.keys(expected).map((name) => spans[name].trace));
    assert.equal(traces.size, 1, "one trace");
    const [trace] = traces;
    // The same again as a tree.
    const answer = await project.ofOrganization(`trace/${trace}/`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const found = {};
    const walk = (nodes, parent) => {
      for (const node of nodes ?? []) {
        if (node.event_type !== "span") continue;
        const name = node.description || node.name;
        found[name] = { op: node.op, parent };
        walk(node.children, name);
      }
    };
    walk(answer.body, null);
    assertSame(found, Object.fromEntries(Object.entries(expected).map(([name, { op, parent }]) => [name, { op, parent }])), "the trace's tree");
  },

  // expected: [{message, severity, attributes: {name: value}}]
  async logs(project, expected) {
    const names = [...new Set(expected.flatMap((one) => Object.keys(one.attributes ?? {})))];
    const asked = expected.flatMap((one) => Object.entries(one.attributes ?? {})).reduce((fields, [name, value]) => {
      fields[name] = typeof value === "string" || value instanceof RegExp ? name : `tags[${name},${typeof value}]`;
      return fields;
    }, {});
    await project.same(async () => {
      const rows = await project.rows("logs", ["message", "severity", "trace", "release", "environment", ...Object.values(asked)], { sort: "timestamp" });
      return rows.map((row) => ({
        message: row.message, severity: row.severity, trace: row.trace, release: row.release, environment: row.environment,
        attributes: Object.fromEntries(names.filter((name) => row[asked[name]] !== null && row[asked[name]] !== undefined).map((name) => [name, row[asked[name]]])),
      })).sort((a, b) => (a.message < b.message ? -1 : 1));
    }, [...expected].sort((a, b) => (a.message < b.message ? -1 : 1)), "logs");
  },

  // expected: {name: {type, value, unit}}
  async metrics(project, expected) {
    await project.same(async () => Object.fromEntries(
      (await project.rows("tracemetrics", ["metric.name", "metric.type", "metric.unit", "value"]))
        .map((row) => [row["metric.name"], { type: row["metric.type"], unit: row["metric.unit"] ?? null, value: row.value }])), expected, "metrics");
  },

  // expected: {healthy, errored, crashed, abnormal}
  async sessions(project, expected) {
    await project.same(() => project.sessions(), expected, "sessions");
  },

  // expected: {slug, config, checkIns}
  async checkIns(project, expected) {
    await project.same(() => project.monitor(expected.slug), expected, "check-ins");
  },

  // expected: what the feedback context says
  async feedback(project, expected) {
    await project.same(async () => {
      const issues = await project.issues("issue.category:feedback");
      return Promise.all(issues.map(async (issue) => (await project.latestEvent(issue)).contexts?.feedback));
    }, [expected], "feedback");
  },

  // expected: {of: title, name, email, comments}: the older user report about an event
  async userReports(project, { of, ...expected }) {
    const { event } = await project.eventTitled(of);
    await project.same(async () => (await project.get("user-feedback/")).body, [{ ...expected, eventID: event.eventID }], "user reports");
  },

  // expected: {transaction, platform, functions: […]}: a profile of a transaction
  async profile(project, expected) {
    const rows = await until(async () => {
      const found = (await project.rows("transactions", ["id", "transaction", "profile.id"], {})).filter((row) => row["profile.id"]);
      return found.length ? found : undefined;
    }, { what: "a transaction with a profile" });
    const profile = await project.profile(rows[0]["profile.id"]);
    assertSame({
      transaction: rows[0].transaction,
      platform: profile.platform,
      release: profile.release,
      environment: profile.environment,
      functions: profile.profile?.frames?.map((frame) => frame.function),
      samples: profile.profile?.samples?.length,
    }, expected, "profile");
  },
};

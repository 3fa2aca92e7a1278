// Reads back through the API what an SDK sent, one reader per feature, in shapes that are easy to
// compare. A Project is one project of a running Picket with a key of its own.
import assert from "node:assert/strict";
import { until, uptimeMs } from "../e2e/lib.mjs";
import { assertSame, differences } from "./compare.mjs";

// How rows are asked for attributes whose values are expected: name → field.
const fieldsFor = (all) => Object.fromEntries(all.flatMap((attributes) => Object.entries(attributes ?? {}))
  .map(([name, value]) => [name, typeof value === "string" || value instanceof RegExp ? name : `tags[${name},${typeof value}]`]));
const attributesOf = (row, asked) => Object.fromEntries(Object.entries(asked)
  .map(([name, field]) => [name, row[field]]).filter(([, value]) => value !== null && value !== undefined));

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

  // name → what it is; what an SDK adds of its own accord is there too. `attributes`: name → the field that asks for it.
  async spans(attributes = {}) {
    const rows = await this.rows("spans", ["id", "parent_span", "span.op", "span.description", "span.name", "span.status", "span.duration",
      "trace", "is_transaction", "transaction", "release", "environment", ...Object.values(attributes)]);
    const nameOf = (row) => row["span.description"] || row["span.name"];
    const names = new Map(rows.map((row) => [row.id, nameOf(row)]));
    return Object.fromEntries(rows.map((row) => [nameOf(row), {
      op: row["span.op"],
      parent: names.get(row.parent_span) ?? null,
      status: row["span.status"],
      duration: row["span.duration"],
      transaction: row.transaction,
      isTransaction: row.is_transaction,
      trace: row.trace,
      release: row.release,
      environment: row.environment,
      attributes: attributesOf(row, attributes),
    }]));
  }

  // Counts of sessions by what became of them, whose they were, and where.
  async sessions() {
    const ask = async (query) => {
      const answer = await this.ofOrganization("sessions/", [...query, ["statsPeriod", "1d"], ["interval", "1d"]]);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body.groups;
    };
    const byStatus = await ask([["field", "sum(session)"], ["groupBy", "session.status"]]);
    const places = await ask([["field", "sum(session)"], ["field", "count_unique(user)"], ["groupBy", "release"], ["groupBy", "environment"]]);
    return {
      ...Object.fromEntries(byStatus.map((group) => [group.by["session.status"], group.totals["sum(session)"]])),
      places: places.map(({ by, totals }) => ({ ...by, sessions: totals["sum(session)"], users: totals["count_unique(user)"] })),
    };
  }

  async monitor(slug) {
    const monitor = (await this.get(`monitors/${slug}/`)).body;
    const checkIns = (await this.get(`monitors/${slug}/checkins/`)).body;
    return { slug: monitor?.slug, project: monitor?.project?.slug, config: monitor?.config, environments: monitor?.environments, checkIns };
  }

  async profile(id) {
    return (await this.get(`profiling/raw_profiles/${id}/`)).body;
  }

  // The only replay, as the list and the replay itself say, and everything that it recorded.
  async replay() {
    const list = (await this.ofOrganization("replays/")).body.data;
    assert.equal(list.length, 1, `${list.length} replays`);
    const one = (await this.ofOrganization(`replays/${list[0].id}/`)).body.data;
    assertSame(one, list[0], "the replay by its id");
    const recorded = (await this.get(`replays/${one.id}/recording-segments/?download=true`)).body;
    return { ...one, recorded };
  }
}

// An event of the API with its lists turned into maps and its entries under their names.
export function viewOfEvent(event) {
  const entry = (type) => event.entries.find((one) => one.type === type)?.data;
  return {
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
    spans: entry("spans"),
    userReport: event.userReport,
  };
}

export function viewOf({ issue, event }) {
  return {
    issue: { title: issue.title, culprit: issue.culprit, level: issue.level, platform: issue.platform, type: issue.type, count: issue.count, userCount: issue.userCount, isUnhandled: issue.isUnhandled, logger: issue.logger, metadata: issue.metadata },
    ...viewOfEvent(event),
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
    const took = uptimeMs() - project.ranAt;
    assert.ok(took < 1_000, `visible ${took} ms after the program ended`);
  },

  // expected: versions
  async releases(project, expected) {
    const answer = await project.ofOrganization("releases/");
    assert.deepEqual(answer.body.map((release) => release.version), expected);
  },

  // expected: [{of: title of the event, files: [{name, type, mimetype, bytes}]}]
  async attachments(project, expected) {
    for (const { of, files } of expected) {
      const { event } = await project.eventTitled(of);
      await project.same(async () => (await project.attachments(event)).sort((a, b) => (a.name < b.name ? -1 : 1)),
        files.map(({ bytes, ...rest }) => ({ ...rest, size: bytes.length, bytes: bytes.toString("base64") })), `attachments of ${of}`);
    }
  },

  // expected: {name: {op, parent, …, attributes: {name: value}}}
  async spans(project, expected) {
    const asked = fieldsFor(Object.values(expected).map((one) => one.attributes));
    await project.same(() => project.spans(asked), expected, "spans");
    const spans = await project.spans(asked);
    const traces = new Set(Object.keys(expected).map((name) => spans[name].trace));
    assert.equal(traces.size, 1, "one trace");
    for (const [name, { parent }] of Object.entries(expected)) {
      if (parent) assert.ok(spans[parent].duration >= spans[name].duration, `${parent} took ${spans[parent].duration} ms, ${name} in it ${spans[name].duration} ms`);
    }
    // The same again as a tree.
    const [trace] = traces;
    const answer = await project.ofOrganization(`trace/${trace}/`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const found = {};
    const walk = (nodes, parent) => {
      for (const node of nodes ?? []) {
        if (node.event_type !== "span") continue;
        const name = node.description || node.name;
        found[name] = { op: node.op, parent, transaction: node.transaction, isTransaction: node.is_transaction };
        walk(node.children, name);
      }
    };
    walk(answer.body, null);
    assertSame(found, Object.fromEntries(Object.entries(expected).map(([name, { op, parent, transaction, isTransaction }]) =>
      [name, { parent, ...(op && { op }), ...(transaction && { transaction }), isTransaction }])), "the trace's tree");
  },

  // expected: {row: of the dataset, …what viewOfEvent gives}: a transaction, found and by its id
  async transaction(project, { row: expectedRow, ...expected }) {
    const row = await until(async () => (await project.rows("transactions", ["id", ...Object.keys(expectedRow)]))[0], { what: "a transaction" });
    assertSame(row, expectedRow, "the transaction's row");
    const answer = await project.get(`events/${row.id}/`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assertSame(viewOfEvent(answer.body), expected, "the transaction");
  },

  // expected: [{message, severity, attributes: {name: value}}]
  async logs(project, expected) {
    const asked = fieldsFor(expected.map((one) => one.attributes));
    const byMessage = (a, b) => (a.message < b.message ? -1 : 1);
    await project.same(async () => {
      const rows = await project.rows("logs", ["message", "severity", "severity_number", "trace", "release", "environment", ...Object.values(asked)], { sort: "timestamp" });
      return rows.map(({ message, severity, severity_number: number, trace, release, environment, ...row }) =>
        ({ message, severity, number, trace, release, environment, attributes: attributesOf(row, asked) })).sort(byMessage);
    }, [...expected].sort(byMessage), "logs");
  },

  // expected: {name: {type, value, unit, attributes: {name: value}}}
  async metrics(project, expected) {
    const asked = fieldsFor(Object.values(expected).map((one) => one.attributes));
    await project.same(async () => Object.fromEntries(
      (await project.rows("tracemetrics", ["metric.name", "metric.type", "metric.unit", "value", "trace", "release", "environment", ...Object.values(asked)]))
        .map((row) => [row["metric.name"], {
          type: row["metric.type"], unit: row["metric.unit"] ?? null, value: row.value,
          trace: row.trace, release: row.release, environment: row.environment, attributes: attributesOf(row, asked),
        }])), expected, "metrics");
  },

  // expected: {healthy, errored, crashed, abnormal, places: [{release, environment, sessions, users}]}
  async sessions(project, expected) {
    await project.same(() => project.sessions(), expected, "sessions");
  },

  // expected: {slug, config, environments, checkIns}
  async checkIns(project, expected) {
    await project.same(() => project.monitor(expected.slug), { project: project.slug, ...expected }, "check-ins");
  },

  // expected: the issues of monitors that failed
  async incidents(project, expected) {
    await project.same(() => project.issues("issue.type:monitor_check_in_failure"), expected, "incidents");
  },

  // expected: what viewOf gives of the only feedback
  async feedback(project, expected) {
    await project.same(async () => {
      const issues = await project.issues("issue.category:feedback");
      return Promise.all(issues.map(async (issue) => viewOf({ issue, event: await project.latestEvent(issue) })));
    }, [expected], "feedback");
  },

  // expected: {of: title, name, email, comments}: the older user report about an event
  async userReports(project, { of, ...expected }) {
    const { issue, event } = await project.eventTitled(of);
    await project.same(async () => (await project.get("user-feedback/")).body, [{ ...expected, eventID: event.eventID, issue: { id: issue.id } }], "user reports");
    const seen = await project.eventTitled(of);
    assertSame(seen.event.userReport, { ...expected, eventID: event.eventID }, `the report at ${of}`);
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

  // expected: {…what the API says of the only replay, recorded: text → whether it is in the recording}
  async replay(project, { recorded, ...expected }) {
    await project.same(async () => {
      const replay = await project.replay();
      const text = JSON.stringify(replay.recorded);
      return { ...replay, recorded: recorded.map((part) => (text.includes(part) ? part : `no ${part}`)) };
    }, { ...expected, recorded }, "replay");
  },
};

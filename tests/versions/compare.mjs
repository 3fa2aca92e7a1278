// What a box says against what was sent to it.
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { until } from "./box.mjs";
import { check, forEachOf } from "./checks.mjs";

// What every version says of an event; later ones say more.
const core = (event) => ({
  id: event.eventID, issue: event.groupID, title: event.title, message: event.message, platform: event.platform, dateCreated: event.dateCreated,
  tags: event.tags.filter((tag) => ["round", "server_name", "user"].includes(tag.key)).map(({ key, value }) => `${key}:${value}`).sort(),
  filler: event.context?.filler, entries: event.entries.map((entry) => entry.type).sort(),
});

const lists = {
  event: async (box) => (await box.pages(`projects/${box.organization}/${box.project}/events/`)).map((event) => event.eventID),
  transaction: async (box) => (await box.pages(`organizations/${box.organization}/events/?dataset=transactions&field=id`)).map((row) => row.id),
  check_in: async (box) => (await box.pages(`organizations/${box.organization}/monitors/stock-take/checkins/`)).map((row) => row.id.replaceAll("-", "")),
};
const sums = {
  session: async (box) => (await box.ofOrganization("sessions/?field=sum(session)&statsPeriod=1d")).body.groups[0]?.totals["sum(session)"] ?? 0,
  log: async (box) => (await box.ofOrganization("events/?dataset=logs&field=count()")).body.data[0]?.["count()"] ?? 0,
};

// What was acknowledged is there once. What was not may be there, and then stays: or it must never come.
async function compareLists(box, traffic, at) {
  for (const [kind, list] of Object.entries(lists)) {
    const ids = await list(box);
    const there = new Set(ids);
    check(there.size === ids.length, `${at}: ${ids.length - there.size} of kind ${kind} are listed twice`);
    let missing = 0;
    for (const [id, one] of traffic.of(kind)) {
      if (one.sure && !there.has(id)) ++missing;
      if (!one.sure && !there.has(id)) traffic.sent.delete(id);
      one.sure = true;
    }
    check(missing === 0, `${at}: ${missing} acknowledged of kind ${kind} are missing`);
    const strange = ids.filter((id) => traffic.sent.get(id)?.kind !== kind);
    check(strange.length === 0, `${at}: ${strange.length} of kind ${kind} that nobody sent, or that were not there before`);
  }
  for (const [kind, sum] of Object.entries(sums)) {
    const count = traffic.counted[kind];
    const found = await sum(box);
    check(found >= count.sure && found <= count.sure + count.unsure, `${at}: ${found} of kind ${kind}, ${count.sure} were acknowledged and ${count.unsure} not`);
    traffic.counted[kind] = { sure: found, unsure: 0 };
  }
}

// Each event says the same as on its first day, and its attachment has the same bytes.
async function compareEvents(box, traffic, at, wanted) {
  const differing = [];
  await forEachOf([...traffic.of("event"), ...traffic.of("transaction")].filter(([, one]) => wanted(one)), 8, async ([id, one]) => {
    try {
      const said = core((await box.ofProject(`events/${id}/`)).body);
      if (one.attachment) {
        const [attachment] = (await box.ofProject(`events/${id}/attachments/`)).body;
        const { bytes } = await box.ofProject(`events/${id}/attachments/${attachment.id}/?download=1`);
        if (createHash("sha1").update(bytes).digest("hex") !== one.attachment) differing.push(`attachment of ${id}`);
      }
      one.said ??= said;
      if (!isDeepStrictEqual(said, one.said)) differing.push(`${JSON.stringify(one.said)}\n${JSON.stringify(said)}`);
    } catch (error) { differing.push(error.message); }
  });
  check(differing.length === 0, `${at}: ${differing.length} events are not what they were: ${differing[0]}`);
}

// Counts of issues and of their tags, what a search by tag finds, states and comments.
async function compareIssues(box, traffic, at) {
  const expected = new Map(); // issue → {name, count, rounds: round → count}
  const wrong = [];
  for (const [, { said, issue, round }] of traffic.of("event")) {
    const each = expected.get(said?.issue) ?? { name: issue, count: 0, rounds: {} };
    ++each.count;
    each.rounds[round] = (each.rounds[round] ?? 0) + 1;
    expected.set(said?.issue, each);
    if (each.name !== issue) wrong.push(`${issue} and ${each.name} are one issue`);
  }
  const names = new Set([...expected.values()].map((each) => each.name));
  if (names.size !== expected.size) wrong.push(`${expected.size} issues, where ${names.size} were sent`);
  const issues = await box.pages(`organizations/${box.organization}/issues/?query=`);
  if (issues.length !== expected.size) wrong.push(`${issues.length} issues of ${expected.size}`);
  await forEachOf(issues, 8, async (issue) => {
    const { name, count, rounds } = expected.get(issue.id) ?? {};
    if (Number(issue.count) !== count) wrong.push(`${name} has ${issue.count} events of ${count}`);
    const values = await box.pages(`organizations/${box.organization}/issues/${issue.id}/tags/round/values/`);
    const told = Object.fromEntries(values.map((value) => [value.value, value.count]));
    if (!isDeepStrictEqual(told, rounds)) wrong.push(`${name} has the rounds ${JSON.stringify(told)}, not ${JSON.stringify(rounds)}`);
    const solved = traffic.solved.has(issue.id);
    if ((issue.status === "resolved") !== solved) wrong.push(`${name} is ${issue.status}`);
    if (solved) {
      const notes = (await box.ofOrganization(`issues/${issue.id}/comments/`)).body;
      if (notes.length !== 1 || notes[0].data.text !== `seen to: ${name}`) wrong.push(`${name} has the comments ${JSON.stringify(notes)}`);
    }
  });
  for (const round of new Set(traffic.of("event").map(([, one]) => one.round))) {
    const found = (await box.pages(`organizations/${box.organization}/issues/?query=round:${round}`)).map((issue) => issue.id).sort();
    const having = [...expected].filter(([, each]) => each.rounds[round]).map(([id]) => id).sort();
    if (!isDeepStrictEqual(found, having)) wrong.push(`round:${round} finds ${found.length} issues of ${having.length}`);
  }
  check(wrong.length === 0, `${at}: ${wrong.length} differences among issues, first: ${wrong.slice(0, 3).join("; ")}`);
}

// Everything is upstream, and once: but for what was sent in the moments before a kill.
function compareMirror(box, traffic, at) {
  const times = new Map();
  for (const id of box.upstream.ids()) times.set(id, (times.get(id) ?? 0) + 1);
  const mirrored = [...traffic.sent];
  const missing = mirrored.filter(([id]) => !times.has(id)).length;
  check(missing === 0, `${at}: ${missing} are not upstream`);
  const again = mirrored.filter(([id, one]) => times.get(id) > 1 && !one.again).length;
  check(again === 0, `${at}: ${again} went upstream more than once`);
  traffic.twice = mirrored.filter(([id, one]) => times.get(id) > 1 && one.again).length;
}

function compareLedger(box, traffic, at) {
  const ledger = box.verb(box.version, "ledger", "--check");
  check(ledger.code === 0, `${at}: the ledger does not balance: ${ledger.out}${ledger.err}`);
  const { ledger: { received, stored, dropped, reasons }, envelopes, destinations: [hub] } = box.status();
  check(received === stored + dropped && dropped <= traffic.refused && dropped === (reasons["invalid/internal"] ?? 0), `${at}: received ${received}, stored ${stored}, dropped ${dropped}: ${JSON.stringify(reasons)}`);
  check(hub.forwarded === envelopes.stored, `${at}: ${hub.forwarded} of ${envelopes.stored} envelopes were forwarded: ${JSON.stringify(hub)}`);
  const verified = box.verb(box.version, "journal", "verify");
  check(verified.code === 0, `${at}: the journal is not whole: ${verified.out}${verified.err}`);
}

export async function settled(box) {
  await until(() => { const { digest, destinations: [hub] } = box.status(); return digest.waiting === 0 && hub.waiting === 0; }, "the digest and the mirror");
  await until(() => box.verb(box.version, "ledger", "--check").code !== 69, "the ledger");
}

// Of events only those that `wanted` says; of everything else all.
export async function compare(box, traffic, at, wanted = () => true) {
  await settled(box);
  await compareLists(box, traffic, at);
  await compareEvents(box, traffic, at, wanted);
  await compareIssues(box, traffic, at);
  compareMirror(box, traffic, at);
  compareLedger(box, traffic, at);
}

// At the end the journal holds each once.
export function compareJournal(box, version, traffic) {
  const exported = box.verb(version, "journal", "export");
  check(exported.code === 0, `export: ${exported.err}`);
  const records = exported.out.match(/^\{"sequence":\d+,.*"crc32c":"[0-9a-f]{8}"\}$/gm) ?? [];
  const ids = records.map((line) => JSON.parse(line).event_id).filter((id) => traffic.sent.has(id));
  check(ids.length === traffic.sent.size && new Set(ids).size === ids.length, `${ids.length} of ${traffic.sent.size} are in the journal`);
}

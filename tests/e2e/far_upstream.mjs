// An upstream at the other end of a link, run there by its own process: takes every envelope and writes a line about each.
//   node far_upstream.mjs ADDRESS FILE
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";

const [address, file] = process.argv.slice(2);
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {});
  request.on("end", () => {
    const at = Date.now();
    const [header, , event] = gunzipSync(Buffer.concat(parts)).toString("utf8").split("\n", 3).map((line) => JSON.parse(line));
    appendFileSync(file, `${JSON.stringify({ at, id: header.event_id, sent_at: header.sent_at, timestamp: event.timestamp })}\n`);
    response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
  });
});
server.listen(0, address, () => console.log(`listening on ${server.address().port}`));
setTimeout(() => process.exit(0), 600_000).unref();
process.on("SIGTERM", () => process.exit(0));

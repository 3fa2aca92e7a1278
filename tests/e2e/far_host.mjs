// What lives at the other end of a link, run there by its own process:
//   node far_host.mjs FILE ADDRESS [STRANGER | CERTIFICATE.pem]
// An upstream at ADDRESS that takes every envelope and writes a line about each into FILE, with a certificate over TLS; with STRANGER also a captive portal at that
// address and the same port, a name server and a proxy at ADDRESS. Each line of input is JSON, changes what they do, and is answered by
// "did N: CONNECTIONS" that the upstream had so far: {"answers": "whole"|"cut"|"html"|"login"|"captive"|"silence", "every": N, "name": address|"nxdomain"|"silence", "proxy": true|false}.
// Ends with its input.
import { createSocket } from "node:dgram";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer, request as ask } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createInterface } from "node:readline";
import { gunzipSync } from "node:zlib";
import { uptimeMs } from "./lib.mjs";

const [file, address, other] = process.argv.slice(2);
const pem = other?.endsWith(".pem") ? readFileSync(other) : null;
const stranger = pem ? undefined : other;
const told = { answers: "whole", every: 1, name: address };
const portal = "<!DOCTYPE html><html><body>Welcome to the harbour's network. Please log in.</body></html>";
let arrivals = 0;

const pages = {
  html: (response) => response.writeHead(200, { "Content-Type": "text/html" }).end(portal),
  login: (response) => response.writeHead(302, { Location: `http://${stranger}/login` }).end(),
  // RFC 8908: what a portal says to machines.
  captive: (response) => response.writeHead(200, { "Content-Type": "application/captive+json" }).end('{"captive": true}'),
};

function note(body, coding, answer) {
  const open = coding === "gzip" ? gunzipSync(body) : body;
  const [header, item, event] = open.toString("utf8").split("\n", 3).map((line) => JSON.parse(line));
  appendFileSync(file, `${JSON.stringify({ at: Date.now(), uptime: uptimeMs(), id: header.event_id, sent_at: header.sent_at, type: item.type, timestamp: event.timestamp, answer })}\n`);
  return header.event_id;
}

function take(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {});
  request.on("end", () => {
    const answer = ++arrivals % told.every === 0 ? told.answers : "whole";
    if (pages[answer]) return pages[answer](response);
    const id = note(Buffer.concat(parts), request.headers["content-encoding"], answer);
    if (answer === "silence") return;
    const said = Buffer.from(JSON.stringify({ id }));
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": said.length });
    if (answer === "whole") return response.end(said);
    response.write(said.subarray(0, 10), () => setTimeout(() => request.socket.resetAndDestroy(), 5));
  });
}
let connections = 0;
const server = pem ? createSecureServer({ key: pem, cert: pem }, take) : createServer(take);
server.on("connection", () => ++connections);

// The query's own question, and an address for it; the first 12 bytes of a message are its header.
function nameAnswer(query) {
  const end = query.indexOf(0, 12) + 5;
  const isAddress = query.readUInt16BE(end - 4) === 1;
  const known = told.name !== "nxdomain";
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(known && isAddress ? 1 : 0, 6);
  head.fill(0, 8);
  const parts = [head, query.subarray(12, end)];
  // The name again, of type A, class IN, for no longer than now.
  if (known && isAddress) parts.push(Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...told.name.split(".").map(Number)]));
  return Buffer.concat(parts);
}

function makeProxy() {
  const sockets = new Set();
  const proxy = createServer((request, response) => {
    const onward = ask(request.url, { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  proxy.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  proxy.die = () => {
    for (const socket of sockets) socket.resetAndDestroy();
    return new Promise((done) => proxy.close(done));
  };
  return proxy;
}

const listening = (one, port, at) => new Promise((done) => one.listen(port, at, () => done(one.address().port)));
const port = await listening(server, 0, address);
let proxy = null;
let proxyPort = 0;
if (stranger) {
  await listening(createServer((request, response) => request.resume().on("end", () => pages.html(response))), port, stranger);
  const names = createSocket("udp4", (query, from) => {
    if (told.name !== "silence") names.send(nameAnswer(query), from.port, from.address);
  });
  await new Promise((done) => names.bind(53, address, done));
  proxy = makeProxy();
  proxyPort = await listening(proxy, 0, address);
}
console.log(`listening on ${port} ${proxyPort}`);

let did = 0;
const input = createInterface({ input: process.stdin });
input.on("close", () => process.exit(0));
input.on("line", async (line) => {
  const wish = JSON.parse(line);
  Object.assign(told, wish);
  if (wish.proxy === false && proxy) {
    await proxy.die();
    proxy = null;
  }
  if (wish.proxy === true && !proxy) await listening(proxy = makeProxy(), proxyPort, address);
  console.log(`did ${++did}: ${connections}`);
});
setTimeout(() => process.exit(0), 600_000).unref();

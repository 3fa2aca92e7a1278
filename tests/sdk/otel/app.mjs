// OpenTelemetry's Node SDK, which knows nothing of Sentry: traces and logs over OTLP, as JSON or protobuf.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { SpanKind, SpanStatusCode, trace } = require("@opentelemetry/api");
const { logs, SeverityNumber } = require("@opentelemetry/api-logs");
const { NodeSDK, logs: sdkLogs, resources } = require("@opentelemetry/sdk-node");
const encoding = process.env.OTLP_ENCODING; // http: JSON, proto: protobuf
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${encoding}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${encoding}`);

const dsn = new URL(process.env.SENTRY_DSN);
const base = `${dsn.origin}/api${dsn.pathname}/integration/otlp/v1`;
const headers = { "x-sentry-auth": `sentry sentry_key=${dsn.username}` };

const sdk = new NodeSDK({
  autoDetectResources: false,
  resource: resources.resourceFromAttributes({
    "service.name": "till", "service.version": "shop@1.4.2", "deployment.environment.name": "quay", "host.name": "till-3",
  }),
  traceExporter: new OTLPTraceExporter({ url: `${base}/traces`, headers }),
  logRecordProcessors: [new sdkLogs.SimpleLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${base}/logs`, headers }) })],
  instrumentations: [],
});
sdk.start();

const tracer = trace.getTracer("shop.till", "0.1.0");
const logger = logs.getLogger("shop.till", "0.1.0");

function pay() {
  throw new TypeError("card reader unplugged");
}

tracer.startActiveSpan("checkout", { kind: SpanKind.SERVER, attributes: { till: 3 } }, (checkout) => {
  tracer.startActiveSpan("SELECT tills", { kind: SpanKind.CLIENT, attributes: { "db.system": "sqlite", "db.statement": "SELECT * FROM tills" } }, (query) => {
    tracer.startActiveSpan("till:3", (read) => read.end());
    query.end();
  });
  try {
    pay();
  } catch (error) {
    checkout.recordException(error);
    checkout.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  }
  logger.emit({ severityNumber: SeverityNumber.INFO, severityText: "INFO", body: "till opened", attributes: { till: 3, open: true, ratio: 0.5 } });
  logger.emit({ severityNumber: SeverityNumber.ERROR, severityText: "ERROR", body: "drawer B jammed" });
  checkout.end();
});
await sdk.shutdown();

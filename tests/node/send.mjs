// Sends every kind of span, log record and metric that OpenTelemetry's Node SDK makes, through one of its three exporters.
//
//   node send.mjs grpc | http/protobuf | http/json  ENDPOINT  [large]
//
// With `large`, two log records only: one with a number beyond 64 bits, and one without.
// Prints one JSON object a line for each request that was acknowledged: {"signal", "encoding", "body"}, the body in base64 as
// the exporter's own serializer writes it.

import { context, SpanKind, SpanStatusCode, trace, TraceFlags, ValueType } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { AggregationTemporalityPreference, OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import * as transformer from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [protocol, endpoint, only] = process.argv.slice(2);
const SCHEMA = 'https://opentelemetry.io/schemas/1.41.0';
const START = [1_790_000_000, 123_456_789];
const END = [1_790_000_001, 358_024_680];
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';

const EXPORTERS = {
  grpc: { trace: GrpcTraces, metrics: GrpcMetrics, logs: GrpcLogs, encoding: 'Protobuf' },
  'http/protobuf': { trace: ProtobufTraces, metrics: ProtobufMetrics, logs: ProtobufLogs, encoding: 'Protobuf' },
  'http/json': { trace: JsonTraces, metrics: JsonMetrics, logs: JsonLogs, encoding: 'Json' },
};
const SERIALIZERS = { trace: 'TraceSerializer', metrics: 'MetricsSerializer', logs: 'LogsSerializer' };
const PATHS = { trace: 'traces', metrics: 'metrics', logs: 'logs' };

/** The exporter of a signal, which now also prints what the agent has acknowledged. */
function exporter(signal, options = {}) {
  const { [signal]: Exporter, encoding } = EXPORTERS[protocol];
  const url = protocol === 'grpc' ? endpoint : `${endpoint}/v1/${PATHS[signal]}`;
  const made = new Exporter({ url, timeoutMillis: 10_000, ...options });
  const send = made.export.bind(made);
  made.export = (items, done) => {
    const body = transformer[encoding + SERIALIZERS[signal]].serializeRequest(items);
    send(items, (result) => {
      if (result.error) {
        console.error(result.error);
        process.exitCode = 1;
      } else {
        console.log(JSON.stringify({ signal: PATHS[signal], encoding, body: Buffer.from(body).toString('base64') }));
      }
      done(result);
    });
  };
  return made;
}

const resource = (service) => resourceFromAttributes({ 'service.name': service, replicas: 3, tags: ['a', 'b'] });

/** What only logs may hold; spans and metrics take scalars and lists of one kind. */
const VALUES = {
  string: '1',
  'no string': '',
  unicode: 'grüße 🎉\u202e\n',
  int: 1,
  zero: 0,
  negative: -7,
  safe: Number.MAX_SAFE_INTEGER,
  double: 0.1,
  nan: NaN,
  infinity: -Infinity,
  true: true,
  false: false,
  bytes: new Uint8Array([0, 255]),
  list: [1, 'a', true, [2.5]],
  'no list': [],
  map: { a: { b: [true] }, c: 2.5 },
};

const SCALARS = { string: '1', int: 1, double: 2.5, true: true, strings: ['a', 'b'], ints: [1, 2], doubles: [1.5, 2.5], bools: [true, false] };

const remote = { traceId: TRACE_ID, spanId: SPAN_ID, isRemote: true, traceFlags: TraceFlags.SAMPLED };
const inSpan = trace.setSpanContext(context.active(), remote);

async function sendTraces() {
  const provider = new BasicTracerProvider({
    resource: resource('node-traces'),
    spanProcessors: [new BatchSpanProcessor(exporter('trace'))],
  });
  const tracer = provider.getTracer('library', '3.4', { schemaUrl: SCHEMA });
  for (const kind of [SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER]) {
    tracer.startSpan(`kind ${kind}`, { kind, startTime: START }).end(END);
  }
  const span = tracer.startSpan('pay', { attributes: SCALARS, links: [{ context: remote, attributes: { link: 1 } }], startTime: START }, inSpan);
  span.addEvent('retried', { attempt: 2 }, [START[0], START[1] + 1]);
  span.recordException(new Error('no such card'), [START[0], START[1] + 2]);
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'card refused' });
  span.end(END);
  await provider.shutdown();
}

function loggerProvider() {
  return new LoggerProvider({
    resource: resource('node-logs'),
    processors: [new BatchLogRecordProcessor({ exporter: exporter('logs') })],
  });
}

async function sendLogs() {
  const provider = loggerProvider();
  const logger = provider.getLogger('library', '3.4', { schemaUrl: SCHEMA });
  for (const [name, body] of Object.entries(VALUES)) {
    logger.emit({ eventName: `body ${name}`, timestamp: START, observedTimestamp: END, body });
  }
  logger.emit({ eventName: 'attributes', timestamp: START, attributes: VALUES });
  for (let severity = SeverityNumber.TRACE; severity <= SeverityNumber.FATAL4; severity += 1) {
    logger.emit({ eventName: 'severity', timestamp: START, severityNumber: severity, severityText: SeverityNumber[severity] });
  }
  logger.emit({ eventName: 'associated', timestamp: START, body: 'in a span', context: inSpan });
  await provider.shutdown();
}

async function sendMetrics(name, temporalityPreference) {
  const reader = new PeriodicExportingMetricReader({
    exporter: exporter('metrics', { temporalityPreference }),
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({
    resource: resource(`node-metrics-${name}`),
    readers: [reader],
    views: [
      { instrumentName: 'explicit', aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [0.5, 10, 100] } } },
      { instrumentName: 'exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
      { instrumentName: 'quiet', aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [1], recordMinMax: false } } },
    ],
  });
  const meter = provider.getMeter('library', '3.4', { schemaUrl: SCHEMA });
  const int = { valueType: ValueType.INT };
  const counter = meter.createCounter('counter', { ...int, unit: '1', description: 'how often' });
  const doubles = meter.createCounter('counter_of_doubles');
  const upDown = meter.createUpDownCounter('up_down_counter', int);
  const gauge = meter.createGauge('gauge', { unit: 'Cel' });
  const histograms = ['default', 'explicit', 'exponential', 'quiet'].map((kind) => meter.createHistogram(kind, { unit: 'ms' }));
  meter.createObservableCounter('observable_counter', int).addCallback((result) => result.observe(5, SCALARS));
  meter.createObservableUpDownCounter('observable_up_down_counter').addCallback((result) => result.observe(-2.5));
  meter.createObservableGauge('observable_gauge').addCallback((result) => result.observe(36.6));
  for (let round = 0; round < 2; round += 1) {
    counter.add(7, { path: '/pay', status: 200 });
    counter.add(0, { path: '/' });
    doubles.add(0.25);
    upDown.add(-3);
    gauge.record(0, { zero: 'a value' });
    for (const value of [0, 0.3, 7, 12.5, 1000, 1e-9]) {
      histograms.forEach((histogram) => histogram.record(value, { path: '/pay' }));
    }
    await provider.forceFlush();
  }
  await provider.shutdown();
}

async function sendLargeNumber() {
  const provider = loggerProvider();
  provider.getLogger('library').emit({ eventName: 'large', attributes: { large: 1e300 } });
  provider.getLogger('library').emit({ eventName: 'ordinary', attributes: { ordinary: 1 } });
  await provider.shutdown();
}

if (only === 'large') {
  await sendLargeNumber();
} else {
  await sendTraces();
  await sendLogs();
  await sendMetrics('cumulative', AggregationTemporalityPreference.CUMULATIVE);
  await sendMetrics('delta', AggregationTemporalityPreference.DELTA);
}

/**
 * A bare HTTP/1.1 load generator: raw keep-alive sockets, one request in flight
 * per connection, nothing between the bytes and the figures. `node:http` as a
 * client tops out below the servers it would measure.
 *
 * It must run in a process of its own (`HttpLoadWorker.ts`), else it takes its
 * time from the server under test.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { replyLength } from "../src/load/HttpConnection.ts"
import { LatencyHistogram } from "../src/load/LatencyHistogram.ts"

/**
 * One run. In `path`, `headers` and `body`, `{n}` becomes a number unique to the
 * request, `{w}` the wallet of this request, taken in turn from `wallets`, and each
 * `{r}` one of the others by chance.
 */
export const HttpLoadOptions = Schema.Struct({
  host: Schema.String,
  port: Schema.Int,
  method: Schema.String,
  path: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  body: Schema.String,
  /** What `{items}` in `body` becomes: `count` of `text`, separated by commas, `{i}` the number of each. */
  items: Schema.optionalKey(Schema.Struct({ text: Schema.String, count: Schema.Int })),
  wallets: Schema.Array(Schema.String),
  /** Every answer has `text` so many times; the first that has not is an error. */
  answers: Schema.optionalKey(Schema.Struct({ text: Schema.String, count: Schema.Int })),
  /** 1–10,000 sockets. */
  connections: Schema.Int,
  /** Requests of this part are sent and not counted. Milliseconds. */
  warmup: Schema.Int,
  /** Milliseconds. */
  duration: Schema.Int
})
export type HttpLoadOptions = typeof HttpLoadOptions.Type

/** Latencies in microseconds, upper bounds of their histogram's buckets (≤ 4 % wide). */
export const HttpLoadReport = Schema.Struct({
  requests: Schema.Int,
  /** Measured, milliseconds. */
  duration: Schema.Finite,
  perSecond: Schema.Finite,
  /** Replies by status code. */
  statuses: Schema.Record(Schema.String, Schema.Int),
  /** Connections that broke, were refused or replied with what is not HTTP. */
  socketErrors: Schema.Int,
  firstError: Schema.NullOr(Schema.String),
  p50: Schema.Finite,
  p95: Schema.Finite,
  p99: Schema.Finite,
  max: Schema.Finite
})
export type HttpLoadReport = typeof HttpLoadReport.Type

type RequestBytes = (n: number) => string

/** Splits the template once, so that a request costs one join. */
const compile = (options: HttpLoadOptions): RequestBytes => {
  const head = Object.entries(options.headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")
  const start = `${options.method} ${options.path} HTTP/1.1\r\nhost: ${options.host}:${options.port}\r\n${head}`
  const { wallets } = options
  const walletOf = (n: number) => (wallets.length === 0 ? "" : (wallets[n % wallets.length] ?? ""))
  const anotherThan = (n: number) => walletOf(n + 1 + Math.floor(Math.random() * (wallets.length - 1)))
  const fill = (template: string) => {
    const parts = template.split(/(\{[nwr]\})/)
    if (parts.length === 1) return () => template
    return (n: number) => {
      let out = ""
      for (const part of parts) {
        out += part === "{n}" ? n : part === "{w}" ? walletOf(n) : part === "{r}" ? anotherThan(n) : part
      }
      return out
    }
  }
  const fillStart = fill(start)
  const { text = "", count = 0 } = options.items ?? {}
  const items = Array.from({ length: count }, (_, i) => text.replaceAll("{i}", String(i))).join(",")
  if (options.body === "") return (n) => `${fillStart(n)}\r\n`
  const fillBody = fill(options.body.replace("{items}", items))
  return (n) => {
    const body = fillBody(n)
    return `${fillStart(n)}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  }
}

/** Everything the connections of one run share. */
class Run {
  readonly options: HttpLoadOptions
  readonly request: RequestBytes
  readonly histogram = new LatencyHistogram()
  readonly statuses = new Map<string, number>()
  readonly sockets = new Set<net.Socket>()
  sent = 0
  measuring = false
  stopped = false
  socketErrors = 0
  firstError: string | null = null

  constructor(options: HttpLoadOptions) {
    this.options = options
    this.request = compile(options)
  }

  fail(reason: string): void {
    if (this.stopped) return
    this.socketErrors++
    this.firstError ??= reason
  }

  connect(): void {
    const socket = net.connect({ host: this.options.host, port: this.options.port, noDelay: true })
    this.sockets.add(socket)
    let waiting: Buffer | undefined
    let sentAt = 0
    const send = () => {
      if (this.stopped) return
      sentAt = performance.now()
      socket.write(this.request(this.sent++), "latin1")
    }
    socket.on("connect", send)
    socket.on("data", (chunk: Buffer) => {
      const buffer = waiting === undefined ? chunk : Buffer.concat([waiting, chunk])
      const length = replyLength(buffer)
      if (length === undefined || (length !== -1 && buffer.length > length)) {
        this.fail(`unreadable answer: ${buffer.toString("latin1", 0, 200)}`)
        socket.destroy()
        return
      }
      if (length === -1 || buffer.length < length) {
        waiting = buffer
        return
      }
      waiting = undefined
      this.check(buffer)
      if (this.measuring) this.count(buffer.toString("latin1", 9, 12), (performance.now() - sentAt) * 1000)
      send()
    })
    socket.on("error", (error) => this.fail(error.message))
    socket.on("close", () => {
      this.sockets.delete(socket)
      this.fail("connection closed")
    })
  }

  check(answer: Buffer): void {
    const { answers } = this.options
    if (answers === undefined) return
    const found = answer.toString("latin1").split(answers.text).length - 1
    if (found !== answers.count) this.fail(`${found} of ${answers.text}: ${answer.toString("latin1", 0, 2_000)}`)
  }

  count(status: string, micros: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    this.histogram.record(micros)
  }

  report(duration: number): HttpLoadReport {
    const { histogram } = this
    return {
      requests: histogram.count,
      duration,
      perSecond: Math.round((histogram.count * 1000) / duration),
      statuses: Object.fromEntries(this.statuses),
      socketErrors: this.socketErrors,
      firstError: this.firstError,
      p50: histogram.percentile(0.5),
      p95: histogram.percentile(0.95),
      p99: histogram.percentile(0.99),
      max: Math.round(histogram.max)
    }
  }
}

/** Runs the load and reports. A broken connection is counted, not replaced. */
export const runHttpLoad = Effect.fnUntraced(function* (options: HttpLoadOptions) {
  const run = new Run(options)
  return yield* Effect.gen(function* () {
    for (let i = 0; i < options.connections; i++) run.connect()
    yield* Effect.sleep(options.warmup)
    const start = performance.now()
    run.measuring = true
    yield* Effect.sleep(options.duration)
    run.measuring = false
    const duration = performance.now() - start
    return run.report(duration)
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        run.stopped = true
        for (const socket of run.sockets) socket.destroy()
      })
    )
  )
})

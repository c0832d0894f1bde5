/**
 * Requests at a constant rate over pipelining connections: each is sent when it is due,
 * however many before it have no answer yet. A connection that the server ends is made
 * again by the next request that is due on it; what it had not answered is lost.
 *
 * In a process of its own (`OpenLoadWorker.ts`), as every load.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Net from "node:net"
import { LatencyHistogram } from "../../src/load/LatencyHistogram.ts"

/** In `path` and `headers`, `{n}` becomes the number of the request and `{w}` a wallet, in turn. */
export const OpenLoadOptions = Schema.Struct({
  host: Schema.String,
  port: Schema.Int,
  path: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  body: Schema.String,
  wallets: Schema.Array(Schema.String),
  connections: Schema.Int,
  perSecond: Schema.Finite,
  millis: Schema.Finite
})
export type OpenLoadOptions = typeof OpenLoadOptions.Type

export const OpenLoadReport = Schema.Struct({
  /** Handed to a socket per second; the rest of what was due found its socket's buffer full. */
  offered: Schema.Finite,
  /** Answered with 201 per second, over the whole load and over its last third. */
  accepted: Schema.Finite,
  acceptedLast: Schema.Finite,
  /** Answers by status. */
  statuses: Schema.Record(Schema.String, Schema.Int),
  /** Had no answer when their connection or the load ended. */
  unanswered: Schema.Int,
  /** Connections that the server ended. */
  closed: Schema.Int,
  /** Milliseconds from the socket's `write` to an answer with 201, with the time in the buffers of both sides. */
  p50: Schema.Finite,
  p99: Schema.Finite
})
export type OpenLoadReport = typeof OpenLoadReport.Type

/** Bytes that a connection keeps of what its socket does not take: beyond it requests are not sent. */
const maxBuffered = 256 * 1024

/** Milliseconds between two looks at what is due. */
const tickMillis = 2

const requestOf = ({ body, headers, host, path, port, wallets }: OpenLoadOptions) => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `POST ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n${lines.join("")}`
  const text = `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const parts = text.split(/(\{n\}|\{w\})/)
  return (n: number) => {
    let out = ""
    for (const part of parts) out += part === "{n}" ? n : part === "{w}" ? (wallets[n % wallets.length] ?? "") : part
    return out
  }
}

class Tally {
  readonly statuses = new Map<string, number>()
  readonly histogram = new LatencyHistogram()
  readonly startedAt = performance.now()
  private readonly lastFrom: number
  acceptedLast = 0
  sent = 0
  unanswered = 0
  closed = 0

  constructor(millis: number) {
    this.lastFrom = this.startedAt + (millis * 2) / 3
  }

  answered(status: string, sentAt: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    if (status !== "201") return
    const now = performance.now()
    this.histogram.record((now - sentAt) * 1_000)
    if (now >= this.lastFrom) this.acceptedLast++
  }
}

const headEnd = Buffer.from("\r\n\r\n")
const lengthName = Buffer.from("content-length: ")

/** Calls `each` with the status of every whole reply, and answers what is left; `Content-Length` is written as Node or we write it. */
const takeReplies = (buffer: Buffer, each: (status: string) => void): Buffer => {
  let from = 0
  while (true) {
    const end = buffer.indexOf(headEnd, from)
    if (end === -1) return buffer.subarray(from)
    let at = buffer.indexOf(lengthName, from, "latin1")
    if (at === -1 || at > end) at = buffer.indexOf("Content-Length: ", from, "latin1")
    const length = at === -1 || at > end ? 0 : Number.parseInt(buffer.toString("latin1", at + 16, at + 24), 10)
    const next = end + 4 + length
    if (next > buffer.length) return buffer.subarray(from)
    each(buffer.toString("latin1", from + 9, from + 12))
    from = next
  }
}

/** One of the connections, made anew when it was ended. */
class PipelinedConnection {
  private readonly options: OpenLoadOptions
  private readonly tally: Tally
  private socket: Net.Socket | undefined
  /** When the requests without an answer were sent, the oldest first from `first` on. */
  private sentAt: Array<number> = []
  private first = 0

  constructor(options: OpenLoadOptions, tally: Tally) {
    this.options = options
    this.tally = tally
  }

  send(text: string): void {
    const socket = this.socket ?? this.connect()
    if (socket.writableLength > maxBuffered) return
    this.tally.sent++
    this.sentAt.push(performance.now())
    socket.write(text, "latin1")
  }

  end(): void {
    const { socket } = this
    this.forget()
    socket?.destroy()
  }

  private forget(): void {
    this.tally.unanswered += this.sentAt.length - this.first
    this.sentAt = []
    this.first = 0
    this.socket = undefined
  }

  connect(): Net.Socket {
    const { host, port } = this.options
    const socket = Net.connect({ host, port, noDelay: true })
    this.socket = socket
    let rest: Buffer | undefined
    const one = (status: string) => {
      const sentAt = this.sentAt[this.first++]
      if (sentAt !== undefined) this.tally.answered(status, sentAt)
      if (this.first > 1_024) {
        this.sentAt.splice(0, this.first)
        this.first = 0
      }
    }
    socket.on("data", (chunk: Buffer) => {
      if (socket !== this.socket) return
      rest = takeReplies(rest === undefined ? chunk : Buffer.concat([rest, chunk]), one)
      if (rest.length === 0) rest = undefined
    })
    const gone = () => {
      socket.destroy()
      if (socket !== this.socket) return
      this.tally.closed++
      this.forget()
    }
    socket.on("error", gone)
    socket.on("end", gone)
    socket.on("close", gone)
    return socket
  }
}

const pause = Effect.sleep(tickMillis)

/** Runs the load and cuts its connections at the end. */
export const runOpenLoad = Effect.fnUntraced(function* (options: OpenLoadOptions) {
  const { connections: count, millis, perSecond } = options
  const request = requestOf(options)
  const tally = new Tally(millis)
  const connections = Array.from({ length: count }, () => new PipelinedConnection(options, tally))
  for (const connection of connections) connection.connect()
  let next = 0
  let elapsed = 0
  while (elapsed < millis) {
    elapsed = performance.now() - tally.startedAt
    const due = Math.ceil((Math.min(elapsed, millis) * perSecond) / 1_000)
    for (; next < due; next++) connections[next % count]!.send(request(next))
    yield* pause
  }
  for (const connection of connections) connection.end()
  const { acceptedLast, closed, histogram, sent, statuses, unanswered } = tally
  const report: OpenLoadReport = {
    offered: (sent * 1_000) / elapsed,
    accepted: ((statuses.get("201") ?? 0) * 1_000) / elapsed,
    acceptedLast: (acceptedLast * 3_000) / elapsed,
    statuses: Object.fromEntries(statuses),
    unanswered,
    closed,
    p50: histogram.percentile(0.5) / 1_000,
    p99: histogram.percentile(0.99) / 1_000
  }
  return report
})

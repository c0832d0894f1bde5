/**
 * Requests at a constant rate over a fixed number of keep-alive connections: one that is
 * due while all are busy waits for the next that is free. In a process of its own
 * (`HttpLatencyWorker.ts`), as every load.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Net from "node:net"
import { replyLength } from "../../src/load/HttpConnection.ts"
import { Arrivals, tickMillis } from "./Arrivals.ts"

/** In `path` and `headers`, `{n}` becomes the number of the request and `{w}` a wallet, in turn. */
export const HttpOpenLoad = Schema.Struct({
  host: Schema.String,
  port: Schema.Int,
  path: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  body: Schema.String,
  wallets: Schema.Array(Schema.String),
  /** Of an answer that is accepted. */
  status: Schema.String,
  connections: Schema.Int,
  perSecond: Schema.Finite,
  rampMillis: Schema.Finite,
  millis: Schema.Finite
})
export type HttpOpenLoad = typeof HttpOpenLoad.Type

const requestOf = (load: HttpOpenLoad) => {
  const { body, headers, host, path, port, wallets } = load
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `POST ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n${lines.join("")}`
  const end = `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  return (n: number) => `${head.replaceAll("{n}", String(n)).replace("{w}", wallets[n % wallets.length] ?? "")}${end}`
}

/** The connections of one load, and what waits for one of them. */
class Lanes {
  private readonly request: (n: number) => string
  private readonly load: HttpOpenLoad
  private readonly arrivals: Arrivals
  private readonly idle: Array<(n: number) => void> = []
  private readonly sockets: Array<Net.Socket> = []
  private waiting: Array<number> = []
  private onTheirWay = 0
  failure: string | undefined

  constructor(load: HttpOpenLoad, arrivals: Arrivals) {
    this.load = load
    this.arrivals = arrivals
    this.request = requestOf(load)
  }

  get busy(): boolean {
    return this.onTheirWay > 0 && this.failure === undefined
  }

  readonly send = (n: number): void => {
    const lane = this.idle.pop()
    if (lane === undefined) this.waiting.push(n)
    else lane(n)
  }

  /** What still waits when the time is up is not sent. */
  close(): void {
    for (const n of this.waiting) this.arrivals.notSent(n)
    this.waiting = []
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  connect(): void {
    const { host, port, status } = this.load
    const socket = Net.connect({ host, port, noDelay: true })
    this.sockets.push(socket)
    let current = 0
    let received: Buffer | undefined
    const lane = (n: number) => {
      current = n
      this.onTheirWay++
      socket.write(this.request(n), "latin1")
    }
    socket.on("connect", () => this.free(lane))
    socket.on("data", (chunk: Buffer) => {
      const buffer = received === undefined ? chunk : Buffer.concat([received, chunk])
      const length = replyLength(buffer)
      if (length === undefined) return this.fail(`unreadable answer: ${buffer.toString("latin1", 0, 80)}`)
      received = length === -1 || buffer.length < length ? buffer : undefined
      if (received !== undefined) return
      this.onTheirWay--
      this.arrivals.answered(current, buffer.toString("latin1", 9, 12) === status, performance.now())
      this.free(lane)
    })
    socket.on("error", (error) => this.fail(error.message))
    socket.on("close", () => this.fail("connection closed"))
  }

  private free(lane: (n: number) => void): void {
    const next = this.waiting.shift()
    if (next === undefined) this.idle.push(lane)
    else lane(next)
  }

  private fail(reason: string): void {
    this.failure ??= reason
  }
}

/** Waits for the answers of all that were sent. Dies with the first connection that breaks. */
export const runHttpOpen = Effect.fnUntraced(function* (load: HttpOpenLoad) {
  const arrivals = new Arrivals(load, performance.now())
  const lanes = yield* Effect.acquireRelease(
    Effect.sync(() => new Lanes(load, arrivals)),
    (lanes) => Effect.sync(() => lanes.end())
  )
  for (let i = 0; i < load.connections; i++) lanes.connect()
  while (arrivals.due(performance.now(), lanes.send)) yield* Effect.sleep(tickMillis)
  lanes.close()
  while (lanes.busy) yield* Effect.sleep(tickMillis)
  if (lanes.failure !== undefined) return yield* Effect.die(new Error(lanes.failure))
  return arrivals.result
}, Effect.scoped)

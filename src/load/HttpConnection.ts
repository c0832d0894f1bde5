/**
 * One keep-alive connection to a service, one request in flight: a caller of a
 * load. Bare, because a client's own work is time that the service does not get.
 * A connection that broke is made again by the next request, and so is one that the service ends with its reply.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Tls from "node:tls"

const isChunked = (head: string): boolean => /\r\ntransfer-encoding: *chunked/i.test(head)

/** `-1`: more to come; `undefined`: no chunks. `each` is given the bytes between two places of the buffer. */
const walkChunks = (buffer: Buffer, from: number, each: (start: number, end: number) => void): number | undefined => {
  for (let at = from; ;) {
    const lineEnd = buffer.indexOf("\r\n", at)
    if (lineEnd === -1) return -1
    const size = Number.parseInt(buffer.toString("latin1", at, Math.min(lineEnd, at + 16)), 16)
    if (!(size >= 0)) return undefined
    // The last one is empty; trailers may come before the empty line.
    if (size === 0) {
      if (buffer.indexOf("\r\n", lineEnd + 2) === lineEnd + 2) return lineEnd + 4
      const end = buffer.indexOf("\r\n\r\n", lineEnd)
      return end === -1 ? -1 : end + 4
    }
    const start = lineEnd + 2
    if (start + size + 2 > buffer.length) return -1
    each(start, start + size)
    at = start + size + 2
  }
}

/** Bytes of the whole reply at the start of `buffer`; `-1`: more to come; `undefined`: not what we read. */
export const replyLength = (buffer: Buffer): number | undefined => {
  const headEnd = buffer.indexOf("\r\n\r\n")
  if (headEnd === -1) return buffer.length > 65_536 ? undefined : -1
  const head = buffer.toString("latin1", 0, headEnd)
  const match = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (match === null && isChunked(head)) return walkChunks(buffer, headEnd + 4, () => undefined)
  if (match === null) return /^HTTP\/1\.1 (?:204|304)/.test(head) ? headEnd + 4 : undefined
  return headEnd + 4 + Number(match[1])
}

export interface HttpReply {
  readonly status: number
  /** Status line and headers. */
  readonly head: string
  readonly body: string
}

/** No reply: the connection was refused or broke, or what came is not HTTP. */
export interface ConnectionBroken {
  readonly _tag: "ConnectionBroken"
  readonly reason: string
  /** There was a connection: the request may have been read. */
  readonly connected: boolean
}

type Outcome = Effect.Effect<HttpReply, ConnectionBroken>

const broken = (reason: string, connected: boolean): Outcome =>
  Effect.fail({ _tag: "ConnectionBroken", reason, connected })

const parse = (reply: Buffer): HttpReply => {
  const headEnd = reply.indexOf("\r\n\r\n")
  const head = reply.toString("latin1", 0, headEnd)
  const status = Number(head.slice(9, 12))
  if (!isChunked(head)) return { status, head, body: reply.toString("utf8", headEnd + 4) }
  const parts: Array<Buffer> = []
  walkChunks(reply, headEnd + 4, (start, end) => void parts.push(reply.subarray(start, end)))
  return { status, head, body: Buffer.concat(parts).toString("utf8") }
}

export class HttpConnection {
  private readonly url: URL
  private socket: Net.Socket | undefined
  private connected = false
  private received: Buffer | undefined
  private waiting: ((outcome: Outcome) => void) | undefined

  constructor(url: URL) {
    this.url = url
  }

  /** `head` ends with a line break; the length is added. One request at a time. */
  request(head: string, body: string): Outcome {
    return Effect.callback<HttpReply, ConnectionBroken>((resume) => {
      this.waiting = resume
      const socket = this.socket ?? this.connect()
      socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, "utf8")
      return Effect.sync(() => this.close())
    })
  }

  close(): void {
    this.waiting = undefined
    this.socket?.destroy()
    this.socket = undefined
  }

  private connect(): Net.Socket {
    const { hostname, port, protocol } = this.url
    const secure = protocol === "https:"
    const address = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port === "" ? (secure ? 443 : 80) : port) }
    const socket = secure ? Tls.connect({ ...address, servername: address.host }) : Net.connect(address)
    socket.setNoDelay(true)
    this.connected = false
    socket.on(secure ? "secureConnect" : "connect", () => (this.connected = true))
    socket.on("data", (chunk: Buffer) => this.receive(chunk))
    socket.on("error", (error) => this.fail(socket, error.message))
    socket.on("close", () => this.fail(socket, "connection closed"))
    this.socket = socket
    this.received = undefined
    return socket
  }

  private receive(chunk: Buffer): void {
    const buffer = this.received === undefined ? chunk : Buffer.concat([this.received, chunk])
    const length = replyLength(buffer)
    if (length === undefined || (length !== -1 && buffer.length > length)) {
      if (this.socket !== undefined) this.fail(this.socket, `unreadable answer: ${buffer.toString("latin1", 0, 80)}`)
      return
    }
    if (length === -1 || buffer.length < length) {
      this.received = buffer
      return
    }
    this.received = undefined
    const reply = parse(buffer)
    if (/\r\nconnection: *close/i.test(reply.head)) {
      this.socket?.destroy()
      this.socket = undefined
    }
    this.settle(Effect.succeed(reply))
  }

  private fail(socket: Net.Socket, reason: string): void {
    if (socket !== this.socket) return
    socket.destroy()
    this.socket = undefined
    this.settle(broken(reason, this.connected))
  }

  private settle(outcome: Outcome): void {
    const resume = this.waiting
    this.waiting = undefined
    resume?.(outcome)
  }
}

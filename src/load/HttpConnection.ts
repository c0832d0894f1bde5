/**
 * One keep-alive connection to a service, one request in flight: a caller of a
 * load. Bare, because a client's own work is time that the service does not get.
 * A connection that broke is made again by the next request.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Tls from "node:tls"

/** Bytes of the whole reply at the start of `buffer`; `-1`: more to come; `undefined`: not what we read. */
export const replyLength = (buffer: Buffer): number | undefined => {
  const headEnd = buffer.indexOf("\r\n\r\n")
  if (headEnd === -1) return buffer.length > 65_536 ? undefined : -1
  const head = buffer.toString("latin1", 0, headEnd)
  const match = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (match === null) return /^HTTP\/1\.1 (?:204|304)/.test(head) ? headEnd + 4 : undefined
  return headEnd + 4 + Number(match[1])
}

export interface HttpReply {
  readonly status: number
  readonly body: string
}

/** No reply: the connection was refused or broke, or what came is not HTTP. */
export interface ConnectionBroken {
  readonly _tag: "ConnectionBroken"
  readonly reason: string
}

type Outcome = Effect.Effect<HttpReply, ConnectionBroken>

const broken = (reason: string): Outcome => Effect.fail({ _tag: "ConnectionBroken", reason })

const parse = (reply: Buffer): HttpReply => {
  const text = reply.toString("utf8")
  return { status: Number(text.slice(9, 12)), body: text.slice(text.indexOf("\r\n\r\n") + 4) }
}

export class HttpConnection {
  private readonly url: URL
  private socket: Net.Socket | undefined
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
    this.settle(Effect.succeed(parse(buffer)))
  }

  private fail(socket: Net.Socket, reason: string): void {
    if (socket !== this.socket) return
    socket.destroy()
    this.socket = undefined
    this.settle(broken(reason))
  }

  private settle(outcome: Outcome): void {
    const resume = this.waiting
    this.waiting = undefined
    resume?.(outcome)
  }
}

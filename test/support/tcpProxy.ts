/**
 * A TCP proxy that does to a connection what networks do: delays, silence, a cut
 * in the middle of an answer, an answer that never arrives.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Net from "node:net"

/**
 * - `Pass`: bytes pass.
 * - `Delay`: they pass so much later, in both directions, in order.
 * - `Hold`: nothing moves and nothing closes; what waits goes on when the mode changes.
 * - `SwallowAnswers`: requests reach the server, its answers are thrown away.
 * - `CutAnswers`: so many bytes of the next answer pass, then the connection breaks.
 * - `Garble`: the next bytes of that direction are other ones when they arrive; what follows passes.
 * - `Refuse`: new connections are broken at once; those that stand pass.
 */
export type ProxyMode =
  | { readonly _tag: "Pass" }
  | { readonly _tag: "Delay"; readonly millis: number }
  | { readonly _tag: "Hold" }
  | { readonly _tag: "SwallowAnswers" }
  | { readonly _tag: "CutAnswers"; readonly afterBytes: number }
  | { readonly _tag: "Garble"; readonly what: "requests" | "answers" }
  | { readonly _tag: "Refuse" }

export interface TcpProxy {
  readonly port: number
  readonly set: (mode: ProxyMode) => Effect.Effect<void>
  /** Breaks all connections, without a word to either side's protocol. */
  readonly drop: Effect.Effect<void>
  /** The server's side of every connection ends towards the client, which may still send. */
  readonly halfClose: Effect.Effect<void>
  /** Waits until an answer has been swallowed since the mode was set: then the server has done what was asked. */
  readonly swallowed: Effect.Effect<void>
}

class Connection {
  readonly client: Net.Socket
  readonly server: Net.Socket
  #held: Array<() => void> = []

  constructor(client: Net.Socket, port: number) {
    this.client = client
    this.server = Net.connect({ host: "127.0.0.1", port, noDelay: true })
    client.setNoDelay(true)
  }

  hold(go: () => void): void {
    this.#held.push(go)
  }

  release(): void {
    const held = this.#held
    this.#held = []
    for (const go of held) go()
  }

  break(): void {
    this.client.resetAndDestroy()
    this.server.resetAndDestroy()
  }
}

class Proxy {
  readonly connections = new Set<Connection>()
  readonly #target: number
  #mode: ProxyMode = { _tag: "Pass" }
  #cut = 0
  #swallowed = Deferred.makeUnsafe<void>()

  constructor(target: number) {
    this.#target = target
  }

  set(mode: ProxyMode): void {
    this.#mode = mode
    this.#cut = mode._tag === "CutAnswers" ? mode.afterBytes : 0
    this.#swallowed = Deferred.makeUnsafe<void>()
    for (const connection of this.connections) connection.release()
  }

  get swallowed(): Effect.Effect<void> {
    return Deferred.await(this.#swallowed)
  }

  readonly accept = (client: Net.Socket): void => {
    if (this.#mode._tag === "Refuse") {
      client.resetAndDestroy()
      return
    }
    const connection = new Connection(client, this.#target)
    const { server } = connection
    this.connections.add(connection)
    client.on("data", (data: Buffer) => this.#move(connection, () => server.write(this.#passed("requests", data))))
    server.on("data", (data: Buffer) => this.#answer(connection, data))
    let open = 2
    for (const [socket, other] of [
      [client, server],
      [server, client]
    ] as const) {
      // What it was is told by `close`.
      socket.on("error", () => undefined)
      socket.on("end", () => this.#move(connection, () => other.end()))
      socket.on("close", (hadError) => {
        open -= 1
        if (open === 0) this.connections.delete(connection)
        else if (hadError) this.#move(connection, () => other.resetAndDestroy())
      })
    }
  }

  #passed(what: "requests" | "answers", data: Buffer): Buffer {
    if (this.#mode._tag !== "Garble" || this.#mode.what !== what) return data
    this.#mode = { _tag: "Pass" }
    return data.map((byte) => byte ^ 0x5a) as Buffer
  }

  #answer(connection: Connection, data: Buffer): void {
    switch (this.#mode._tag) {
      case "SwallowAnswers":
        Deferred.doneUnsafe(this.#swallowed, Effect.void)
        return
      case "CutAnswers": {
        const part = data.subarray(0, this.#cut)
        this.#cut -= part.length
        connection.client.write(part, () => {
          if (this.#cut === 0) connection.break()
        })
        return
      }
      default:
        this.#move(connection, () => connection.client.write(this.#passed("answers", data)))
    }
  }

  #move(connection: Connection, go: () => void): void {
    if (this.#mode._tag === "Hold") connection.hold(() => this.#move(connection, go))
    else if (this.#mode._tag === "Delay") setTimeout(go, this.#mode.millis)
    else go()
  }
}

/** Between a client and a port of 127.0.0.1, until the scope closes. */
export const startTcpProxy = Effect.fnUntraced(function* (target: number) {
  const proxy = new Proxy(target)
  const breakAll = () => {
    for (const connection of proxy.connections) connection.break()
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer({ allowHalfOpen: true }, proxy.accept)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        breakAll()
      })
  )
  const started: TcpProxy = {
    port: (server.address() as Net.AddressInfo).port,
    set: (mode) => Effect.sync(() => proxy.set(mode)),
    drop: Effect.sync(breakAll),
    halfClose: Effect.sync(() => {
      for (const { client } of proxy.connections) client.end()
    }),
    swallowed: Effect.suspend(() => proxy.swallowed)
  }
  return started
})

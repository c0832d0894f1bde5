/**
 * Connections between the nodes. What comes over one is read until something cannot be
 * understood: then the connection is closed, and the side that made it makes it anew. A
 * connection on which nothing comes for too long is closed as well, and so is one too many.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Socket from "effect/socket/Socket"
import { SocketServer } from "effect/socket/SocketServer"
import { elapsedMillis } from "../actors/Deadlines.ts"
import type { NodeAddress } from "./ClusterConfig.ts"
import { connectionsRefused } from "./ClusterMetrics.ts"
import * as PeerSecurity from "./PeerSecurity.ts"
import { PeerStatus } from "./PeerStatus.ts"

/** The largest message, bytes: four times the states of a reply, the largest part of any (`CallCodec`). */
export const maxFrameSize = 64 * 1024 * 1024

/** Between two pings, ms. One that is not answered by anything until the next but one is due ends the connection. */
const pingMillis = 2_500

/** A connection on which nothing comes for so long, ms, is closed by the side that was connected to: ten pings. */
const silenceMillis = 25_000

/** Between two tries to connect to a node that was there. */
const reconnectMillis = 100

/** Connections that a node has accepted: each other node has one or two. */
const maxConnections = 512

/** Between two lines of the log about connections that were closed, ms; the metric counts all. */
const tellMillis = 60_000

/** A message that cannot be read. The protocol's server closes a connection for this one failure alone. */
class Undecodable extends RpcSerialization.MaxBufferSizeExceeded {}

const withClosing = (serialization: RpcSerialization.RpcSerialization["Service"], undecodable: () => void) =>
  RpcSerialization.RpcSerialization.of({
    ...serialization,
    makeUnsafe: () => {
      const parser = serialization.makeUnsafe()
      return {
        encode: parser.encode,
        decode: (data) => {
          try {
            return parser.decode(data)
          } catch {
            undecodable()
            throw new Undecodable({ maxBufferSize: maxFrameSize })
          }
        }
      }
    }
  })

type RefusedFor = "handshake" | "undecodable" | "silence" | "too_many"

const refused: Readonly<Record<RefusedFor, string>> = {
  handshake: "it did not prove that it is a node (another WALLET_CLUSTER_SECRET or certificate, or none)",
  undecodable: "what came cannot be read (another program or release, or a node with a secret to one without)",
  silence: "nothing came",
  too_many: "there are too many"
}

const refusedFor = (reason: RefusedFor, count: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(connectionsRefused, { reason }), count)

/** From the start: the first of each is an increase. */
const refusalsAtZero = Effect.forEach(
  ["handshake", "undecodable", "silence", "too_many"] as const,
  (reason) => refusedFor(reason, 0),
  { discard: true }
)

/** Counts, and says a word now and then. */
const makeRefusals = Effect.map(Effect.andThen(refusalsAtZero, Clock.Clock), (clock) => {
  let toldAt = -Infinity
  let untold = 0
  return (reason: RefusedFor, from: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      untold++
      const counted = refusedFor(reason, 1)
      const now = elapsedMillis(clock)
      if (now - toldAt < tellMillis) return counted
      const more = untold > 1 ? `, and ${untold - 1} others since` : ""
      toldAt = now
      untold = 0
      return Effect.andThen(
        counted,
        Effect.logWarning(`a connection from ${from} to the port for nodes was closed: ${refused[reason]}${more}`)
      )
    })
})

/** Listens to the other nodes. */
const makeServer = Effect.fnUntraced(function* (
  listen: NodeAddress,
  security: PeerSecurity.PeerSecurity | undefined,
  undecodable: { count: number }
) {
  const tcp = yield* NodeSocketServer.make({ ...listen, noDelay: true })
  const accept = security === undefined ? undefined : PeerSecurity.accepting(security)
  const refuse = yield* makeRefusals
  let open = 0

  const serve = <R, E, A>(handler: (socket: Socket.Socket) => Effect.Effect<A, E, R>, plain: Socket.Socket) =>
    Effect.withFiber<unknown, E, R>((fiber) => {
      const raw = Context.getUnsafe(fiber.context, NodeSocket.NetSocket)
      const from = raw.remoteAddress ?? "?"
      if (open >= maxConnections) {
        raw.destroy()
        return refuse("too_many", from)
      }
      open++
      let reason: RefusedFor | undefined
      raw.setTimeout(silenceMillis, () => {
        reason = "silence"
        raw.destroy()
      })
      const socket =
        accept === undefined
          ? Effect.succeed(plain)
          : Effect.map(accept(raw), (secure) =>
              Socket.make({
                writer: secure.writer,
                reader: Effect.tapError(secure.reader, () =>
                  Effect.sync(() => {
                    reason ??= "handshake"
                  })
                )
              })
            )
      const closed = Effect.suspend(() => {
        open--
        raw.destroySoon()
        if (undecodable.count > 0) {
          undecodable.count--
          reason ??= "undecodable"
        }
        return reason === undefined ? Effect.void : refuse(reason, from)
      })
      // How it ended is told by then; a failed one is no defect of this node's.
      return Effect.flatMap(socket, handler).pipe(Effect.exit, Effect.ensuring(closed))
    })

  return SocketServer.of({
    address: tcp.address,
    run: (handler) => tcp.run((plain) => serve(handler, plain))
  })
})

/** TLS has a `reason` beside its message, which names lines of its sources. */
const reasonOf = ({ reason }: Socket.SocketError): string => {
  if (reason._tag === "SocketCloseError") return "it closes the connection"
  const { cause } = reason
  if (!(cause instanceof Error)) return reason._tag
  return "reason" in cause ? String(cause.reason) : cause.message
}

/** A connection that tells `peers` how it goes, and ends when a message on it cannot be read. */
const watch = (
  peers: PeerStatus["Service"],
  address: string,
  socket: Socket.Socket,
  serialization: RpcSerialization.RpcSerialization["Service"]
) => {
  let decoded = false
  let isBroken = false
  const failed = (error: Socket.SocketError) => peers.failed(address, reasonOf(error))
  const watched = Socket.make({
    writer: socket.writer,
    reader: socket.reader.pipe(
      Effect.map(({ pull, upgrade }) => {
        decoded = false
        isBroken = false
        const next = Effect.suspend(() => {
          if (isBroken) {
            const cause = new Error("its messages cannot be read")
            return Effect.fail(new Socket.SocketError({ reason: new Socket.SocketReadError({ cause }) }))
          }
          const told = decoded ? peers.answered(address) : undefined
          decoded = false
          return told === undefined ? pull : Effect.andThen(told, pull)
        })
        return { upgrade, pull: Effect.tapError(next, failed) }
      }),
      Effect.tapError(failed)
    )
  })
  const reading = RpcSerialization.RpcSerialization.of({
    ...serialization,
    makeUnsafe: () => {
      const parser = serialization.makeUnsafe()
      return {
        encode: parser.encode,
        decode: (data) => {
          try {
            const messages = parser.decode(data)
            if (messages.length > 0) decoded = true
            return messages
          } catch (cause) {
            isBroken = true
            throw cause
          }
        }
      }
    }
  })
  return Context.make(Socket.Socket, watched).pipe(Context.add(RpcSerialization.RpcSerialization, reading))
}

/**
 * `NodeClusterSocket.layerClientProtocol` waits up to 5 s between two tries, and a node that
 * comes back under its address, as in a rolling restart, would not be asked for so long.
 */
const makeClient = Effect.fnUntraced(function* (security: PeerSecurity.PeerSecurity | undefined) {
  const serialization = yield* RpcSerialization.RpcSerialization
  const peers = yield* PeerStatus
  return Runners.RpcClientProtocol.of({
    codecFor: serialization.codecFor,
    make: ({ host, port }: RunnerAddress) =>
      Effect.flatMap(PeerSecurity.connect(security, { host, port }), (socket) => {
        const address = `${host}:${port}`
        return RpcClient.makeProtocolSocket({
          retryPolicy: Schedule.spaced(reconnectMillis),
          pingInterval: pingMillis,
          onPingTimeout: peers.failed(address, "it does not answer")
        }).pipe(Effect.provideContext(watch(peers, address, socket, serialization)))
      })
  })
})

/** Both ends, and how their messages are written. */
export const layer = (listen: NodeAddress, security: PeerSecurity.PeerSecurity | undefined) => {
  const undecodable = { count: 0 }
  const closing = Effect.map(RpcSerialization.RpcSerialization, (serialization) =>
    withClosing(serialization, () => {
      undecodable.count++
    })
  )
  return Layer.mergeAll(
    Layer.effect(SocketServer, makeServer(listen, security, undecodable)),
    Layer.effect(Runners.RpcClientProtocol, makeClient(security)),
    Layer.effect(RpcSerialization.RpcSerialization, closing)
  ).pipe(Layer.provide(RpcSerialization.layerSchemaBinary({ maxFrameSize })))
}

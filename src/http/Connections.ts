/**
 * What clients may hold of the server: so many connections, and answers that they take. A
 * reader that takes nothing of what is there for it is cut: its answers would stay in memory
 * for as long as it likes.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Http from "node:http"
import type { Socket } from "node:net"
import { elapsedMillis } from "../actors/Deadlines.ts"

/** Milliseconds in which a reader takes at least `minTaken` of what waits for it, or all. */
export const readerPatience = 60_000
/** Bytes: slower than that is no network, but somebody who wants to hold the answer. */
const minTaken = 16 * 1024
/** Milliseconds between two looks at all connections. */
const lookMillis = 5_000

/** Of Node's, without documentation: what the system has taken of what was written. */
interface Handle {
  readonly bytesWritten: number
  /** Bytes that it has not taken. */
  readonly writeQueueSize: number
}

const takenOf = (socket: Socket): number => {
  const { _handle: handle } = socket as { readonly _handle?: Handle | null }
  return typeof handle?.bytesWritten === "number" && typeof handle.writeQueueSize === "number"
    ? handle.bytesWritten - handle.writeQueueSize
    : socket.bytesWritten - socket.writableLength
}

/** When a connection last took its share, and what it had taken by then. */
interface Mark {
  readonly at: number
  readonly taken: number
}

/** Follows the connections of the server from now on. */
export const slowReaders = (server: Http.Server) => {
  /** `undefined`: nothing waits for it. */
  const marks = new Map<Socket, Mark | undefined>()
  server.on("connection", (socket: Socket) => {
    marks.set(socket, undefined)
    socket.once("close", () => marks.delete(socket))
  })

  /** Cuts those that have taken too little; `now`: milliseconds. Returns how many. */
  return (now: number): number => {
    let cut = 0
    for (const [socket, mark] of marks) {
      if (socket.writableLength === 0) {
        if (mark !== undefined) marks.set(socket, undefined)
        continue
      }
      const taken = takenOf(socket)
      if (mark === undefined || taken - mark.taken >= minTaken) {
        marks.set(socket, { at: now, taken })
      } else if (now - mark.at >= readerPatience) {
        socket.destroy()
        marks.delete(socket)
        cut++
      }
    }
    return cut
  }
}

/** Refuses connections above `most`, and cuts slow readers, while the scope lasts. */
export const boundConnections = Effect.fnUntraced(function* (server: Http.Server, most: number) {
  const clock = yield* Clock.Clock
  const cutSlowReaders = slowReaders(server)
  let refused = 0
  server.maxConnections = most
  server.on("drop", () => refused++)
  yield* Effect.gen(function* () {
    const cut = cutSlowReaders(elapsedMillis(clock))
    if (cut > 0) yield* Effect.logWarning(`${cut} connections were cut: they took nothing of their answers`)
    if (refused > 0) {
      const count = refused
      refused = 0
      yield* Effect.logWarning(`${count} connections were refused: ${most} are open (WALLET_HTTP_CONNECTIONS)`)
    }
  }).pipe(Effect.repeat(Schedule.spaced(lookMillis)), Effect.forkScoped)
})

/**
 * When a new connection is first read from. Node takes one from the system in a turn of the event
 * loop, so a thousand that come together wait for as many turns; would each be served meanwhile as
 * it comes, the last of them, a health check's say, would wait for all that the others want.
 *
 * Here a connection that has come is not read from while more come and the turns are short, and then
 * the newest is the first: whoever comes now waits for those who come at the same time and not for
 * all who came before. One that has waited for long is read from all the same.
 */
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import type { Socket } from "node:net"

/** Milliseconds after which a connection no longer waits until no more come. */
const patience = 200
/** Milliseconds: where a turn takes longer, waiting for the next one costs more than it saves. */
const longTurn = 5
/** Connections that are first read from in a turn of the event loop, of the newest and of the oldest. */
const readPerTurn = 4

interface Newcomer {
  readonly socket: Socket
  /** Milliseconds. */
  readonly at: number
}

/** A turn of the event loop. */
const nextTurn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** `now`: milliseconds since whenever. Answers what reads from all that have come, and completes when it is read. */
export const readNewestFirst = (server: Http.Server, now: () => number): Effect.Effect<void> => {
  /** Oldest first. */
  const unread: Array<Newcomer> = []
  let isTurnAsked = false
  let hasAccepted = false
  /** When the last turn ended, if the next one was asked for then. */
  let turnAt: number | undefined
  /** Milliseconds that the last whole turn took of which this is known. */
  let turnMillis = 0

  const askForTurn = (): void => {
    if (isTurnAsked) return
    isTurnAsked = true
    setImmediate(turn)
  }

  const turn = (): void => {
    isTurnAsked = false
    const time = now()
    if (turnAt !== undefined) turnMillis = time - turnAt
    const newest = !hasAccepted || turnMillis >= longTurn ? readPerTurn : 0
    hasAccepted = false
    for (let left = newest; left > 0; left--) unread.pop()?.socket.resume()
    for (let left = readPerTurn; left > 0 && (unread[0]?.at ?? Infinity) <= time - patience; left--)
      unread.shift()!.socket.resume()
    turnAt = unread.length > 0 ? time : undefined
    if (unread.length > 0) askForTurn()
  }

  server.on("connection", (socket: Socket) => {
    hasAccepted = true
    // Node begins to read when this listener has returned: it is stopped behind that, and nothing has been read yet.
    queueMicrotask(() => socket.pause())
    unread.push({ socket, at: now() })
    askForTurn()
  })

  return Effect.sync(() => {
    for (const { socket } of unread.splice(0)) socket.resume()
  }).pipe(Effect.andThen(nextTurn), Effect.andThen(nextTurn))
}

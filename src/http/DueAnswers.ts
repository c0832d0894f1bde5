/**
 * What is no request ends its connection: with a reply that says so, but behind the replies
 * that are due to the requests before it. A client that sends one request behind the other
 * would else lose the answer to a command that took place.
 *
 * What is due is waited for as long as the requests themselves wait. The client then has a
 * while to read the reply and to end its half; Node knows no limit for what has no request.
 */
import type * as Http from "node:http"
import type { Duplex } from "node:stream"

/** Of one connection. What is over is not kept. */
interface Exchange {
  /** The request that came last. */
  request: Http.IncomingMessage | undefined
  response: Http.ServerResponse | undefined
  /** To the request before it. */
  before: Http.ServerResponse | undefined
}

export interface DueAnswers {
  /**
   * Ends the connection, with `reply` where nothing else answers what stands last on it. Only
   * the first of several such ends counts.
   */
  readonly end: (socket: Duplex, reply: string) => void
  /** Cuts the connections that were ended before the last call: their clients would hold them for ever. */
  readonly cut: () => void
}

/** Runs `then` after the reply, or when the connection has broken: replies leave in the order of their requests. */
const after = (response: Http.ServerResponse | undefined, then: () => void): void => {
  if (response === undefined || response.closed) then()
  else response.once("close", then)
}

/** Follows the requests of the server from now on. */
export const dueAnswers = (server: Http.Server): DueAnswers => {
  const last = new WeakMap<Duplex, Exchange>()
  const ending = new WeakSet<Duplex>()
  let ended: Array<Duplex> = []
  let endedBefore: ReadonlyArray<Duplex> = []

  const finish = (socket: Duplex, reply: string): void => {
    socket.end(reply)
    ended.push(socket)
  }

  /** One listener for all answers. */
  const forget = function (this: Http.ServerResponse): void {
    const exchange = last.get(this.req.socket)
    if (exchange === undefined) return
    if (exchange.before === this) exchange.before = undefined
    if (exchange.response !== this || exchange.request?.complete === false) return
    exchange.request = undefined
    exchange.response = undefined
  }

  const follow = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
    const exchange = last.get(request.socket)
    if (exchange === undefined) last.set(request.socket, { request, response, before: undefined })
    else {
      exchange.before = exchange.response
      exchange.request = request
      exchange.response = response
    }
    response.on("close", forget)
  }
  // With a listener for the second event the server no longer asks for bodies by itself: the listeners that serve do.
  server.on("request", follow)
  server.on("checkContinue", follow)

  return {
    end: (socket, reply) => {
      if (ending.has(socket)) return
      ending.add(socket)
      const exchange = last.get(socket)
      const response = exchange?.response
      const isBroken = exchange?.request?.complete === false
      after(isBroken ? exchange?.before : response, () => {
        if (!socket.writable) return void socket.destroy()
        // The request that has broken off may be answered already, by what its head says.
        if (isBroken && response?.headersSent === true) after(response, () => finish(socket, ""))
        else finish(socket, reply)
      })
    },
    cut: () => {
      for (const socket of endedBefore) socket.destroy()
      endedBefore = ended
      ended = []
    }
  }
}

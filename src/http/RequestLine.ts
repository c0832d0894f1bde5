/**
 * What one connection may have served at once. A client may send requests without waiting for
 * the answers (pipelining): some 3,600 small ones fit what Node reads in one go, and all of them
 * would be begun in that go, with nothing else done until they are.
 *
 * Here a few are served; the others stand in the connection's line, in order, and cost nothing but
 * their heads. A few of all lines are begun in a turn of the event loop, one of each after the
 * other. While anybody stands in its line, a connection is not read from.
 */
import type * as Http from "node:http"
import type { Duplex } from "node:stream"

type Listener = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** Requests of one connection that are served at once: enough for its commands to be gathered. */
export const maxServedAtOnce = 32
/** Requests of all connections that are begun in a turn of the event loop: a few milliseconds of work. */
const begunPerTurn = 64
/**
 * … while connections come: Node takes one in a turn, so a thousand that have come together wait
 * for a thousand turns, and a health check's new one behind them.
 */
const begunWhileAccepting = 2

interface Waiting {
  readonly serve: Listener
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
}

/**
 * Node stops reading from a connection whose answers take more room than its buffer, by a count
 * that each answer adds to under this name, which is not in its documentation.
 */
interface CountsPending {
  readonly _onPendingData?: (bytes: number) => void
}

/** Of one connection. */
class Line {
  readonly socket: Duplex
  readonly waiting: Array<Waiting> = []
  /**
   * An array, since a set that grows and shrinks takes a new table each time, and V8's old one refers to what it had
   * and to the new one: once one of them has come to the old generation, whatever was served after it is kept there
   * until a full collection.
   */
  readonly served: Array<Http.ServerResponse> = []
  /** The listener of the end of each answer. */
  readonly onClose: (this: Http.ServerResponse) => void
  /** Is among those that begin next. */
  isNext = false
  /** Lets the connection be read from; `undefined`: it is. */
  #release: (() => void) | undefined

  constructor(socket: Duplex, onClose: (this: Http.ServerResponse) => void) {
    this.socket = socket
    this.onClose = onClose
  }

  /** For as long as requests wait. */
  hold({ request, response }: Waiting): void {
    const { _onPendingData: count } = response as CountsPending
    if (this.#release !== undefined || count === undefined) return
    const bytes = request.socket.writableHighWaterMark + 1
    count(bytes)
    const release = () => count(-bytes)
    this.#release = release
  }

  release(): void {
    const release = this.#release
    this.#release = undefined
    release?.()
  }
}

const makeLines = (server: Http.Server) => {
  const lines = new WeakMap<Duplex, Line>()
  const next: Array<Line> = []
  /** Since the last turn. */
  let begun = 0
  /** Of this turn. */
  let most = begunPerTurn
  let isTurnAsked = false
  let hasAccepted = false
  server.on("connection", () => {
    hasAccepted = true
  })

  const askForTurn = (): void => {
    if (isTurnAsked) return
    isTurnAsked = true
    setImmediate(turn)
  }

  /** An answer that the client does not take is not joined by others. */
  const mayBegin = ({ served, socket }: Line): boolean =>
    served.length === 0 || (served.length < maxServedAtOnce && !socket.writableNeedDrain)

  const putNext = (line: Line): void => {
    if (line.isNext || line.waiting.length === 0 || !mayBegin(line)) return
    line.isNext = true
    next.push(line)
    askForTurn()
  }

  const begin = (line: Line, { request, response, serve }: Waiting): void => {
    begun++
    line.served.push(response)
    askForTurn()
    response.on("close", line.onClose)
    serve(request, response)
  }

  const turn = (): void => {
    isTurnAsked = false
    begun = 0
    most = hasAccepted ? begunWhileAccepting : begunPerTurn
    hasAccepted = false
    for (let left = most; left > 0; left--) {
      const line = next.shift()
      if (line === undefined) return
      line.isNext = false
      const first = line.waiting.shift()
      if (first !== undefined) begin(line, first)
      putNext(line)
      if (line.waiting.length === 0) line.release()
    }
  }

  const lineOf = (socket: Duplex): Line => {
    const known = lines.get(socket)
    if (known !== undefined) return known
    const line: Line = new Line(socket, function () {
      const place = line.served.indexOf(this)
      if (place !== -1) line.served.splice(place, 1)
      putNext(line)
    })
    lines.set(socket, line)
    socket.once("close", () => {
      // Nobody is told any more: what has not begun does not begin, and what has begun learns of it,
      // which Node tells the first answer only.
      line.waiting.length = 0
      for (const response of line.served.splice(0)) response.destroy().emit("close")
    })
    return line
  }

  return (serve: Listener): Listener =>
    (request, response) => {
      const line = lineOf(request.socket)
      const waiting = { serve, request, response }
      if (line.waiting.length === 0 && begun < most && mayBegin(line)) return begin(line, waiting)
      line.waiting.push(waiting)
      line.hold(waiting)
      putNext(line)
    }
}

/**
 * Puts lines before the listener that serves the requests: the last one that the server has by
 * now. Those before it only look on, and see each request as it comes.
 */
export const serveInLine = (server: Http.Server): void => {
  const inLine = makeLines(server)
  for (const event of ["request", "checkContinue"] as const) {
    const listener = server.listeners(event).at(-1) as Listener | undefined
    if (listener === undefined) continue
    server.off(event, listener)
    server.on(event, inLine(listener))
  }
}

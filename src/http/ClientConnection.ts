/** A connection as the admission sees it: what it is owed, whether it is read from, and what is thrown away. */
import type * as Http from "node:http"
import type { Duplex } from "node:stream"
import type { LaneOutcome } from "./Lane.ts"
import type { Kind } from "./RequestKind.ts"

/** An answer that a client has not got yet. */
export interface OwedAnswer {
  readonly response: Http.ServerResponse
  /** In whose lane its request began; `undefined`: in none. */
  readonly kind: Kind | undefined
  readonly refused: boolean
  /** In whose lane its request counts; `undefined`: in none, or no longer. */
  counted: Kind | undefined
  /** What the lane said when it began. */
  began: number
  /** Of a search that was taken: whose share it has, if that is known. */
  key: string | undefined
}

/**
 * What needs no store, an unknown key say, tells nothing of them. A search whose turn has not come is no standstill:
 * others have theirs.
 */
export const outcomeOf = ({ response: { headersSent, statusCode }, kind, refused }: OwedAnswer): LaneOutcome => {
  if (refused || !headersSent) return "none"
  if (statusCode === 503) return "unavailable"
  if (statusCode === 429 && kind === "search") return "success"
  return statusCode < 300 || statusCode === 404 || statusCode === 422 ? "success" : "answered"
}

export interface ClientConnection {
  readonly socket: Duplex
  /** Oldest first. An array: see `Line.served` in `RequestLine.ts`. */
  readonly owed: Array<OwedAnswer>
  /** The listener of each answer's end: one for all, of which there is one per request. */
  readonly onClose: (this: Http.ServerResponse) => void
  /** Those of them that count. */
  counted: number
  /** The oldest one at the last look, if it had begun by then. */
  begun: OwedAnswer | undefined
  /** The request that came last, with its answer. */
  last: Http.IncomingMessage | undefined
  lastOwed: OwedAnswer | undefined
  /**
   * `open`: read from. `holding`: not read from as soon as the request that came last is
   * complete; in line as soon as all are answered. `waiting`: in line for its turn. `turn`: read
   * from, and nothing has come yet. `parting`: what it has sent is thrown away, it is to be told
   * so. `ended`: told, or gone.
   */
  state: "open" | "holding" | "waiting" | "turn" | "parting" | "ended"
  /** A request of the chunk of bytes that is being parsed was refused. */
  refusedInChunk: boolean
  suspended: boolean
  /** What it was owed is not counted any more. */
  isGone: boolean
  /** Whose room it waits for. */
  kind: Kind
  /** Since it waits, or since its end; ms. */
  since: number
  /** Requests that its turn is expected to bring, and those that came since it was given. */
  expected: number
  brought: number
  /** The body of this one was not there at the last look. */
  uploading: Http.IncomingMessage | undefined
}

/** A connection that waits for its client keeps nothing of what it was told. */
export const forgetLast = (connection: ClientConnection): void => {
  connection.last = undefined
  connection.lastOwed = undefined
  connection.uploading = undefined
}

const ignoreResume = function (this: Duplex): Duplex {
  return this
}

/** What comes meanwhile stays in the socket. Reading a request's body must not start it again, so `resume` does nothing. */
export const suspend = (connection: ClientConnection): void => {
  if (connection.suspended) return
  connection.suspended = true
  connection.socket.pause()
  connection.socket.resume = ignoreResume
}

export const resume = (connection: ClientConnection): void => {
  if (!connection.suspended) return
  connection.suspended = false
  Reflect.deleteProperty(connection.socket, "resume")
  // Node has its own reason, answers that the client does not take or a line: it goes on by itself then.
  if ((connection.socket as { _paused?: boolean })._paused !== true) connection.socket.resume()
}

const notHttp = (): number => 2

/**
 * What else the chunk of bytes holds that is being parsed is thrown away. Node knows no way to
 * stop its parser; that an answer of 2 means "what follows is not HTTP" is not in its
 * documentation. Without it the rest would be parsed, and be ignored by whoever is told of it.
 */
export const stopParsing = ({ socket }: ClientConnection): void => {
  const { parser } = socket as { parser?: { onIncoming?: unknown } | null }
  if (parser) parser.onIncoming = notHttp
}

/** `answered` is told of each owed answer that has been given, or never will be. */
export const connectionTo = (
  socket: Duplex,
  answered: (connection: ClientConnection, owed: OwedAnswer) => void
): ClientConnection => {
  const connection: ClientConnection = {
    socket,
    owed: [],
    onClose() {
      const owed = connection.owed.find(({ response }) => response === this)
      if (owed !== undefined) answered(connection, owed)
    },
    counted: 0,
    begun: undefined,
    last: undefined,
    lastOwed: undefined,
    state: "open",
    refusedInChunk: false,
    suspended: false,
    isGone: false,
    kind: "write",
    since: 0,
    expected: 0,
    brought: 0,
    uploading: undefined
  }
  return connection
}

/**
 * Which requests are taken, and from which connections more is read: so that a node that is
 * given more than it can do goes on at its full rate, tells the rest so, and keeps neither.
 *
 * A request that comes waits in one of three places. Taken, it is one of the `Lane` of its kind
 * and waits for the stores. Refused, it is answered from its head, before its body is read
 * and before a fiber is made for it. Not read yet, it waits in the socket of its connection:
 * while a lane is full, connections that send ahead (a request before the answer to the last)
 * are held, that is nothing is read from them, and TCP tells their clients to wait. Held
 * connections have turns, in order, as room becomes free. One that has waited too long for its
 * turn is told so and ended: its requests are too old to be worth doing, and nobody may be
 * there any more.
 *
 * Why not refuse all that is too much: at ten times the rate reading, parsing and answering
 * "no" costs more than the commands themselves. What is not read costs nothing.
 *
 * Writes are taken before reads. Searches have a lane of their own, which no key has for itself (`SearchShares`), as have
 * commands that wait for search. `/health` and `/metrics` are always answered, and never held for. What waits for its client and not for this node counts for nothing: a feed, for it lasts; a
 * request whose body does not come; an answer that is not taken, and those behind it.
 */
import type * as Http from "node:http"
import type { Duplex } from "node:stream"
import {
  type ClientConnection,
  connectionTo,
  forgetLast,
  outcomeOf,
  type OwedAnswer,
  resume,
  stopParsing,
  suspend
} from "./ClientConnection.ts"
import { Line } from "./Line.ts"
import { answerRefusal, type Refusal, refusalText, tooFast, tooMany, tooManyOfKey } from "./Refusal.ts"
import { requestIds } from "./RequestId.ts"
import { isAlwaysAnswered, type Kind, kindOf, kinds, waitsElsewhere, waitsForSearch } from "./RequestKind.ts"
import { correlationOf } from "./RequestTelemetry.ts"
import { SearchShares } from "./SearchShares.ts"

/** Milliseconds between two looks at the rates, at who waits too long and at who sends no body. */
export const lookMillis = 100

/** Requests of one connection without an answer at which it is held, whatever room there is. */
const connectionRequests = 64

/** Milliseconds that a connection waits for its turn at most. */
const turnWaitMillis = 3_000

/** Milliseconds until a connection that parts is told why, and that it is kept then so that its client reads it. */
const partingMillis = 1_000

/**
 * Connections that are given a turn in one turn of the event loop, even if half of the room is
 * for fewer: after it more is known of what a turn brings.
 */
const leastTurns = 8

/** Of the average of requests that a turn brings: a turn's share. */
const turnSmoothing = 0.25

export interface AdmissionEvents {
  /** After a look that refused some for the first time, with how it stands. */
  readonly refusing: (view: AdmissionView) => void
  /** Nothing has been refused for a while; so many were. */
  readonly over: (refused: number) => void
}

export interface AdmissionView {
  readonly requestsPerSecond: number
  readonly inFlight: number
  readonly standsStill: boolean
}

export interface AdmissionOptions {
  /** Expected wait at which requests are refused, ms. */
  readonly maxWaitMillis: number
  /** The id of the key that a request has, if that is known without asking for it. */
  readonly keyOf: (request: Http.IncomingMessage) => string | undefined
  /** For callers from other origins: what a browser needs to see a refusal. */
  readonly originHeaders: (origin: string | undefined) => ReadonlyArray<readonly [string, string]>
  readonly events: AdmissionEvents
}

/** Milliseconds without a refusal after which an overload is over. */
const overAfterMillis = 5_000

export class RequestAdmission {
  readonly lines: Readonly<Record<Kind, Line>>
  readonly connections = new Map<Duplex, ClientConnection>()
  private readonly options: AdmissionOptions
  private readonly nextId = requestIds()
  private readonly shares = new SearchShares()
  /** As of the last look, ms. */
  private now = 0
  private turnsDue = false
  private stopped = false
  /** In the chunks that were parsed in this turn of the event loop: who was refused, whose turn it was. */
  private refusedNow: Array<ClientConnection> = []
  private delivered: Array<ClientConnection> = []
  private parting: Array<ClientConnection> = []
  private ended: Array<ClientConnection> = []
  /** Those that were given a turn before the last turn of the event loop. */
  private turns: Array<ClientConnection> = []
  /** Connections that were ended since the start, because they waited too long. */
  endedConnections = 0
  private told = { refused: 0, since: undefined as number | undefined, at: 0 }

  constructor(options: AdmissionOptions) {
    this.options = options
    const millis = options.maxWaitMillis / 3
    const line = () => new Line(millis)
    this.lines = { read: line(), search: line(), write: line(), indexed: line() }
  }

  /** Connections that are not read from now. */
  get held(): number {
    return this.sum(({ waiting }) => waiting.length)
  }

  private sum(of: (line: Line) => number): number {
    return kinds.reduce((sum, kind) => sum + of(this.lines[kind]), 0)
  }

  private connectionOf(socket: Duplex): ClientConnection {
    const known = this.connections.get(socket)
    if (known !== undefined) return known
    const made = connectionTo(socket, this.answered)
    this.connections.set(socket, made)
    socket.once("close", () => this.gone(made))
    return made
  }

  /** Whether the request is to be served. Else it has been answered. */
  admit(request: Http.IncomingMessage, response: Http.ServerResponse): boolean {
    const url = request.url ?? ""
    const isFree = isAlwaysAnswered(url)
    const connection = isFree ? this.connections.get(request.socket) : this.connectionOf(request.socket)
    // Health checks of their own connection: nothing else is known of it.
    if (connection === undefined) return true
    if (connection.state === "parting" || connection.state === "ended") return false
    const kind = kindOf(request)
    const line = this.lines[kind]
    this.came(connection)
    connection.last = request
    const key = kind === "search" ? this.options.keyOf(request) : undefined
    const refusal = isFree ? undefined : this.refusalOf(kind, key)
    const refused = refusal !== undefined
    if (refused && !connection.refusedInChunk) line.refused++
    if (isFree || waitsElsewhere(kind, url)) {
      this.owe(connection, response, undefined)
      if (refusal !== undefined) this.refuse(refusal, request, response)
      return !refused
    }
    if (refused && connection.refusedInChunk) {
      this.part(connection)
      return false
    }
    // A refusal is in flight until it is written too: it stands behind what the connection is still owed.
    const wasFull = line.lane.isFull
    const owed = this.owe(connection, response, kind, refused)
    if (refusal === undefined) this.share(owed, key)
    else if (kind === "search") this.refuseLate(connection, owed, refusal, request)
    else this.refuse(refusal, request, response)
    if (refused) this.noteRefused(connection)
    if (refused || this.sendsTooMuch(connection, line)) this.beginHolding(connection, kind)
    if (!wasFull && line.lane.isFull) this.holdAll(kind)
    return !refused
  }

  private owe(
    connection: ClientConnection,
    response: Http.ServerResponse,
    kind: Kind | undefined,
    refused = false
  ): OwedAnswer {
    const owed: OwedAnswer = { response, kind, refused, counted: kind, began: 0, key: undefined }
    connection.owed.push(owed)
    connection.lastOwed = owed
    if (kind !== undefined) {
      connection.counted++
      owed.began = this.lines[kind].lane.began()
    }
    response.on("close", connection.onClose)
    return owed
  }

  /** One more of its key's searches. */
  private share(owed: OwedAnswer, key: string | undefined): void {
    owed.key = key
    if (key !== undefined) this.shares.began(key)
  }

  /** It keeps no room from others any more. */
  private uncount(connection: ClientConnection, owed: OwedAnswer): void {
    if (owed.counted === undefined) return
    this.lines[owed.counted].lane.left(owed.began)
    owed.counted = undefined
    connection.counted--
    if (owed.key !== undefined) this.shares.left(owed.key)
  }

  /**
   * Those whose bytes this turn of the event loop would read next, too: a thousand connections
   * may each have as much as fits into one read. Not those that wait for themselves: of such a one
   * nothing is known, and it may wait for ever.
   */
  private holdAll(kind: Kind): void {
    for (const connection of this.connections.values()) {
      if (connection.state !== "open" || connection.last?.complete === false) continue
      if (connection.owed.length > 0 && connection.counted === 0) continue
      // Searches stand in no other request's way, nor do those who wait for search.
      if (waitsForSearch(kind) && !connection.owed.some((owed) => owed.kind === kind)) continue
      connection.state = "holding"
      connection.kind = kind
      this.hold(connection)
    }
  }

  /**
   * Refused twice in one chunk: very much has come at once. The rest is not even parsed, and the
   * connection has to end.
   */
  private part(connection: ClientConnection): void {
    connection.state = "parting"
    connection.since = this.now
    stopParsing(connection)
    suspend(connection)
    this.parting.push(connection)
  }

  /** Reads and searches give way as soon as writes wait. */
  private refusalOf(kind: Kind, key: string | undefined): Refusal | undefined {
    if (this.stopped) return undefined
    const { lane } = this.lines[kind]
    if (this.shares.isFull(key, lane, this.now)) return lane.standsStill ? tooMany(lane) : tooManyOfKey(lane)
    const isRefused = lane.refuses() || (kind !== "write" && lane.isFull && this.lines.write.lane.isFull)
    return isRefused ? tooMany(lane) : undefined
  }

  /** It takes no room meanwhile. */
  private refuseLate(
    connection: ClientConnection,
    owed: OwedAnswer,
    refusal: Refusal,
    request: Http.IncomingMessage
  ): void {
    this.uncount(connection, owed)
    this.shares.answerLate(this.now, () => {
      if (!connection.isGone) this.refuse(refusal, request, owed.response)
    })
  }

  private refuse(refusal: Refusal, request: Http.IncomingMessage, response: Http.ServerResponse): void {
    const id = correlationOf(request.headers) ?? this.nextId()
    answerRefusal(refusal, id, this.options.originHeaders(request.headers.origin), request, response)
  }

  private came(connection: ClientConnection): void {
    if (connection.state === "turn") {
      connection.state = "open"
      connection.brought = 0
      this.settleTurn(connection)
      this.delivered.push(connection)
      this.giveTurnsSoon()
    }
    // Node began to read again although it was told not to.
    if (connection.state === "waiting") {
      this.leaveLine(connection)
      connection.state = "holding"
    }
    connection.brought++
  }

  /** What it was expected to bring is here, or does not come. */
  private settleTurn(connection: ClientConnection): void {
    this.lines[connection.kind].expected -= connection.expected
    connection.expected = 0
  }

  /** The chunk is at an end when the event loop has gone on. */
  private noteRefused(connection: ClientConnection): void {
    connection.refusedInChunk = true
    this.refusedNow.push(connection)
    this.giveTurnsSoon()
  }

  private endOfChunks(): void {
    for (const connection of this.refusedNow) connection.refusedInChunk = false
    this.refusedNow = []
    for (const connection of this.delivered) {
      const line = this.lines[connection.kind]
      line.perTurn += (connection.brought - line.perTurn) * turnSmoothing
    }
    this.delivered = []
  }

  private sendsTooMuch({ owed }: ClientConnection, { lane, waiting }: Line): boolean {
    const count = owed.length
    if (count < 2) return false
    return count >= connectionRequests || lane.isFull || waiting.length > 0
  }

  private beginHolding(connection: ClientConnection, kind: Kind): void {
    if (this.stopped || connection.state !== "open") return
    connection.state = "holding"
    connection.kind = kind
    // Its body is parsed by then, if it is there.
    queueMicrotask(() => this.hold(connection))
  }

  private hold(connection: ClientConnection): void {
    if (connection.state !== "holding" || connection.last?.complete === false) return
    suspend(connection)
    if (connection.owed.length > 0) return
    const line = this.lines[connection.kind]
    connection.state = "waiting"
    connection.since = this.now
    line.waiting.push(connection)
    this.giveTurnsSoon()
  }

  private readonly answered = (connection: ClientConnection, owed: OwedAnswer): void => {
    if (connection.isGone) return
    const { kind, refused, response } = owed
    this.uncount(connection, owed)
    connection.owed.splice(connection.owed.indexOf(owed), 1)
    if (owed === connection.lastOwed && connection.last?.complete === true) forgetLast(connection)
    if (kind !== undefined) this.lines[kind].lane.told(outcomeOf(owed))
    if (kind === "search" && !refused && response.statusCode === 429) this.shares.waitedInVain(this.now)
    if (connection.state === "holding") this.hold(connection)
    if (kind !== undefined && this.lines[kind].waiting.length > 0) this.giveTurnsSoon()
  }

  private gone(connection: ClientConnection): void {
    this.connections.delete(connection.socket)
    this.leaveLine(connection)
    for (const owed of connection.owed) this.uncount(connection, owed)
    connection.state = "ended"
    connection.isGone = true
  }

  private leaveLine(connection: ClientConnection): void {
    const { waiting } = this.lines[connection.kind]
    if (connection.state === "turn") this.settleTurn(connection)
    if (connection.state !== "waiting") return
    const place = waiting.indexOf(connection)
    if (place !== -1) waiting.splice(place, 1)
  }

  private giveTurnsSoon(): void {
    if (this.turnsDue) return
    this.turnsDue = true
    setImmediate(() => {
      this.turnsDue = false
      this.endOfChunks()
      this.endOfTurns()
      for (const kind of kinds) this.giveTurns(this.lines[kind])
    })
  }

  /** What is in the socket of one that has its turn is read before this: nothing was, and it takes no room from others. */
  private endOfTurns(): void {
    for (const connection of this.turns) {
      if (connection.state !== "turn") continue
      this.settleTurn(connection)
      connection.state = "open"
    }
    this.turns = []
  }

  private giveTurns(line: Line): void {
    const { lane, waiting } = line
    let given = 0
    let room = lane.limit - lane.inFlight - line.expected
    const most = Math.max(leastTurns, room / line.perTurn / 2)
    while (room > 0 && given < waiting.length && given < most) {
      const connection = waiting[given++]!
      connection.state = "turn"
      connection.expected = line.perTurn
      line.expected += line.perTurn
      room -= line.perTurn
      this.turns.push(connection)
      resume(connection)
    }
    waiting.splice(0, given)
    if (given > 0) this.giveTurnsSoon()
  }

  /** To be called every `lookMillis`; `elapsed` ms since the last time. */
  look(elapsed: number): void {
    this.now += elapsed
    for (const kind of kinds) {
      const line = this.lines[kind]
      line.lane.look(elapsed)
      this.endOverdue(line)
      this.giveTurns(line)
    }
    for (const connection of this.connections.values()) this.lookAt(connection)
    this.shares.look(this.now)
    this.endParting()
    this.tell()
  }

  private lookAt(connection: ClientConnection): void {
    if (connection.state === "holding") this.hold(connection)
    this.lookAtUpload(connection)
    this.lookAtAnswers(connection)
  }

  /** A body that does not come keeps no room from others: anybody may begin very many. */
  private lookAtUpload(connection: ClientConnection): void {
    const { last, lastOwed, uploading } = connection
    if (last === undefined) return
    if (last.complete) forgetLast(connection)
    else if (uploading !== last) connection.uploading = last
    else if (lastOwed !== undefined) this.uncount(connection, lastOwed)
  }

  /**
   * Nor does an answer that is not taken, which anybody may ask for and leave there, nor what stands
   * behind it: answers leave in the order of their requests.
   */
  private lookAtAnswers(connection: ClientConnection): void {
    const [oldest] = connection.owed
    const begun = oldest?.response.headersSent === true ? oldest : undefined
    if (begun !== undefined && begun === connection.begun && connection.counted > 0) {
      for (const owed of connection.owed) this.uncount(connection, owed)
    }
    connection.begun = begun
  }

  private endOverdue(line: Line): void {
    const { waiting } = line
    let overdue = 0
    while (overdue < waiting.length && this.now - waiting[overdue]!.since >= turnWaitMillis)
      this.end(waiting[overdue++]!)
    waiting.splice(0, overdue)
  }

  private end(connection: ClientConnection): void {
    const { kind, socket } = connection
    connection.state = "ended"
    connection.since = this.now
    this.endedConnections++
    this.ended.push(connection)
    if (socket.writable) socket.end(refusalText(tooFast(this.lines[kind].lane), this.nextId()))
    else socket.destroy()
  }

  /** Told late, and behind what it is owed: whoever sends so much comes again at once. */
  private endParting(): void {
    this.parting = this.parting.filter((connection) => {
      if (connection.isGone) return false
      if (this.now - connection.since < partingMillis || connection.owed.length > 0) return true
      this.end(connection)
      return false
    })
    while (this.ended.length > 0 && this.now - this.ended[0]!.since >= partingMillis) {
      this.ended.shift()!.socket.destroy()
    }
  }

  private tell(): void {
    const { told } = this
    const refused = this.sum((line) => line.refused) + this.endedConnections
    if (refused > told.refused) {
      told.at = this.now
      if (told.since === undefined) {
        told.since = told.refused
        this.options.events.refusing({
          requestsPerSecond: Math.round(this.sum(({ lane }) => lane.perSecond)),
          inFlight: this.sum(({ lane }) => lane.inFlight),
          standsStill: kinds.some((kind) => this.lines[kind].refused > 0 && this.lines[kind].lane.standsStill)
        })
      }
      told.refused = refused
    } else if (told.since !== undefined && this.now - told.at >= overAfterMillis) {
      this.options.events.over(refused - told.since)
      told.since = undefined
    }
  }

  /** From now on all is read and taken: the server ends each connection by itself. */
  stop(): void {
    this.stopped = true
    this.shares.look(Infinity)
    for (const connection of this.connections.values()) {
      if (connection.state === "ended" || connection.state === "parting") continue
      connection.state = "open"
      resume(connection)
    }
    for (const kind of kinds) this.lines[kind].waiting.length = 0
  }
}

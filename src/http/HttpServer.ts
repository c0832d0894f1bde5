/**
 * The API on a Node server: bounded against slow and broken clients, stopped
 * without dropping what is in flight.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as EffectHttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { problemBody, type ProblemCode } from "./api/Problem.ts"
import { boundConnections } from "./Connections.ts"
import { type DueAnswers, dueAnswers } from "./DueAnswers.ts"
import { httpApp, routerConfig } from "./HttpApp.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { admitting } from "./Overload.ts"
import { Stopping } from "./handlers/FeedHandlers.ts"
import { serveMetrics } from "./MetricsServer.ts"
import { readNewestFirst } from "./Newcomers.ts"
import { requestIdHeader, requestIds, withRequestId } from "./RequestId.ts"
import { serveInLine } from "./RequestLine.ts"

/**
 * Bytes of request line and headers; more is refused with 431. The longest search that there is, each of its texts as long
 * as it may be and of characters that take nine bytes in a URL, takes 33,000 of them; the headers have the rest.
 */
const maxHeadBytes = 48 * 1024

/** Milliseconds, except where named otherwise. */
const limits: Http.ServerOptions = {
  /** For the whole request, head and body: a slow sender holds a socket no longer. */
  requestTimeout: 30_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  /** An idle connection; above the 60 s of common balancers, so that they close first. */
  keepAliveTimeout: 65_000,
  maxHeaderSize: maxHeadBytes,
  /** A header sent twice is seen as both, not as the first. */
  joinDuplicateHeaders: true,
  /** Node would end the connection behind its refusal, and the commands behind it would be done without an answer. */
  requireHostHeader: false,
  noDelay: true
}

/**
 * Connections that the system keeps until this process takes them. Of more at once some would be
 * dropped, and their clients try again after 1, 3 and 7 seconds; a health check's among them.
 */
const backlog = 4_096

/** Connections to the port of the metrics: a few probes and scrapers. */
const maxScrapers = 64

/** The server cannot listen. */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  host: Schema.String,
  port: Schema.Int,
  /** What the port is configured by. */
  variable: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    const where = `port ${this.port} on ${this.host}`
    switch (this.code) {
      case "EADDRINUSE":
        return `${where} is in use: stop the other program or set ${this.variable}`
      case "EACCES":
        return `${where} needs rights that this process has not: set ${this.variable} to one above 1023`
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        return `${where}: this machine has no such address; set HOST`
      default:
        return `${where} cannot be listened on: ${this.code}`
    }
  }
}

/** The platform's server over Node's, listening while the scope lasts. */
const listen = (server: Http.Server, where: { readonly host: string; readonly port: number }, variable: string) =>
  NodeHttpServer.make(() => server, {
    ...where,
    backlog,
    // `draining` has done it by then.
    disablePreemptiveShutdown: true
  }).pipe(
    Effect.mapError(({ cause }: ServeError) => {
      const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : String(cause)
      return new CannotListen({ ...where, variable, code })
    })
  )

interface ParserError extends Error {
  readonly code?: string
}

type Refusal = readonly [status: string, code: ProblemCode, detail: string]

const clientFault = (error: ParserError): Refusal | undefined => {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
      return undefined
    case "HPE_HEADER_OVERFLOW":
      return ["431 Request Header Fields Too Large", "InvalidRequest", "the request's head is too large"]
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return ["408 Request Timeout", "InvalidRequest", "the request took too long to arrive"]
    default:
      return ["400 Bad Request", "InvalidRequest", "this is not HTTP/1.1"]
  }
}

/** A reply that no response of the server's stands for. */
const refusalText = ([status, code, detail]: Refusal, id: string): string => {
  const failure = { errors: [{ pointer: "#/header", detail }] }
  const document = { ...JSON.parse(problemBody(code, detail, failure)), status: Number(status.slice(0, 3)) }
  const body = withRequestId(JSON.stringify(document), id)
  const head =
    `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
    `${requestIdHeader}: ${id}\r\nconnection: close`
  return `HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`
}

const connectRefused: Refusal = ["400 Bad Request", "InvalidRequest", "this server is no proxy: it takes no CONNECT"]

/** What is not HTTP never becomes a request: it is refused here, behind the replies that are due, and the connection ends. */
const refuseMalformed = (server: Http.Server): DueAnswers => {
  const due = dueAnswers(server)
  const nextId = requestIds()
  server.on("clientError", (error: ParserError, socket) => {
    const fault = clientFault(error)
    if (fault === undefined || !socket.writable) socket.destroy()
    else due.end(socket, refusalText(fault, nextId()))
  })
  // Without a listener Node would cut the connection, with the replies that are due.
  server.on("connect", (_request, socket) => {
    // Node has taken its own listeners away. What the client says yet is read, so that its end is seen.
    socket.on("error", () => socket.destroy())
    socket.resume()
    due.end(socket, refusalText(connectRefused, nextId()))
  })
  return due
}

/** Milliseconds between two looks: a client has so long, twice at most, to end its half of a connection that was ended. */
const lingerMillis = 2_000

/**
 * A client that has said all it has to say may close its half of the connection: it still
 * gets its replies. Node knows this, under a name that is not in its documentation.
 */
const answerHalfClosed = (server: Http.Server): void => {
  Object.assign(server, { httpAllowHalfOpen: true })
}

export interface NodeServerParts {
  readonly server: Http.Server
  /** Reads from the connections that have come. */
  readonly readAll: Effect.Effect<void>
  /** Listeners for requests that are told of every request, those refused too. */
  readonly observers: ReadonlyArray<unknown>
}

export class NodeServer extends Context.Service<NodeServer, NodeServerParts>()(
  "effect-wallet/http/HttpServer/NodeServer"
) {
  static readonly layer = Layer.effect(
    NodeServer,
    Effect.gen(function* () {
      const server = Http.createServer(limits)
      const clock = yield* Clock.Clock
      const readAll = readNewestFirst(server, () => elapsedMillis(clock))
      yield* boundConnections(server, (yield* HttpConfig).connections)
      const due = refuseMalformed(server)
      answerHalfClosed(server)
      yield* Effect.sync(due.cut).pipe(Effect.repeat(Schedule.spaced(lingerMillis)), Effect.forkScoped)
      return { server, readAll, observers: server.listeners("request") }
    })
  )
}

const listening = Layer.effect(
  EffectHttpServer.HttpServer,
  Effect.gen(function* () {
    const { host, port } = yield* HttpConfig
    return yield* listen((yield* NodeServer).server, { host, port }, "PORT")
  })
)

/** Where it is configured. What is in flight there at a stop is cut: nothing depends on it. */
const metricsListening = Layer.effectDiscard(
  Effect.gen(function* () {
    const { host, metricsPort } = yield* HttpConfig
    if (metricsPort === undefined) return
    const server = Http.createServer(limits)
    yield* boundConnections(server, maxScrapers)
    const listening = yield* listen(server, { host, port: metricsPort }, "WALLET_METRICS_PORT")
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    yield* serveMetrics(listening)
    serveInLine(server)
  })
)

/** Milliseconds between two looks at which connections have become idle. */
const drainInterval = 20

/**
 * The next reply on each connection is its last, and says so: what the client has sent behind it
 * is not done, since nobody could be told.
 */
const closeBehindNext = (server: Http.Server): void => {
  const closing = new WeakSet<Duplex>()
  for (const event of ["request", "checkContinue"] as const) {
    const serve = server.listeners(event)
    server.removeAllListeners(event)
    server.on(event, (request, response) => {
      if (closing.has(request.socket)) return
      closing.add(request.socket)
      response.shouldKeepAlive = false
      for (const listener of serve) listener.call(server, request, response)
    })
  }
}

/**
 * Stops listening, lets the requests in flight finish and closes each connection
 * after its last reply; cuts what is left when `timeout` ms are over.
 */
const drain = Effect.fnUntraced(function* (server: Http.Server, timeout: number) {
  if (!server.listening) return
  const deadline = (yield* Clock.currentTimeMillis) + timeout
  const closed = yield* Deferred.make<void>()
  closeBehindNext(server)
  server.keepAliveTimeout = 1
  server.close(() => Deferred.doneUnsafe(closed, Effect.void))
  while (!(yield* Deferred.isDone(closed))) {
    server.closeIdleConnections()
    if ((yield* Clock.currentTimeMillis) >= deadline) {
      yield* Effect.logWarning(`requests in flight were cut after ${timeout} ms`)
      server.closeAllConnections()
      return
    }
    yield* Effect.sleep(drainInterval)
  }
})

/**
 * Once the platform listens to the requests: what is admitted stands in its connection's line, then
 * it is served. Out of the way before the server is drained.
 */
const admittingAndDraining = Layer.effectDiscard(
  Effect.gen(function* () {
    const config = yield* HttpConfig
    const { observers, readAll, server } = yield* NodeServer
    const stopping = yield* Stopping
    // No other protocol is served: a request that asks for one is answered as what else it says, in its
    // turn. The platform's listener would take its connection, and the replies that are due on it.
    server.removeAllListeners("upgrade")
    serveInLine(server)
    const admission = yield* admitting(server, config, observers)
    yield* Effect.addFinalizer(() =>
      Deferred.succeed(stopping.begun, undefined).pipe(
        Effect.andThen(Effect.sync(() => admission.stop())),
        // To the server one that was not read from is idle: it would be cut, with what it asks.
        Effect.andThen(readAll),
        Effect.andThen(drain(server, config.shutdownTimeout))
      )
    )
  })
)

/**
 * Serves the API while its scope lasts, and beside it `routes`. Needs the engine, the
 * API keys and the configuration; gives the server with the address it listens on.
 */
export const httpServerWith = <E, R>(routes: Layer.Layer<never, E, R>) =>
  Layer.mergeAll(admittingAndDraining, metricsListening).pipe(
    Layer.provideMerge(HttpRouter.serve(Layer.mergeAll(httpApp, routes), { disableLogger: true, routerConfig })),
    Layer.provideMerge(listening),
    Layer.provide([NodeServer.layer, Stopping.layer, NodeHttpServer.layerHttpServices])
  )

/** The API alone. */
export const httpServer = httpServerWith(Layer.empty)

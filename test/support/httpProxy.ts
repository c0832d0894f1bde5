/**
 * A reverse proxy before an HTTP server that does what proxies in trouble do: answers that end in
 * the middle, pages of its own instead of answers, and requests that arrive changed.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type * as Net from "node:net"
import { text } from "node:stream/consumers"

/**
 * - `Pass`: all is handed on as it comes.
 * - `HalfBodies`: answers with a body end in the middle of it: in turns as if that were all of it, and with the connection broken.
 * - `BadGateway`: a page of HTML with status 502; nothing reaches the server.
 * - `Change`: the bodies of requests to that path reach the server changed.
 */
export type HttpProxyMode =
  | { readonly _tag: "Pass" }
  | { readonly _tag: "HalfBodies" }
  | { readonly _tag: "BadGateway" }
  | { readonly _tag: "Change"; readonly path: string; readonly change: (body: string) => string }

export interface HttpProxy {
  readonly url: string
  readonly set: (mode: HttpProxyMode) => Effect.Effect<void>
  /** Waits for the next request to that path that the server has in full and has not answered. */
  readonly underWay: (path: string) => Effect.Effect<void>
}

const page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

/** Between two hops: not handed on. */
const hopHeaders = new Set(["connection", "keep-alive", "transfer-encoding", "content-length"])

const headersOf = (headers: Http.IncomingHttpHeaders): Http.OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopHeaders.has(name)))

class Proxy {
  mode: HttpProxyMode = { _tag: "Pass" }
  readonly agent = new Http.Agent({ keepAlive: true })
  readonly #target: URL
  #awaited: { readonly path: string; readonly sent: Deferred.Deferred<void> } | undefined
  #halves = 0

  constructor(target: string) {
    this.#target = new URL(target)
  }

  underWay(path: string): Effect.Effect<void> {
    const sent = Deferred.makeUnsafe<void>()
    this.#awaited = { path, sent }
    return Deferred.await(sent)
  }

  readonly handle = (incoming: Http.IncomingMessage, answer: Http.ServerResponse): void => {
    const { mode } = this
    if (mode._tag === "BadGateway") {
      incoming.resume()
      answer.writeHead(502, { "content-type": "text/html" }).end(page)
      return
    }
    const path = new URL(incoming.url ?? "/", this.#target).pathname
    const request = Http.request(new URL(incoming.url ?? "/", this.#target), {
      method: incoming.method,
      agent: this.agent,
      headers: headersOf(incoming.headers)
    })
    const cut = () => {
      request.destroy()
      answer.destroy()
    }
    request.on("error", cut)
    incoming.on("error", cut)
    answer.on("close", () => {
      if (!answer.writableEnded) request.destroy()
    })
    request.on("finish", () => {
      if (this.#awaited?.path === path) Deferred.doneUnsafe(this.#awaited.sent, Effect.void)
    })
    request.on("response", (response) => this.#respond(response, answer))
    if (mode._tag === "Change" && mode.path === path) {
      text(incoming).then((body) => request.end(mode.change(body)), cut)
    } else incoming.pipe(request)
  }

  #respond(response: Http.IncomingMessage, answer: Http.ServerResponse): void {
    const { statusCode = 502 } = response
    response.on("error", () => answer.destroy())
    if (this.mode._tag !== "HalfBodies") {
      answer.writeHead(statusCode, headersOf(response.headers))
      response.pipe(answer)
      return
    }
    text(response).then(
      (body) => {
        const half = Buffer.from(body).subarray(0, body.length >> 1)
        const isCut = ++this.#halves % 2 === 0
        const length = isCut ? Buffer.byteLength(body) : half.length
        answer.writeHead(statusCode, { ...headersOf(response.headers), "content-length": length })
        if (isCut) answer.write(half, () => answer.destroy())
        else answer.end(half)
      },
      () => answer.destroy()
    )
  }
}

/** Between a client and the server at that address, on a port of 127.0.0.1, until the scope closes. */
export const startHttpProxy = Effect.fnUntraced(function* (target: string) {
  const proxy = new Proxy(target)
  const server = yield* Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer(proxy.handle)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
        proxy.agent.destroy()
      })
  )
  const started: HttpProxy = {
    url: `http://127.0.0.1:${(server.address() as Net.AddressInfo).port}`,
    set: (mode) =>
      Effect.sync(() => {
        proxy.mode = mode
      }),
    underWay: (path) => Effect.suspend(() => proxy.underWay(path))
  }
  return started
})

/** A receiver of webhooks on loopback: checks each signature with a library of somebody else's, and keeps what came. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Webhook } from "standardwebhooks"

export interface Received {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** What a request is answered: a status, or by hand. Nothing: 204. */
export type Answer = number | ((response: Http.ServerResponse) => void) | undefined

export class Receiver {
  url = ""
  /** All that came and was signed, acknowledged or not, in order. */
  readonly received: Array<Received> = []
  /** Requests that no secret had signed. */
  forged = 0
  connections = 0
  /** Of one request: its answer. */
  answer: (received: Received) => Answer = () => undefined
  secrets: ReadonlyArray<string> = []
  #waiting: Array<{ readonly isThere: () => boolean; readonly told: Deferred.Deferred<void> }> = []

  get acknowledged(): ReadonlyArray<Received> {
    return this.received.filter((received) => this.#acknowledged.has(received))
  }

  readonly #acknowledged = new Set<Received>()

  take(headers: Http.IncomingHttpHeaders, body: string, response: Http.ServerResponse): void {
    const signed = this.secrets.some((secret) => {
      try {
        new Webhook(secret).verify(body, headers as Record<string, string>)
        return true
      } catch {
        return false
      }
    })
    if (!signed) this.forged++
    const received = { ...JSON.parse(body), id: String(headers["webhook-id"]), headers, body } as Received
    if (signed || this.secrets.length === 0) this.received.push(received)
    const answer = this.answer(received) ?? 204
    if (typeof answer === "function") answer(response)
    else {
      if (answer < 300) this.#acknowledged.add(received)
      response.writeHead(answer).end()
    }
    this.#waiting = this.#waiting.filter(({ isThere, told }) => {
      if (!isThere()) return true
      Deferred.doneUnsafe(told, Effect.void)
      return false
    })
  }

  /** Until something of what has come is so. */
  until(isThere: (receiver: Receiver) => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (isThere(this)) return Effect.void
      const told = Deferred.makeUnsafe<void>()
      this.#waiting.push({ isThere: () => isThere(this), told })
      return Deferred.await(told)
    })
  }
}

/** Listens on a free port, or on one of before, until the scope closes. */
export const makeReceiver = Effect.fnUntraced(function* (port = 0) {
  const receiver = new Receiver()
  const server = Http.createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => (body += chunk))
    request.on("end", () => receiver.take(request.headers, body, response))
  })
  server.on("connection", () => void receiver.connections++)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(port, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return receiver
})

/** Per wallet, the versions in the order in which they came first. */
export const versionsOf = (received: ReadonlyArray<Received>): ReadonlyMap<string, ReadonlyArray<number>> => {
  const versions = new Map<string, Array<number>>()
  for (const { data } of received) {
    const known = versions.get(data.walletId) ?? []
    if (!known.includes(data.version)) known.push(data.version)
    versions.set(data.walletId, known)
  }
  return versions
}

/** A server with the admission of requests in front, and connections that write raw requests. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Net from "node:net"
import { type AdmissionView, RequestAdmission } from "../../src/http/RequestAdmission.ts"
import { refusedAt } from "../../src/http/Lane.ts"

export const lookMillis = 100

/** A server whose handler answers when it is told to, behind an admission whose looks the test makes. */
export const makeServer = Effect.acquireRelease(
  Effect.callback<Served>((resume) => {
    const told: Array<AdmissionView | number> = []
    const admission = new RequestAdmission({
      maxWaitMillis: 750,
      originHeaders: () => [],
      keyOf: ({ headers }) => headers.authorization,
      events: { refusing: (view) => told.push(view), over: (refused) => told.push(refused) }
    })
    const taken: Array<Http.ServerResponse> = []
    const state = { answersAtOnce: false, served: 0 }
    const page = Buffer.alloc(16 * 1024 * 1024, "x")
    const server = Http.createServer((request, response) => {
      if (!admission.admit(request, response)) return
      const answer = () => response.writeHead(200, { "content-length": 0 }).end()
      if (request.url === "/health/live") return void answer()
      if (request.url === "/page") return void response.writeHead(200, { "content-length": page.length }).end(page)
      if (request.url === "/v1/feed") return void response.writeHead(200).write(":\n")
      state.served++
      request.resume()
      if (state.answersAtOnce) setImmediate(answer)
      else taken.push(response)
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as Net.AddressInfo
      resume(Effect.succeed({ admission, port, server, state, taken, told }))
    })
  }),
  ({ server }) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

interface Served {
  readonly admission: RequestAdmission
  readonly port: number
  readonly server: Http.Server
  readonly state: { answersAtOnce: boolean; served: number }
  readonly taken: Array<Http.ServerResponse>
  readonly told: Array<AdmissionView | number>
}

export const answerAll = ({ taken }: Served): void => {
  for (const response of taken.splice(0)) response.writeHead(200, { "content-length": 0 }).end()
}

interface Client {
  readonly socket: Net.Socket
  received: string
  ended: boolean
}

export const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Client>((resume) => {
      const socket = Net.connect({ port, host: "127.0.0.1" }, () => resume(Effect.succeed(client)))
      const client: Client = { socket, received: "", ended: false }
      socket.on("data", (chunk: Buffer) => {
        client.received += chunk.toString("latin1")
      })
      socket.on("error", () => socket.destroy())
      socket.on("close", () => {
        client.ended = true
      })
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

export const statuses = ({ received }: Client): ReadonlyArray<string> =>
  Array.from(received.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => status!)

export const write = (path = "/v1/transfers"): string => `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`
export const read = "GET /v1/wallets/a HTTP/1.1\r\nhost: x\r\n\r\n"
export const search = "GET /v1/wallets?q=a HTTP/1.1\r\nhost: x\r\n\r\n"
export const searchOf = (key: string): string => search.replace("\r\n\r\n", `\r\nauthorization: ${key}\r\n\r\n`)
export const indexed = write("/v1/wallets/a/credit?await=indexed")
export const live = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"

export const until = (condition: () => boolean) => Effect.repeat(Effect.sleep(1), { while: () => !condition() })

/** So few of a connection's requests are taken together, and come in one chunk of bytes. */
export const together = 60

export const page = "GET /page HTTP/1.1\r\nhost: x\r\n\r\n"
export const feed = "GET /v1/feed HTTP/1.1\r\nhost: x\r\n\r\n"

/** As many in flight as are taken of a kind. */
export const saturated = Effect.fnUntraced(function* (served: Served, request: string) {
  const { admission, port, state } = served
  const { lane } = admission.lines[request === read ? "read" : request === indexed ? "indexed" : "write"]
  const clients: Array<Client> = []
  while (!lane.refuses()) {
    const wanted = Math.min(together, lane.limit * refusedAt - lane.inFlight)
    const before = state.served
    const client = yield* connect(port)
    client.socket.write(request.repeat(wanted))
    yield* until(() => state.served === before + wanted)
    clients.push(client)
  }
  return clients
})

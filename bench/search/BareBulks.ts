/** The limit of a search index's writer: a program that sends bulks which are made already, and reads whether all arrived. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"

const agent = new Http.Agent({ keepAlive: true })

/** `path`: with its query. Dies where anything but an answer in order comes. */
export const sent = (url: string, method: string, path: string, body?: Uint8Array): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const die = (reason: string) => resume(Effect.die(new Error(`${method} ${path}: ${reason}`)))
    const headers = body && { "content-type": "application/x-ndjson", "content-length": body.byteLength }
    const request = Http.request(new URL(path, url), { method, agent, ...(headers && { headers }) })
    request.on("error", ({ message }) => die(message))
    request.on("response", (response) => {
      let said = ""
      response.setEncoding("utf8")
      response.on("data", (data: string) => (said += data))
      response.on("error", ({ message }) => die(message))
      response.on("end", () => (response.statusCode === 200 ? resume(Effect.succeed(said)) : die(said)))
    })
    request.end(body)
  })

interface Answer {
  readonly items?: ReadonlyArray<{ readonly index: { readonly error: { readonly type: string } } }>
}

/** Wallets are in many bulks, which overtake each other: then what comes later is older, and was written already. */
const isThere = "version_conflict_engine_exception"

/** So many at one time, each of which has to arrive whole. */
export const sendBulks = (url: string, bulks: ReadonlyArray<Uint8Array>, inFlight: number) =>
  Effect.forEach(
    bulks,
    (bulk) =>
      Effect.flatMap(sent(url, "POST", "/_bulk?filter_path=items.*.error.type", bulk), (said) => {
        const { items = [] } = JSON.parse(said) as Answer
        const refused = items.find(({ index }) => index.error.type !== isThere)
        return refused === undefined ? Effect.void : Effect.die(new Error(`a bulk was answered with ${said}`))
      }),
    { concurrency: inFlight, discard: true }
  )

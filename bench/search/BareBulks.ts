/** The limit of a search index's writer: a program that sends bulks which are made already, and reads whether all arrived. */
import * as Effect from "effect/Effect"

/** `path`: with its query. Dies where anything but an answer in order comes. */
export const sent = (url: string, method: string, path: string, body?: Uint8Array<ArrayBuffer>) =>
  Effect.promise(async () => {
    const answer = await fetch(new URL(path, url), {
      method,
      ...(body !== undefined && { body, headers: { "content-type": "application/x-ndjson" } })
    })
    const said = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`)
    return said
  })

interface Answer {
  readonly items?: ReadonlyArray<{ readonly index: { readonly error: { readonly type: string } } }>
}

/** Wallets are in many bulks, which overtake each other: then what comes later is older, and was written already. */
const isThere = "version_conflict_engine_exception"

/** So many at one time, each of which has to arrive whole. */
export const sendBulks = (url: string, bulks: ReadonlyArray<Uint8Array<ArrayBuffer>>, inFlight: number) =>
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

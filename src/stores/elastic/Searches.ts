/** Calls of a reader's: what each asks Elasticsearch for, how long it may take, and what is made of the answer. */
import type { Client, estypes } from "@elastic/elasticsearch"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DocumentKind, SearchDocument } from "../SearchIndex.ts"
import { QueryTooWide, type ReadError, StoreDefect, StoreUnavailable } from "../StoreError.ts"
import * as Circuit from "./Circuit.ts"
import { decodeDocument } from "./Documents.ts"
import type { Query } from "./Queries.ts"

/** After which Elasticsearch itself ends a search. */
const searchMillis = 4_000
/** After which nobody waits for its answer any more. */
const answerMillis = 5_000
const retryMillis = 1_000

export interface SearchesOptions {
  readonly client: Client
  readonly aliasOf: (kind: DocumentKind) => string
  /** What an error of the client's means. */
  readonly failureOf: (error: unknown) => ReadError
}

/** What is asked of one index. */
export interface Request {
  readonly size: number
  readonly query?: Query
  readonly sort?: ReadonlyArray<Readonly<Record<string, "desc">>>
  /** The sort values of the last one before. */
  readonly search_after?: ReadonlyArray<string | number> | undefined
  readonly aggregations?: object
  readonly terminate_after?: number
}

export type Answer = estypes.SearchResponse<unknown, Record<string, estypes.AggregationsAggregate>>

export interface Searches {
  /** `tooWide`: what to narrow, should the time run out; `undefined`: the server is at fault then. */
  readonly ask: (
    kind: DocumentKind,
    request: Request,
    tooWide?: string
  ) => Effect.Effect<Answer, ReadError | QueryTooWide>
}

const unavailable = (reason: string): StoreUnavailable =>
  new StoreUnavailable({ store: "readModel", reason, retryAfter: retryMillis })

interface Said {
  readonly meta?: {
    readonly body?: { readonly error?: { readonly root_cause?: ReadonlyArray<{ readonly type?: string }> } }
  }
}

/** Elasticsearch says 429, as it does when it has too much to do. */
const isOutOfTime = (error: unknown): boolean =>
  (error as Said).meta?.body?.error?.root_cause?.some?.(({ type }) => type === "search_timeout_exception") === true

/** Of every search: what cannot be answered in whole is not answered. */
const always = { track_total_hits: false, allow_partial_search_results: false, timeout: `${searchMillis}ms` }

export const make = Effect.fnUntraced(function* ({
  aliasOf,
  client,
  failureOf
}: SearchesOptions): Effect.fn.Return<Searches, never, Scope.Scope> {
  const call = (kind: DocumentKind, request: Request, outOfTime: () => QueryTooWide | StoreUnavailable) =>
    Effect.tryPromise({
      try: (signal): Promise<Answer> => {
        const whole: object = { ...request, ...always, index: aliasOf(kind) }
        return client.search(whole, { signal, maxRetries: 0 })
      },
      catch: (error) => (isOutOfTime(error) ? outOfTime() : failureOf(error))
    }).pipe(
      Effect.timeoutOrElse({
        duration: answerMillis,
        orElse: () => Effect.fail(unavailable(`no answer within ${answerMillis} ms`))
      })
    )
  const slow = () => unavailable(`a search was not done within ${searchMillis} ms`)
  const sign = call("wallet", { size: 0, terminate_after: 1 }, slow)
  const circuit = yield* Circuit.make(
    Effect.catchTags(sign, { StoreDefect: () => Effect.void, QueryTooWide: () => Effect.void })
  )
  return {
    ask: (kind, request, tooWide) =>
      circuit.run(call(kind, request, () => (tooWide === undefined ? slow() : new QueryTooWide({ detail: tooWide }))))
  }
})

/** The documents that an answer shows, in its order. */
export const documentsIn = (
  kind: DocumentKind,
  answer: Answer
): Effect.Effect<ReadonlyArray<SearchDocument>, StoreDefect> =>
  Effect.try({
    try: () => answer.hits.hits.map(({ _source }) => decodeDocument(kind, _source)),
    catch: (error) =>
      new StoreDefect({ store: "readModel", reason: error instanceof Error ? error.message : String(error) })
  })

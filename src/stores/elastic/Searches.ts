/**
 * Calls of a reader's: what each asks Elasticsearch for, how long it may take, and what is made of the answer.
 *
 * A search that is not answered in time is no outage by itself: whoever asks for much has it wait. Before the time is
 * up the server is asked for a sign of life that needs none of its places for searches, and only one that
 * gives none is away.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { isJsonObject } from "../../domain/Codec.ts"
import type { DocumentKind, SearchDocument } from "../SearchIndex.ts"
import { QueryTooWide, type ReadError, type StoreDefect, type StoreUnavailable } from "../StoreError.ts"
import * as Circuit from "./Circuit.ts"
import type { ElasticAnswer, ElasticConnection } from "./Connection.ts"
import { decodeDocument } from "./Documents.ts"
import { defect, errorIn, failureOfStatus, isIndexGone, unavailable, whole } from "./Failure.ts"
import { aliasName } from "./IndexNames.ts"
import type { Query } from "./Queries.ts"

/** Of the time that a search may take: what is left is for its way. */
const searchShare = 0.8

/** After which nobody waits for a search's answer any more, ms: a server that hangs is found out so. */
export const defaultSearchMillis = 2_000

/** Until a search is worth another try where somebody has to mend the index, ms. */
const mendMillis = 5_000

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

/** What was found; of each the value is as Elasticsearch says it. */
export interface Answer {
  /** Sources of documents. */
  readonly found: ReadonlyArray<unknown>
  readonly aggregations: unknown
}

export interface Searches {
  /** `tooWide`: what to narrow, should the time run out; `undefined`: the server is at fault then. */
  readonly ask: (
    kind: DocumentKind,
    request: Request,
    tooWide?: string
  ) => Effect.Effect<Answer, StoreUnavailable | QueryTooWide>
}

/** Of every search: what cannot be answered in whole is not answered. */
const query = { allow_partial_search_results: false, track_total_hits: false }

/** The type of the error under the one of the request. */
const rootCauseIn = (body: unknown): unknown => {
  const error = isJsonObject(body) ? body.error : undefined
  const causes = isJsonObject(error) ? error.root_cause : undefined
  const first: unknown = Array.isArray(causes) ? causes[0] : undefined
  return isJsonObject(first) ? first.type : undefined
}

const answerIn = (body: unknown): Answer | undefined => {
  if (!isJsonObject(body) || !isJsonObject(body.hits) || !Array.isArray(body.hits.hits)) return undefined
  const found = body.hits.hits.map((hit: unknown) => (isJsonObject(hit) ? hit._source : undefined))
  return { found, aggregations: body.aggregations }
}

/** The server is alive, and has not done it in time. */
class OutOfTime extends Schema.TaggedError<OutOfTime>()("OutOfTime", {}) {}

/** What has run out of time says 429, as does what finds the server too busy. */
const isOutOfTime = ({ body, status }: ElasticAnswer): boolean =>
  status === 429 ? rootCauseIn(body) === "search_timeout_exception" : isJsonObject(body) && body.timed_out === true

const read = Effect.fnUntraced(function* (
  nodes: string,
  { body, status }: ElasticAnswer
): Effect.fn.Return<Answer, ReadError> {
  if (status >= 400) {
    const failure = failureOfStatus(nodes, status, errorIn(body))
    return yield* isIndexGone(status, errorIn(body)) ? unavailable(failure.reason) : failure
  }
  yield* whole(nodes, body)
  const answer = answerIn(body)
  return answer ?? (yield* unavailable(`${nodes}: what answers is no Elasticsearch, or it is cut off`))
})

/**
 * An index that is gone or is another one than ours, by an operator's hand: searches are away until it is mended. Whoever
 * writes it finds out, too, and says in the readiness how.
 */
const untilMended = ({ reason }: StoreDefect): Effect.Effect<never, StoreUnavailable> =>
  Effect.fail(unavailable(reason, mendMillis))

export const make = Effect.fnUntraced(function* (
  { nodes, request: send }: ElasticConnection["Service"],
  prefix: string,
  timeoutMillis = defaultSearchMillis
): Effect.fn.Return<Searches, never, Scope.Scope> {
  /** After which Elasticsearch itself ends a search. */
  const searchMillis = Math.ceil(searchShare * timeoutMillis)
  /** Whatever it answers it is alive. */
  const sign = Effect.catchTag(
    send({ method: "HEAD", path: "/", accept: [401, 403, 429] }),
    "StoreDefect",
    () => Effect.void
  )
  const circuit = yield* Circuit.make(nodes, sign)
  const signAfter = timeoutMillis - Math.min(Circuit.signMillis, timeoutMillis / 2)
  const untilLate = circuit.sign.pipe(
    Effect.delay(signAfter),
    Effect.andThen(Effect.sleep(timeoutMillis - signAfter)),
    Effect.andThen(Effect.fail(new OutOfTime()))
  )
  const call = (kind: DocumentKind, request: Request) =>
    send({
      method: "POST",
      path: `/${aliasName(prefix, kind)}/_search`,
      query,
      body: { ...request, timeout: `${searchMillis}ms` },
      timeoutMillis: 2 * timeoutMillis,
      accept: [400, 404, 429]
    }).pipe(
      Effect.flatMap((answer): Effect.Effect<Answer, ReadError | OutOfTime> =>
        isOutOfTime(answer) ? Effect.fail(new OutOfTime()) : read(nodes, answer)
      ),
      Effect.raceFirst(untilLate)
    )
  const outOfTime = (tooWide: string | undefined): Effect.Effect<never, StoreUnavailable | QueryTooWide> =>
    tooWide === undefined
      ? Effect.fail(unavailable(`${nodes} is too busy: a search was not done within ${timeoutMillis} ms`))
      : Effect.fail(new QueryTooWide({ detail: tooWide }))
  return {
    ask: (kind, request, tooWide) =>
      Effect.catchTags(circuit.run(call(kind, request)), {
        OutOfTime: () => outOfTime(tooWide),
        StoreDefect: untilMended
      })
  }
})

/** The documents that an answer shows, in its order. */
export const documentsIn = (
  kind: DocumentKind,
  { found }: Answer
): Effect.Effect<ReadonlyArray<SearchDocument>, StoreDefect> =>
  Effect.try({
    try: () => found.map((source) => decodeDocument(kind, source)),
    catch: (error) => defect(error instanceof Error ? error.message : String(error))
  })

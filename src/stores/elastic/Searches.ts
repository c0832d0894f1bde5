/** Calls of a reader's: what each asks Elasticsearch for, how long it may take, and what is made of the answer. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isJsonObject } from "../../domain/Codec.ts"
import type { DocumentKind, SearchDocument } from "../SearchIndex.ts"
import { QueryTooWide, type ReadError, type StoreDefect, type StoreUnavailable } from "../StoreError.ts"
import * as Circuit from "./Circuit.ts"
import type { ElasticAnswer, ElasticConnection } from "./Connection.ts"
import { decodeDocument } from "./Documents.ts"
import { defect, errorIn, failureOfStatus, unavailable } from "./Failure.ts"
import { aliasName } from "./IndexNames.ts"
import type { Query } from "./Queries.ts"

/** After which Elasticsearch itself ends a search. */
const searchMillis = 4_000
/** After which nobody waits for its answer any more. */
const answerMillis = 5_000

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

const read = (
  nodes: string,
  { body, status }: ElasticAnswer,
  tooWide: string | undefined
): Effect.Effect<Answer, ReadError | QueryTooWide> => {
  if (status === 429) {
    // What has run out of time says 429, as does what finds the server too busy.
    if (rootCauseIn(body) !== "search_timeout_exception")
      return Effect.fail(failureOfStatus(nodes, status, errorIn(body)))
    if (tooWide !== undefined) return Effect.fail(new QueryTooWide({ detail: tooWide }))
    return Effect.fail(unavailable(`${nodes}: a search was not done within ${searchMillis} ms`))
  }
  const answer = answerIn(body)
  return answer === undefined
    ? Effect.fail(unavailable(`${nodes}: what answers is no Elasticsearch, or it is cut off`))
    : Effect.succeed(answer)
}

/**
 * An index that is gone or is another one than ours, by an operator's hand: searches are away until it is mended. Whoever
 * writes it finds out, too, and says in the readiness how.
 */
const untilMended = ({ reason }: StoreDefect): Effect.Effect<never, StoreUnavailable> =>
  Effect.fail(unavailable(reason, mendMillis))

export const make = Effect.fnUntraced(function* (
  { nodes, request: send }: ElasticConnection["Service"],
  prefix: string
): Effect.fn.Return<Searches, never, Scope.Scope> {
  const call = (kind: DocumentKind, request: Request, tooWide?: string) =>
    send({
      method: "POST",
      path: `/${aliasName(prefix, kind)}/_search`,
      query,
      body: { ...request, timeout: `${searchMillis}ms` },
      timeoutMillis: answerMillis,
      accept: [429]
    }).pipe(Effect.flatMap((answer) => read(nodes, answer, tooWide)))
  const answers = () => Effect.void
  const sign = Effect.catchTags(call("wallet", { size: 0, terminate_after: 1 }), {
    StoreDefect: answers,
    QueryTooWide: answers
  })
  const circuit = yield* Circuit.make(nodes, sign)
  return {
    ask: (kind, request, tooWide) =>
      Effect.catchTag(circuit.run(call(kind, request, tooWide)), "StoreDefect", untilMended)
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

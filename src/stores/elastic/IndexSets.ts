/** One set of indexes: what is written to it, what is read of it, and how far it is. */
import * as Effect from "effect/Effect"
import type { DocumentKind, IndexSet, LogMark, SearchDocument, VersionRange } from "../SearchIndex.ts"
import type { ReadError } from "../StoreError.ts"
import { type BulkLimits, makeWrite } from "./Bulk.ts"
import type { ElasticConnection } from "./Connection.ts"
import { decodeDocument } from "./Documents.ts"
import { defect, errorIn, failureOfStatus, unavailable, wayOut, whole } from "./Failure.ts"
import { documentKinds, type IndexKind, ownAlias, partsOf } from "./IndexNames.ts"

export interface SetTarget {
  readonly prefix: string
  /** An alias. */
  readonly nameOf: (kind: IndexKind) => string
  /** Before anything is written. */
  readonly check: Effect.Effect<void, ReadError>
  /** Fails unless these indexes are of the log that the set is to be of. */
  readonly confirm: (indexes: ReadonlyArray<string>) => Effect.Effect<void, ReadError>
}

const checkpointId = "checkpoint"

/** As it is kept, and in which index. */
interface CheckpointDocument {
  readonly index: string
  readonly position: bigint
  readonly mark: LogMark | undefined
}

interface CheckpointSource extends Partial<LogMark> {
  readonly position: string
}

const markIn = ({ id, version, walletId }: CheckpointSource): LogMark | undefined =>
  walletId === undefined || version === undefined || id === undefined ? undefined : { walletId, version, id }

const readCheckpoint = (
  { nodes, request }: ElasticConnection["Service"],
  target: SetTarget
): Effect.Effect<CheckpointDocument, ReadError> =>
  Effect.gen(function* () {
    const path = `/${target.nameOf("meta")}/_doc/${checkpointId}`
    const { body, status } = yield* request({ method: "GET", path, accept: [404] })
    // With an error it is the index that is not there; without one it is the document.
    if (errorIn(body) !== undefined) return yield* failureOfStatus(nodes, status, errorIn(body))
    const { _index, _source } = body as { readonly _index: string; readonly _source?: CheckpointSource }
    return _source === undefined
      ? { index: _index, position: 0n, mark: undefined }
      : { index: _index, position: BigInt(_source.position), mark: markIn(_source) }
  })

/** Its version is the position: it never goes back. Into the set that was looked at, wherever the alias leads by then. */
const makeSaveCheckpoint =
  (connection: ElasticConnection["Service"], target: SetTarget): IndexSet["saveCheckpoint"] =>
  (position, mark) =>
    Effect.gen(function* () {
      yield* target.check
      const { index } = yield* readCheckpoint(connection, target)
      yield* target.confirm([index])
      yield* connection.request({
        method: "PUT",
        path: `/${ownAlias(index)}/_doc/${checkpointId}`,
        query: { version: position.toString(), version_type: "external_gte", require_alias: true },
        body: { position: position.toString(), ...mark },
        accept: [409]
      })
    })

/** Documents in one answer: some megabytes. */
const pageSize = 2_000
/** Wallets in one question; Elasticsearch takes 65,536. */
const walletsAtOnce = 1_000
/** How long Elasticsearch keeps the moment that pages are of, from one page to the next. */
const keepAlive = "1m"

/** The field that names a document's wallet. */
const walletFields: Readonly<Record<DocumentKind, string>> = {
  wallet: "id",
  transaction: "walletId",
  transfer: "from",
  hold: "walletId"
}

/** Of these wallets; other documents have an `id`, too, but no balance to sort by. */
const ofWallets = (ids: ReadonlyArray<string>, versions: VersionRange | undefined) => ({
  bool: {
    minimum_should_match: 1,
    should: [
      { terms: { walletId: ids } },
      { terms: { from: ids } },
      { bool: { filter: [{ terms: { id: ids } }, { exists: { field: "balanceOrder" } }] } }
    ],
    ...(versions !== undefined && { filter: [{ range: { asOf: { gte: versions.from, lte: versions.to } } }] })
  }
})

interface Hit {
  readonly _index: string
  readonly _id: string
  readonly _source: unknown
  readonly sort: ReadonlyArray<unknown>
}

const decode = (prefix: string, hits: ReadonlyArray<Hit>): Effect.Effect<ReadonlyArray<SearchDocument>, ReadError> =>
  Effect.try({
    try: () =>
      hits.map(({ _index, _source }) => {
        const kind = partsOf(prefix, _index)?.kind
        if (kind === undefined || kind === "meta") throw new Error(`${_index} is no index of the search; ${wayOut}`)
        return decodeDocument(kind, _source)
      }),
    catch: (error) => defect(error instanceof Error ? error.message : String(error))
  })

/** All pages of a question, as of one moment. */
const makeDocumentsOf = (
  { nodes, request }: ElasticConnection["Service"],
  target: SetTarget
): IndexSet["documentsOf"] => {
  const all = documentKinds.map(target.nameOf).join(",")
  const openMoment = Effect.map(
    request({
      method: "POST",
      path: `/${all}/_pit`,
      query: { keep_alive: keepAlive, allow_partial_search_results: false }
    }),
    ({ body }) => (body as { readonly id: string }).id
  )
  const closeMoment = (id: string) =>
    Effect.ignore(request({ method: "DELETE", path: "/_pit", body: { id }, accept: [404] }))

  const pagesOf = (ids: ReadonlyArray<string>, versions: VersionRange | undefined) =>
    Effect.acquireUseRelease(
      openMoment,
      Effect.fnUntraced(function* (id) {
        const found: Array<SearchDocument> = []
        let after: ReadonlyArray<unknown> | undefined
        while (true) {
          const { body } = yield* request({
            method: "POST",
            path: "/_search",
            query: {
              allow_partial_search_results: false,
              filter_path: "hits.hits._index,hits.hits._id,hits.hits._source,hits.hits.sort,timed_out,_shards"
            },
            body: {
              pit: { id, keep_alive: keepAlive },
              size: pageSize,
              query: ofWallets(ids, versions),
              sort: ["_shard_doc"],
              track_total_hits: false,
              ...(after !== undefined && { search_after: after })
            },
            timeoutMillis: 30_000
          })
          yield* whole(nodes, body)
          const hits = (body as { readonly hits?: { readonly hits?: ReadonlyArray<Hit> } }).hits?.hits ?? []
          found.push(...(yield* decode(target.prefix, hits)))
          if (hits.length < pageSize) return found
          after = hits.at(-1)!.sort
        }
      }),
      closeMoment
    )

  return Effect.fnUntraced(function* (ids, versions) {
    const found: Array<SearchDocument> = []
    for (let from = 0; from < ids.length; from += walletsAtOnce) {
      found.push(...(yield* pagesOf(ids.slice(from, from + walletsAtOnce), versions)))
    }
    return found
  })
}

const makeReads = ({ nodes, request }: ElasticConnection["Service"], target: SetTarget) => {
  const walletIdsOf = Effect.fnUntraced(function* (kind: DocumentKind, after: string, limit: number) {
    const composite = {
      size: limit,
      sources: [{ id: { terms: { field: walletFields[kind] } } }],
      ...(after !== "" && { after: { id: after } })
    }
    const { body } = yield* request({
      method: "POST",
      path: `/${target.nameOf(kind)}/_search`,
      query: {
        allow_partial_search_results: false,
        filter_path: "aggregations.wallets.buckets.key,timed_out,_shards"
      },
      body: { size: 0, track_total_hits: false, aggs: { wallets: { composite } } },
      timeoutMillis: 30_000
    })
    yield* whole(nodes, body)
    const { aggregations } = body as {
      readonly aggregations?: {
        readonly wallets?: { readonly buckets?: ReadonlyArray<{ readonly key: { readonly id: string } }> }
      }
    }
    return (aggregations?.wallets?.buckets ?? []).map(({ key }) => key.id)
  })

  const walletIds: IndexSet["walletIds"] = ({ after, limit }) =>
    Effect.map(
      Effect.forEach(documentKinds, (kind) => walletIdsOf(kind, after, limit), { concurrency: documentKinds.length }),
      // Ids are ASCII: Elasticsearch's order is that of strings here.
      (found) => [...new Set(found.flat())].sort().slice(0, limit)
    )

  const count: IndexSet["count"] = Effect.fnUntraced(function* (kind) {
    const { body } = yield* request({ method: "GET", path: `/${target.nameOf(kind)}/_count` })
    yield* whole(nodes, body)
    return (body as { readonly count: number }).count
  })

  return { walletIds, count }
}

/** By name, too. The smallest question to every shard. */
const makeSearchable = ({ nodes, request }: ElasticConnection["Service"], target: SetTarget): IndexSet["searchable"] =>
  Effect.flatMap(
    request({
      method: "POST",
      path: `/${documentKinds.map(target.nameOf).join(",")}/_search`,
      query: { allow_partial_search_results: false, filter_path: "timed_out,_shards" },
      body: { size: 0, terminate_after: 1, track_total_hits: false }
    }),
    ({ body }) => whole(nodes, body)
  )

/** A refresh is asked for by name: an index that is gone is not passed over. */
const makeRefresh = ({ nodes, request }: ElasticConnection["Service"], target: SetTarget): IndexSet["refresh"] =>
  Effect.gen(function* () {
    const path = `/${documentKinds.map(target.nameOf).join(",")}/_refresh`
    const { body } = yield* request({ method: "POST", path, timeoutMillis: 30_000 })
    const { _shards } = body as { readonly _shards: { readonly failed: number } }
    if (_shards.failed > 0) return yield* unavailable(`${nodes}: ${_shards.failed} shards could not be refreshed`)
  })

export const make = (connection: ElasticConnection["Service"], target: SetTarget, limits: BulkLimits): IndexSet => {
  const write = makeWrite(connection, target, limits)
  const checkpoint = readCheckpoint(connection, target)
  return {
    ...makeReads(connection, target),
    documentsOf: makeDocumentsOf(connection, target),
    write: (documents, options) => Effect.andThen(target.check, write(documents, options)),
    searchable: makeSearchable(connection, target),
    refresh: makeRefresh(connection, target),
    checkpoint: Effect.map(checkpoint, ({ position }) => position),
    mark: Effect.map(checkpoint, ({ mark }) => mark),
    saveCheckpoint: makeSaveCheckpoint(connection, target)
  }
}

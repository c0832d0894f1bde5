/**
 * The search index on Elasticsearch. What is searched stands behind aliases; a new set is made beside
 * it, filled, and takes its place in one call. No write makes an index, and nothing of ours is
 * deleted but sets that have been replaced.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type IndexSet, type IndexState, SearchIndex } from "../SearchIndex.ts"
import type { ReadError } from "../StoreError.ts"
import { type BuildLock, isHeld, take } from "./BuildLock.ts"
import type { BulkLimits } from "./Bulk.ts"
import { ElasticConnection } from "./Connection.ts"
import { defect, unavailable } from "./Failure.ts"
import {
  type Catalog,
  currentGeneration,
  type FoundIndex,
  foreign,
  latestGeneration,
  makeCatalog,
  mappingHash,
  ofGeneration,
  stateOf
} from "./IndexCatalog.ts"
import { aliasName, indexKinds, type IndexKind, indexName, ownAlias, partsOf } from "./IndexNames.ts"
import * as IndexSets from "./IndexSets.ts"

export interface ElasticSearchIndexOptions {
  /** Of all indexes and aliases; default `wallet`. */
  readonly prefix?: string | undefined
  /** Of each index, when it is made; default 1. */
  readonly shards?: number | undefined
  /** Default 0: right for one node alone. */
  readonly replicas?: number | undefined
  /** Milliseconds; default 500. */
  readonly refreshInterval?: number | undefined
  /** Of one bulk request; default 8 MiB. Elasticsearch takes 100 MiB. */
  readonly bulkBytes?: number | undefined
  /** Milliseconds a bulk may take; default 30,000. */
  readonly bulkTimeoutMillis?: number | undefined
}

/** Older ones do not understand the client. */
const neededMajor = 9

/** A set under construction, as its builder has it. */
interface Building {
  readonly generation: number
  readonly lock: BuildLock
}

interface Server {
  readonly connection: ElasticConnection["Service"]
  readonly catalog: Catalog
  readonly prefix: string
  readonly limits: BulkLimits
  readonly own: OwnIndexes
}

/** Of the log that the index was opened for last. */
interface OwnIndexes {
  /** `undefined`: it was not opened; then every index of the search may be meant. */
  logId: string | undefined
  names: ReadonlySet<string>
}

const learn = (own: OwnIndexes, found: ReadonlyArray<FoundIndex>): void => {
  const ours = found.filter(({ identity, parts }) => parts !== undefined && identity?.log === own.logId)
  own.names = new Set(ours.map(({ name }) => name))
}

/** An index that is not known is looked at: another process may have put a new set of ours in place. */
const confirm = Effect.fnUntraced(function* (
  { catalog, connection: { nodes }, own, prefix }: Omit<Server, "limits">,
  indexes: ReadonlyArray<string>
): Effect.fn.Return<void, ReadError> {
  const strange = (name: string) =>
    own.logId === undefined ? partsOf(prefix, name) === undefined : !own.names.has(name)
  if (!indexes.some(strange)) return
  if (own.logId !== undefined) learn(own, yield* catalog.look)
  const name = indexes.find(strange)
  if (name !== undefined) {
    return yield* defect(`${nodes}: an alias of the search leads to ${name}, which is no index of this log's search`)
  }
})

const versionState = ({ connection: { nodes, request } }: Server): Effect.Effect<IndexState | undefined, ReadError> =>
  Effect.map(request({ method: "GET", path: "/" }), ({ body }): IndexState | undefined => {
    const version = String((body as { readonly version?: { readonly number?: string } } | undefined)?.version?.number)
    return Number.parseInt(version, 10) >= neededMajor
      ? undefined
      : { _tag: "Unfit", reason: `${nodes}: Elasticsearch ${neededMajor} or later is needed; it says ${version}` }
  })

const setOf = (server: Server, generation: number, check: Effect.Effect<void, ReadError>): IndexSet => {
  const { connection, limits, prefix } = server
  const nameOf = (kind: IndexKind) => ownAlias(indexName(prefix, kind, generation))
  return IndexSets.make(connection, { prefix, nameOf, check, confirm: (names) => confirm(server, names) }, limits)
}

/** Whether a set can be gone on with: whole, or with nothing in it yet. */
const canGoOn = Effect.fnUntraced(function* (server: Server, set: ReadonlyArray<FoundIndex>, logId: string) {
  if (set.some(({ identity }) => identity?.log !== logId)) return false
  if (set.length === indexKinds.length) return true
  const [index] = set
  const hasMeta = set.some(({ parts }) => parts?.kind === "meta")
  return !hasMeta || (yield* setOf(server, index!.parts!.generation, Effect.void).checkpoint) === 0n
})

/** No alias leads anywhere: the set that has lost its aliases gets them again, or there is a first one, or a fresh one. */
const establish = Effect.fnUntraced(function* (server: Server, found: ReadonlyArray<FoundIndex>, logId: string) {
  const { catalog } = server
  const latest = latestGeneration(found)
  const set = ofGeneration(found, latest)
  const goesOn = set.length === 0 || (yield* canGoOn(server, set, logId))
  const generation = latest === 0 ? 1 : goesOn ? latest : latest + 1
  yield* catalog.createSet(generation, logId)
  yield* catalog.pointTo(generation)
})

const heldIndexes = (server: Server, found: ReadonlyArray<FoundIndex>) => {
  const aliases = new Set(indexKinds.map((kind) => aliasName(server.prefix, kind)))
  return found.filter(({ aliases: own, held }) => held && own.some((alias) => aliases.has(alias)))
}

/** The mark goes last: what bears none is never lifted. */
const release = Effect.fnUntraced(function* (
  { catalog, connection: { request } }: Server,
  indexes: ReadonlyArray<FoundIndex>
): Effect.fn.Return<void, ReadError> {
  if (indexes.length === 0) return
  yield* request({
    method: "PUT",
    path: `/${indexes.map(({ name }) => name).join(",")}/_settings`,
    body: { "index.blocks.write": null },
    timeoutMillis: 30_000
  })
  yield* catalog.markHeld(indexes, false)
})

/** Whether a set that is newer than the one that is searched is being filled; `own`: but for this one. */
const isBuilding = Effect.fnUntraced(function* (
  { connection, prefix }: Server,
  found: ReadonlyArray<FoundIndex>,
  own: number
) {
  const current = currentGeneration(found, prefix)
  const others = found.filter(
    ({ parts }) => parts?.kind === "meta" && parts.generation > current && parts.generation !== own
  )
  const held = yield* Effect.forEach(others, ({ name }) => isHeld(connection, name), { concurrency: "unbounded" })
  return held.includes(true)
})

/** A builder that has ended without its finalizers may have left writes held. */
const releaseLeft = Effect.fnUntraced(function* (server: Server, found: ReadonlyArray<FoundIndex>) {
  const held = heldIndexes(server, found)
  if (held.length === 0) return
  if (yield* isBuilding(server, found, 0)) return
  yield* release(server, held)
  yield* Effect.logInfo("writes to the search index were held by a rebuild that is no more: they go on")
})

const open = Effect.fnUntraced(function* (server: Server, logId: string) {
  const unfit = yield* versionState(server)
  if (unfit !== undefined) return unfit
  let found = yield* server.catalog.look
  server.own.logId = logId
  learn(server.own, found)
  const another = found.find(
    ({ identity, parts }) => parts !== undefined && identity !== undefined && identity.log !== logId
  )
  const isNew =
    currentGeneration(found, server.prefix) === 0 &&
    !found.some(({ aliases, name }) =>
      indexKinds.some((kind) => [...aliases, name].includes(aliasName(server.prefix, kind)))
    )
  if (isNew && another !== undefined) return foreign(another.name, another.identity!.log, logId)
  if (isNew) {
    yield* establish(server, found, logId)
    found = yield* server.catalog.look
  }
  const state = stateOf(found, server.prefix, logId)
  if (state._tag === "Ready" || state._tag === "Outdated") yield* releaseLeft(server, found)
  return state
})

/**
 * The set to be filled: one that was begun, or a new one. Releases with different mappings begin sets of their own: who
 * has one looks whether anybody has another, so that of two who come at the same time one at most goes on.
 */
const takeNext = Effect.fnUntraced(function* (
  server: Server,
  logId: string
): Effect.fn.Return<Building | undefined, ReadError, Scope.Scope> {
  const { catalog, connection, prefix } = server
  const found = yield* catalog.look
  const latest = latestGeneration(found)
  const begun = ofGeneration(found, latest)
  const isBegun =
    latest > currentGeneration(found, prefix) &&
    begun.every(
      ({ aliases, identity, name }) => identity?.mapping === mappingHash && aliases.includes(ownAlias(name))
    ) &&
    (yield* canGoOn(server, begun, logId))
  const generation = isBegun ? latest : latest + 1
  if (yield* isBuilding(server, found, generation)) return undefined
  yield* catalog.createSet(generation, logId)
  const lock = yield* take(connection, indexName(prefix, "meta", generation))
  if (lock === undefined) return undefined
  const now = yield* catalog.look
  if (generation <= currentGeneration(now, prefix) || (yield* isBuilding(server, now, generation))) return undefined
  yield* release(server, heldIndexes(server, now))
  return { generation, lock }
})

/** Answers when no write is under way any more: that is what the call promises. What an operator has blocked stays his. */
const hold = Effect.fnUntraced(function* (server: Server) {
  const { catalog, connection, prefix } = server
  const aliases = new Set(indexKinds.map((kind) => aliasName(prefix, kind)))
  const held = (yield* catalog.look).filter(
    ({ aliases: own, blocked }) => !blocked && own.some((alias) => aliases.has(alias))
  )
  if (held.length === 0) return held
  yield* catalog.markHeld(held, true)
  const path = `/${held.map(({ name }) => name).join(",")}/_block/write`
  const { body } = yield* connection.request({ method: "PUT", path, timeoutMillis: 30_000 })
  if (!(body as { readonly shards_acknowledged: boolean }).shards_acknowledged) {
    yield* release(server, held)
    return yield* unavailable(`${connection.nodes}: writes could not be held`)
  }
  return held
})

/** What a builder that is gone has left: sets that are newer than the one that is searched. */
const leftBehind = Effect.fnUntraced(function* (
  { connection }: Server,
  found: ReadonlyArray<FoundIndex>,
  current: number,
  own: number | undefined
) {
  const newer = [...new Set(found.flatMap(({ parts }) => parts?.generation ?? []))].filter(
    (generation) => current > 0 && generation > current && generation !== own
  )
  const left = yield* Effect.filter(newer, (generation) => {
    const meta = ofGeneration(found, generation).find(({ parts }) => parts?.kind === "meta")
    return meta === undefined ? Effect.succeed(true) : Effect.map(isHeld(connection, meta.name), (held) => !held)
  })
  return new Set(left)
})

/** `own`: the set that this process fills. Sets of another log are not ours to remove. */
const removeOld = Effect.fnUntraced(function* (server: Server, logId: string, own: number | undefined) {
  const { catalog, connection, prefix } = server
  const found = yield* catalog.look
  const current = currentGeneration(found, prefix)
  const left = yield* leftBehind(server, found, current, own)
  const old = found.filter(
    ({ identity, parts }) =>
      identity?.log === logId && parts !== undefined && (parts.generation < current || left.has(parts.generation))
  )
  if (old.length === 0) return 0
  const path = `/${old.map(({ name }) => name).join(",")}`
  yield* connection.request({ method: "DELETE", path, timeoutMillis: 30_000 })
  return new Set(old.map(({ parts }) => parts?.generation)).size
})

export const make = (
  connection: ElasticConnection["Service"],
  options: ElasticSearchIndexOptions = {}
): SearchIndex["Service"] => {
  const prefix = options.prefix ?? "wallet"
  const { replicas = 0, refreshInterval = 500, shards = 1 } = options
  const limits = { bytes: options.bulkBytes ?? 8 * 1_048_576, timeoutMillis: options.bulkTimeoutMillis ?? 30_000 }
  const server: Server = {
    connection,
    prefix,
    limits,
    catalog: makeCatalog(connection, { prefix, shards, replicas, refreshInterval }),
    own: { logId: undefined, names: new Set() }
  }
  let building: Building | undefined

  const next: SearchIndex["Service"]["next"] = Effect.fnUntraced(function* (logId) {
    if (building !== undefined) return undefined
    const taken = yield* takeNext(server, logId)
    if (taken === undefined) return undefined
    building = taken
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (building === taken) building = undefined
      })
    )
    return setOf(server, taken.generation, taken.lock.check)
  })

  const swap = Effect.gen(function* () {
    if (building === undefined) return yield* defect("no search index is being filled")
    yield* building.lock.check
    yield* server.catalog.pointTo(building.generation)
    building = undefined
  })

  const giveBack = (held: ReadonlyArray<FoundIndex>) =>
    release(server, held).pipe(
      Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 10 }),
      Effect.catch((error) =>
        Effect.logWarning(`writes to search stay held until its index is opened anew: ${error.message}`)
      )
    )

  return SearchIndex.of({
    open: (logId) => open(server, logId),
    current: IndexSets.make(
      connection,
      {
        prefix,
        nameOf: (kind) => aliasName(prefix, kind),
        check: Effect.void,
        confirm: (names) => confirm(server, names)
      },
      limits
    ),
    next,
    holdWrites: Effect.asVoid(Effect.acquireRelease(hold(server), giveBack)),
    swap,
    dropOld: (logId) => Effect.suspend(() => removeOld(server, logId, building?.generation))
  })
}

export const layer = (options: ElasticSearchIndexOptions = {}): Layer.Layer<SearchIndex, never, ElasticConnection> =>
  Layer.effect(
    SearchIndex,
    Effect.map(ElasticConnection, (connection) => make(connection, options))
  )

/**
 * What indexes there are, whose they are, and whether they are as this release makes them. An
 * index says in `_meta` who made it, of which log, and by which mapping.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { IndexState } from "../SearchIndex.ts"
import type { ReadError } from "../StoreError.ts"
import type { ElasticConnection } from "./Connection.ts"
import { defect, errorIn, failureOfStatus, wayOut } from "./Failure.ts"
import { aliasName, indexKinds, type IndexKind, indexName, type NameParts, ownAlias, partsOf } from "./IndexNames.ts"
import { type IndexOptions, mappings, settings } from "./Mapping.ts"

export interface Identity {
  readonly by: string
  /** Of the log. */
  readonly log: string
  /** Of the mapping. */
  readonly mapping: string
}

export interface FoundIndex {
  readonly name: string
  /** `undefined`: not named as one of ours. */
  readonly parts: NameParts | undefined
  readonly aliases: ReadonlyArray<string>
  /** `undefined`: we have not made it. */
  readonly identity: Identity | undefined
  readonly mapping: unknown
  /** It takes no writes: a rebuild has seen to that, or an operator. */
  readonly blocked: boolean
  /** A rebuild holds its writes, or did so when its process ended; what an operator has blocked is not held. */
  readonly held: boolean
  /** It neither answers nor takes anything. */
  readonly closed: boolean
}

const maker = "effect-wallet"

/** Of all mappings of this release together: the indexes of a set are made and replaced together. */
export const mappingHash: string = createHash("sha256").update(JSON.stringify(mappings)).digest("hex").slice(0, 16)

type Json = Readonly<Record<string, unknown>>

const at = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (found, key) => (typeof found === "object" && found !== null ? (found as Json)[key] : undefined),
    value
  )

const identityIn = (mapping: unknown): Identity | undefined => {
  const [by, log, hash] = ["by", "log", "mapping"].map((key) => at(mapping, "_meta", key))
  return by === maker && typeof log === "string" && typeof hash === "string" ? { by, log, mapping: hash } : undefined
}

/** What is asked for of each index. */
const described = "*.aliases,*.mappings,*.settings.index.blocks,*.settings.index.verified_before_close"

/** As Elasticsearch describes it. */
const foundIndex = (prefix: string, name: string, index: unknown): FoundIndex => {
  const mapping = at(index, "mappings")
  return {
    name,
    parts: partsOf(prefix, name),
    aliases: Object.keys((at(index, "aliases") ?? {}) as Json),
    identity: identityIn(mapping),
    mapping,
    blocked: String(at(index, "settings", "index", "blocks", "write")) === "true",
    held: at(mapping, "_meta", "held") === true,
    closed: at(index, "settings", "index", "verified_before_close") !== undefined
  }
}

export interface CatalogOptions extends IndexOptions {
  readonly prefix: string
}

export interface Catalog {
  readonly look: Effect.Effect<ReadonlyArray<FoundIndex>, ReadError>
  /** Makes those of a set that are not there; the first of them decides of which log they all are. */
  readonly createSet: (generation: number, logId: string) => Effect.Effect<void, ReadError>
  /** All aliases of ours lead to that set, at once. */
  readonly pointTo: (generation: number) => Effect.Effect<void, ReadError>
  /** Writes on record that a rebuild holds the writes of these indexes of one set, or no more. */
  readonly markHeld: (indexes: ReadonlyArray<FoundIndex>, held: boolean) => Effect.Effect<void, ReadError>
}

export const makeCatalog = ({ nodes, request }: ElasticConnection["Service"], options: CatalogOptions): Catalog => {
  const { prefix } = options

  const look = Effect.gen(function* () {
    const { body } = yield* request({
      method: "GET",
      path: `/${prefix}-*`,
      query: { expand_wildcards: "all", filter_path: described }
    })
    return Object.entries((body ?? {}) as Json).map(([name, index]) => foundIndex(prefix, name, index))
  })

  const create = Effect.fnUntraced(function* (kind: IndexKind, generation: number, logId: string) {
    const name = indexName(prefix, kind, generation)
    const identity: Identity = { by: maker, log: logId, mapping: mappingHash }
    const { body, status } = yield* request({
      method: "PUT",
      path: `/${name}`,
      body: {
        settings: settings(options, kind),
        mappings: { ...mappings[kind], _meta: identity },
        aliases: { [ownAlias(name)]: {} }
      },
      timeoutMillis: 30_000,
      accept: [400]
    })
    if (status !== 400) return true
    const error = errorIn(body)
    return error?.type === "resource_already_exists_exception" ? false : yield* failureOfStatus(nodes, status, error)
  })

  const createSet: Catalog["createSet"] = Effect.fnUntraced(function* (generation, logId) {
    const [first, ...others] = indexKinds
    if (!(yield* create(first!, generation, logId))) {
      const name = indexName(prefix, first!, generation)
      const there = (yield* look).find((index) => index.name === name)
      if (there?.identity?.log !== logId) return yield* defect(`${nodes}: the index ${name} is not of the log ${logId}`)
    }
    yield* Effect.forEach(others, (kind) => create(kind, generation, logId), { concurrency: 2 })
  })

  const pointTo: Catalog["pointTo"] = Effect.fnUntraced(function* (generation) {
    const found = yield* look
    const actions = indexKinds.flatMap((kind) => {
      const alias = aliasName(prefix, kind)
      const index = indexName(prefix, kind, generation)
      const before = found.filter(({ aliases, name }) => aliases.includes(alias) && name !== index)
      return [...before.map(({ name }) => ({ remove: { index: name, alias } })), { add: { index, alias } }]
    })
    yield* request({ method: "POST", path: "/_aliases", body: { actions }, timeoutMillis: 30_000 })
  })

  const markHeld: Catalog["markHeld"] = ([first, ...others], held) =>
    first === undefined
      ? Effect.void
      : Effect.asVoid(
          request({
            method: "PUT",
            path: `/${[first, ...others].map(({ name }) => name).join(",")}/_mapping`,
            body: { _meta: { ...first.identity, ...(held && { held }) } },
            timeoutMillis: 30_000
          })
        )

  return { look, createSet, pointTo, markHeld }
}

/** What of ours is there differently or not at all; what Elasticsearch adds is not ours. Names of fields are all there are. */
const differs = (ours: unknown, theirs: unknown, path: string): string | undefined => {
  if (typeof ours !== "object" || ours === null) {
    return String(ours) === String(theirs) ? undefined : path
  }
  for (const [key, value] of Object.entries(ours)) {
    if (key === "type" && value === "object") continue
    const found = differs(value, at(theirs, key), path === "" ? key : `${path}.${key}`)
    if (found !== undefined) return found
  }
  const names = at(ours, "properties")
  const added =
    names === undefined
      ? undefined
      : Object.keys((at(theirs, "properties") ?? {}) as Json).find((key) => !(key in (names as Json)))
  return added === undefined ? undefined : path === "" ? added : `${path}.${added}`
}

/** What to do about an index of another log: its owner may be alive. */
export const foreign = (name: string, log: string, logId: string): IndexState => ({
  _tag: "Foreign",
  reason:
    `the index ${name} is of the log ${log}, not of ${logId}: choose another WALLET_SEARCH_PREFIX; if that log is ` +
    "no more, `wallet replay --target readModel --take-over` takes the names over"
})

const unfit = (reason: string): IndexState => ({ _tag: "Unfit", reason: `${reason}; ${wayOut}` })

/** The index that an alias of ours leads to, or what is the matter. */
const behind = (found: ReadonlyArray<FoundIndex>, alias: string): FoundIndex | string => {
  if (found.some(({ name }) => name === alias)) return `an index stands in the place of the alias ${alias}: delete it`
  const [index, ...more] = found.filter(({ aliases }) => aliases.includes(alias))
  if (index === undefined) return `the alias ${alias} or its index is gone`
  if (more.length > 0)
    return `the alias ${alias} leads to several indexes, ${[index, ...more].map(({ name }) => name).join(", ")}`
  return index
}

/** Of what the aliases lead to. */
export const stateOf = (found: ReadonlyArray<FoundIndex>, prefix: string, logId: string): IndexState => {
  const current = indexKinds.map((kind) => behind(found, aliasName(prefix, kind)))
  for (const index of current) if (typeof index === "string") return unfit(index)
  const indexes = current as ReadonlyArray<FoundIndex>
  for (const { identity, name } of indexes) {
    if (identity !== undefined && identity.log !== logId) {
      return foreign(name, identity.log, logId)
    }
  }
  for (const [place, { identity, name, parts }] of indexes.entries()) {
    const kind = indexKinds[place]!
    if (identity === undefined || parts?.kind !== kind) {
      return unfit(`the alias ${aliasName(prefix, kind)} leads to ${name}, which is no index of the search`)
    }
  }
  const closed = indexes.find((index) => index.closed)
  if (closed !== undefined) return unfit(`the index ${closed.name} is closed: open it`)
  if (new Set(indexes.map(({ parts }) => parts?.generation)).size > 1) {
    return unfit(`the aliases ${prefix}-* lead to indexes of several sets`)
  }
  if (indexes.some(({ identity }) => identity?.mapping !== mappingHash)) {
    return { _tag: "Outdated", reason: `the search index was made by another release, with another mapping; ${wayOut}` }
  }
  for (const [place, { mapping, name }] of indexes.entries()) {
    const changed = differs(mappings[indexKinds[place]!], mapping, "")
    if (changed !== undefined) {
      return { _tag: "Outdated", reason: `the mapping of ${name} is not as it was made, at ${changed}; ${wayOut}` }
    }
  }
  return { _tag: "Ready" }
}

/** The set that any alias of ours leads to; `0`: none. */
export const currentGeneration = (found: ReadonlyArray<FoundIndex>, prefix: string): number => {
  const aliases = new Set(indexKinds.map((kind) => aliasName(prefix, kind)))
  const searched = found.filter((index) => index.aliases.some((alias) => aliases.has(alias)))
  return Math.max(0, ...searched.map(({ parts }) => parts?.generation ?? 0))
}

/** Of all that are named as ours, `0`: none. */
export const latestGeneration = (found: ReadonlyArray<FoundIndex>): number =>
  Math.max(0, ...found.map(({ parts }) => parts?.generation ?? 0))

export const ofGeneration = (found: ReadonlyArray<FoundIndex>, generation: number): ReadonlyArray<FoundIndex> =>
  found.filter(({ parts }) => parts?.generation === generation)

/** API keys and the installation record in PostgreSQL. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { type ApiKey, ApiKeyStore, type Scope, type StoredApiKey } from "../ApiKeyStore.ts"
import { decodeRestriction, encodeRestriction } from "../../domain/KeyRestriction.ts"
import { decodePosition, type Page, type PageRequest, pageByNumber } from "../Page.ts"
import { type ReadError, StoreDefect } from "../StoreError.ts"
import { reading } from "./Failure.ts"
import { Conditions, int4, int8, text, texts, time } from "./Parameters.ts"

export interface SqlApiKeyStoreOptions {
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
}

type Read = <A extends object>(
  statement: string,
  parameters?: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

interface ApiKeyRow {
  readonly id: string
  readonly number: bigint
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  readonly created_at: Date
  readonly expires_at: Date | null
  readonly restriction: string | null
}

interface StoredRow extends ApiKeyRow {
  readonly hash: string
  readonly previous_hash: string | null
  readonly previous_until: Date | null
}

const apiKeyOf = (row: ApiKeyRow): ApiKey => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  createdAt: row.created_at.getTime(),
  ...(row.expires_at === null ? {} : { expiresAt: row.expires_at.getTime() }),
  ...(row.restriction === null ? {} : { restriction: decodeRestriction(row.restriction) })
})

/** Before the hash of a key that the release before must not let in: it knows neither restriction nor expiry. */
const mark = "2:"

const hashOf = (hash: string): string => (hash.startsWith(mark) ? hash.slice(mark.length) : hash)

const storedOf = (row: StoredRow): StoredApiKey => ({
  ...apiKeyOf(row),
  hash: hashOf(row.hash),
  ...(row.previous_hash === null || row.previous_until === null
    ? {}
    : { previous: { hash: row.previous_hash, until: row.previous_until.getTime() } })
})

const keyColumns = "id, number, name, scopes, created_at, expires_at, restriction"
const storedColumns = `${keyColumns}, hash, previous_hash, previous_until`

/** An id or a hash that is there already is a defect: ids are made here, secrets are 256 random bits. */
const insertKey = `
insert into api_keys (id, name, scopes, hash, created_at, expires_at, restriction, previous_hash, previous_until)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

const updateKey = `
update api_keys set name = $2, scopes = $3, hash = $4, created_at = $5, expires_at = $6, restriction = $7,
  previous_hash = $8, previous_until = $9
where id = $1 returning id`

/** One statement, so that of several at once each ends the secret before its own. */
const rollKey = `
update api_keys set
  hash = case when hash like '${mark}%' then '${mark}' || $2 else $2 end,
  previous_hash = case when $3::timestamptz is null then null
    when hash like '${mark}%' then substr(hash, ${mark.length + 1}) else hash end,
  previous_until = $3
where id = $1 returning ${storedColumns}`

/**
 * Nothing where its id or its hash is there. With `on conflict (id) do update` in its place the hash was a
 * conflict by itself now and then, of several at once with the same key.
 */
const insertNewKey = `${insertKey} on conflict do nothing returning id`

/** How often others may remove and put the key meanwhile. */
const maxPutRounds = 8

const timeOrNull = (millis: number | undefined) => (millis === undefined ? null : time(millis))

const keyParameters = (key: StoredApiKey): ReadonlyArray<unknown> => {
  const { createdAt, expiresAt, hash, id, name, previous, restriction, scopes } = key
  const isPlain = expiresAt === undefined && restriction === undefined
  return [
    text(id),
    text(name),
    texts(scopes),
    text(isPlain ? hash : mark + hash),
    time(createdAt),
    timeOrNull(expiresAt),
    restriction === undefined ? null : text(encodeRestriction(restriction)),
    previous === undefined ? null : text(previous.hash),
    timeOrNull(previous?.until)
  ]
}

const put = Effect.fnUntraced(function* (read: Read, key: StoredApiKey): Effect.fn.Return<void, ReadError> {
  for (let round = 0; round < maxPutRounds; round++) {
    for (const statement of [updateKey, insertNewKey]) {
      if ((yield* read(statement, keyParameters(key))).length > 0) return
    }
  }
  return yield* new StoreDefect({ store: "keys", reason: `another key has the hash that ${key.id} is to have` })
})

/** The first start decides; what it has decided is answered, also to a start at the same time. */
const recordInstallation = `
with first as (
  insert into installation (partitions) values ($1) on conflict do nothing returning partitions
)
select partitions from first union all select partitions from installation limit 1`

const list = Effect.fnUntraced(function* (
  read: Read,
  request: PageRequest
): Effect.fn.Return<Page<ApiKey>, ReadError | InvalidRequest> {
  const before = yield* decodePosition("keys", request.cursor)
  const where = new Conditions().addIf(before, (p) => `number < ${p}`, int8)
  const rows = yield* read<ApiKeyRow>(
    `select ${keyColumns} from api_keys where ${where} order by number desc limit ${request.limit + 1}`,
    where.parameters
  )
  return pageByNumber("keys", rows, request.limit, apiKeyOf)
})

export const make = Effect.fnUntraced(function* (
  options: SqlApiKeyStoreOptions = {}
): Effect.fn.Return<ApiKeyStore["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const within = reading("keys", options.readTimeoutMillis ?? 5_000)
  const read: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown> = []) =>
    within(sql.unsafe<A>(statement, parameters))

  const installation: ApiKeyStore["Service"]["installation"] = Effect.fnUntraced(function* (first) {
    const record = read<{ readonly partitions: number }>(recordInstallation, [int4(first.partitions)])
    const [recorded] = yield* record
    if (recorded !== undefined) return recorded
    // A start at the same moment was first: its row is there for the next statement.
    const [theirs] = yield* record
    return theirs ?? (yield* new StoreDefect({ store: "keys", reason: "the table installation keeps no row" }))
  })

  return ApiKeyStore.of({
    insert: (key) => Effect.asVoid(read(insertKey, keyParameters(key))),
    put: (key) => put(read, key),
    list: (request) => list(read, request),
    roll: (id, { hash, previousUntil }) =>
      Effect.map(
        read<StoredRow>(rollKey, [text(id), text(hash), timeOrNull(previousUntil ?? undefined)]),
        ([row]) => row && storedOf(row)
      ),
    remove: (id) =>
      Effect.map(read("delete from api_keys where id = $1 returning id", [text(id)]), (rows) => rows.length > 0),
    all: Effect.map(read<StoredRow>(`select ${storedColumns} from api_keys order by number`), (rows) =>
      rows.map(storedOf)
    ),
    installation
  })
})

export const layer = (options: SqlApiKeyStoreOptions = {}): Layer.Layer<ApiKeyStore, never, SqlClient> =>
  Layer.effect(ApiKeyStore, make(options))

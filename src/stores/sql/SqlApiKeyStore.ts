/** API keys and the installation record in PostgreSQL. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { type ApiKey, ApiKeyStore, type Scope, type StoredApiKey } from "../ApiKeyStore.ts"
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
}

const apiKeyOf = (row: ApiKeyRow): ApiKey => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  createdAt: row.created_at.getTime()
})

const keyColumns = "id, number, name, scopes, created_at"

/** An id or a hash that is there already is a defect: ids are made here, secrets are 256 random bits. */
const insertKey = "insert into api_keys (id, name, scopes, hash, created_at) values ($1, $2, $3, $4, $5)"

const updateKey = "update api_keys set name = $2, scopes = $3, hash = $4, created_at = $5 where id = $1 returning id"

/**
 * Nothing where its id or its hash is there. With `on conflict (id) do update` in its place the hash was a
 * conflict by itself now and then, of several at once with the same key.
 */
const insertNewKey = `${insertKey} on conflict do nothing returning id`

/** How often others may remove and put the key meanwhile. */
const maxPutRounds = 8

const keyParameters = ({ createdAt, hash, id, name, scopes }: StoredApiKey): ReadonlyArray<unknown> => [
  text(id),
  text(name),
  texts(scopes),
  text(hash),
  time(createdAt)
]

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
    remove: (id) =>
      Effect.map(read("delete from api_keys where id = $1 returning id", [text(id)]), (rows) => rows.length > 0),
    all: Effect.map(
      read<ApiKeyRow & { readonly hash: string }>(`select ${keyColumns}, hash from api_keys order by number`),
      (rows) => rows.map((row): StoredApiKey => ({ ...apiKeyOf(row), hash: row.hash }))
    ),
    installation
  })
})

export const layer = (options: SqlApiKeyStoreOptions = {}): Layer.Layer<ApiKeyStore, never, SqlClient> =>
  Layer.effect(ApiKeyStore, make(options))

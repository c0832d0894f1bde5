/** The audit list in PostgreSQL. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { type AuditEntry, type AuditOutcome, type AuditQuery, AuditStore } from "../AuditStore.ts"
import { decodePosition, type Page, pageByNumber } from "../Page.ts"
import type { ReadError } from "../StoreError.ts"
import { reading } from "./Failure.ts"
import { Conditions, int4, int4s, int8, text, texts, time } from "./Parameters.ts"

export interface SqlAuditStoreOptions {
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
}

interface AuditRow {
  readonly number: bigint
  readonly time: Date
  readonly count: number
  readonly key_id: string | null
  readonly key_name: string
  readonly action: string
  readonly outcome: AuditOutcome
  readonly target: string | null
  readonly detail: string | null
}

const entryOf = (row: AuditRow): AuditEntry => ({
  time: row.time.getTime(),
  count: row.count,
  keyId: row.key_id,
  keyName: row.key_name,
  action: row.action,
  outcome: row.outcome,
  target: row.target,
  detail: row.detail
})

const insertEntries = `
insert into audit (time, count, key_id, key_name, action, outcome, target, detail)
select to_timestamp(g.millis::numeric / 1000), g.count, g.key_id, g.key_name, g.action, g.outcome, g.target, g.detail
from unnest($1::text[], $2::int4[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  with ordinality as g (millis, count, key_id, key_name, action, outcome, target, detail, place)
order by g.place`

const insertParameters = (entries: ReadonlyArray<AuditEntry>): ReadonlyArray<unknown> => [
  texts(entries.map((entry) => String(entry.time))),
  int4s(entries.map(({ count }) => count)),
  texts(entries.map(({ keyId }) => keyId)),
  texts(entries.map(({ keyName }) => keyName)),
  texts(entries.map(({ action }) => action)),
  texts(entries.map(({ outcome }) => outcome)),
  texts(entries.map(({ target }) => target)),
  texts(entries.map(({ detail }) => detail))
]

const pruneEntries = `
with old as (select number from audit where time < $1 order by time, number limit $2),
gone as (delete from audit a using old where a.number = old.number returning a.number)
select count(*)::int as gone from gone`

export const make = Effect.fnUntraced(function* (
  options: SqlAuditStoreOptions = {}
): Effect.fn.Return<AuditStore["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const within = reading("persistence", options.readTimeoutMillis ?? 5_000)
  const read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(sql.unsafe<A>(statement, parameters))

  const list = Effect.fnUntraced(function* (
    query: AuditQuery
  ): Effect.fn.Return<Page<AuditEntry>, ReadError | InvalidRequest> {
    const before = yield* decodePosition("audit", query.cursor)
    const where = new Conditions()
      .addIf(before, (p) => `number < ${p}`, int8)
      .addIf(query.from, (p) => `time >= ${p}`, time)
      .addIf(query.to, (p) => `time <= ${p}`, time)
      .addIf(query.keyId, (p) => `key_id = ${p}`, text)
      .addIf(query.action, (p) => `action = ${p}`, text)
    const rows = yield* read<AuditRow>(
      `select number, time, count, key_id, key_name, action, outcome, target, detail from audit
      where ${where} order by number desc limit ${query.limit + 1}`,
      where.parameters
    )
    return pageByNumber("audit", rows, query.limit, entryOf)
  })

  return AuditStore.of({
    add: (entries) =>
      entries.length === 0 ? Effect.void : Effect.asVoid(read(insertEntries, insertParameters(entries))),
    list,
    prune: (before, limit) =>
      Effect.map(read<{ readonly gone: number }>(pruneEntries, [time(before), int4(limit)]), ([row]) => row?.gone ?? 0)
  })
})

export const layer = (options: SqlAuditStoreOptions = {}): Layer.Layer<AuditStore, never, SqlClient> =>
  Layer.effect(AuditStore, make(options))

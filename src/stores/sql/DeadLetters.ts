/** Documents that the search index has refused: a row each. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { DeadLetter, Persistence } from "../Persistence.ts"
import type { ReadError } from "../StoreError.ts"
import { int8, int8s, text, texts } from "./Parameters.ts"

const columns = "kind, id, wallet_id, version, reason, refused_at"

/** One that is there as of a later event stays. */
const save = `
insert into dead_letters (${columns})
select distinct on (kind, id) ${columns}
from unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::text[], $6::int8[])
  as a (kind, id, wallet_id, version, reason, millis), lateral to_timestamp(millis::numeric / 1000) refused_at
order by kind, id, version desc
on conflict (kind, id) do update set
  wallet_id = excluded.wallet_id, version = excluded.version, reason = excluded.reason, refused_at = excluded.refused_at
where dead_letters.version <= excluded.version`

const readPage = `select ${columns} from dead_letters where (kind, id) > ($1, $2) order by kind, id limit $3`

const countAll = "select count(*)::int as letters from dead_letters"

const readVersions = `
select wallet_id, max(version) as version from dead_letters where wallet_id = any($1) group by wallet_id`

const remove = `
delete from dead_letters d using unnest($1::text[], $2::text[], $3::int8[]) as a (kind, id, version)
where d.kind = a.kind and d.id = a.id and d.version <= a.version`

interface LetterRow {
  readonly kind: DeadLetter["kind"]
  readonly id: string
  readonly wallet_id: string
  readonly version: bigint
  readonly reason: string
  readonly refused_at: Date
}

const letterOf = (row: LetterRow): DeadLetter => ({
  kind: row.kind,
  id: row.id,
  walletId: row.wallet_id,
  version: Number(row.version),
  reason: row.reason,
  time: row.refused_at.getTime()
})

/** A character that no column takes, in place of which stands the one for what cannot be shown. */
const storable = (reason: string): string => reason.replaceAll("\0", "\uFFFD")

const parameters = (letters: ReadonlyArray<DeadLetter>): ReadonlyArray<unknown> => [
  texts(letters.map(({ kind }) => kind)),
  texts(letters.map(({ id }) => id)),
  texts(letters.map(({ walletId }) => walletId)),
  int8s(letters.map(({ version }) => version)),
  texts(letters.map(({ reason }) => storable(reason))),
  int8s(letters.map(({ time }) => time))
]

type Letters = Pick<
  Persistence["Service"],
  "saveDeadLetters" | "deadLetters" | "countDeadLetters" | "refusedVersions" | "removeDeadLetters"
>

export const makeDeadLetters = (
  sql: SqlClient,
  within: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
): Letters => ({
  saveDeadLetters: (letters) =>
    letters.length === 0 ? Effect.void : Effect.asVoid(within(sql.unsafe(save, parameters(letters)))),
  deadLetters: ({ after, limit }) =>
    Effect.map(
      within(sql.unsafe<LetterRow>(readPage, [text(after?.kind ?? ""), text(after?.id ?? ""), int8(limit)])),
      (rows) => rows.map(letterOf)
    ),
  countDeadLetters: Effect.map(within(sql.unsafe<{ readonly letters: number }>(countAll)), ([row]) => row!.letters),
  refusedVersions: (walletIds) =>
    walletIds.length === 0
      ? Effect.succeed(new Map())
      : Effect.map(
          within(sql.unsafe<Pick<LetterRow, "wallet_id" | "version">>(readVersions, [texts(walletIds)])),
          (rows) => new Map(rows.map((row) => [row.wallet_id, Number(row.version)]))
        ),
  removeDeadLetters: (letters) =>
    letters.length === 0
      ? Effect.void
      : Effect.asVoid(
          within(
            sql.unsafe(remove, [
              texts(letters.map(({ kind }) => kind)),
              texts(letters.map(({ id }) => id)),
              int8s(letters.map(({ version }) => version))
            ])
          )
        )
})

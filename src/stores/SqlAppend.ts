/**
 * What an append to the SQL log comes to: sends the statement, and finds out about
 * the commits that it left out.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Commit } from "../domain/Commit.ts"
import type { AppendError, AppendOutcome } from "./EventStore.ts"
import { appendBatch } from "./SqlAppendBatch.ts"
import { type AppendParts, appendStatement } from "./SqlAppendStatement.ts"
import * as SqlAppendTypes from "./SqlAppendTypes.ts"
import { classifySqlError, type SqlErrorClassOptions } from "./SqlErrorClass.ts"
import { appendFailure, readFailure, unavailable } from "./SqlFailure.ts"
import type { FenceView, SqlFence } from "./SqlFence.ts"
import { int8s, texts, uuids } from "./SqlParameters.ts"
import { AppendUnknown } from "./StoreError.ts"

const appended: AppendOutcome = { _tag: "Appended" }
const conflict: AppendOutcome = { _tag: "Conflict" }

/**
 * How often claims may come between reading them and appending before the caller is
 * told to try later. Other nodes claim in a burst, when one of them comes or goes.
 */
const maxGenerations = 32

/** Which of these events are in the log, under these ids. The log's generation comes along. */
const findEvents = `
select l.generation, f.wallet_id, f.found
from log l left join (
  select e.wallet_id, count(*)::int as found
  from unnest($1::text[], $2::int8[], $3::uuid[]) as k (wallet_id, version, id)
  join events e on e.wallet_id = k.wallet_id and e.version = k.version and e.id = k.id
  group by e.wallet_id
) f on true`

interface FoundRow {
  readonly generation: bigint
  readonly wallet_id: string | null
  readonly found: number | null
}

const currentEpoch = (view: FenceView, commit: Commit): number => view.epochs.get(commit.partition) ?? 0

const fenced = Symbol("fenced")

/** Sent under a generation that has passed: there were no positions, and none of our rows is without. */
const isFenced = (error: SqlError): boolean => {
  const cause = error.reason.cause as { readonly code?: unknown; readonly column?: unknown }
  return cause.code === "23502" && cause.column === "position"
}

/** Rows of several wallets are locked in the order of their ids, so that appends do not block one another in a circle. */
const byWallet = (a: Commit, b: Commit): number => (a.walletId < b.walletId ? -1 : a.walletId > b.walletId ? 1 : 0)

export const make = (
  sql: PgClient,
  fence: SqlFence,
  options: SqlErrorClassOptions & { readonly persistence?: boolean | undefined }
): ((commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>) => {
  const view = options.persistence ?? true
  const failed = (error: SqlError): AppendError => appendFailure(classifySqlError(error, options))
  const readFailed = readFailure("log")
  const types = SqlAppendTypes.make(sql)
  let sent = 0
  /** At most four for each doubling. */
  const statements = new Map<number, string>()

  /**
   * A session plans a prepared statement once, for the tables as they are. A text
   * that changes whenever the number of appends has doubled makes it plan again, so
   * that a plan made for an empty table does not serve a large one.
   */
  const statementOf = (parts: AppendParts): string => {
    const doublings = Math.floor(Math.log2(++sent))
    const variant = doublings * 4 + (parts.creates ? 2 : 0) + (parts.others ? 1 : 0)
    const known = statements.get(variant)
    if (known !== undefined) return known
    const statement = `/* plan ${doublings} */${appendStatement(parts)}`
    statements.set(variant, statement)
    return statement
  }

  /** The commits that are in the log by now; `undefined`: fenced, nothing was written. */
  const send = (commits: ReadonlyArray<Commit>, { generation }: FenceView) =>
    Effect.flatMap(types, (parametersOf) => {
      const batch = appendBatch(commits)
      const parts = { view, creates: batch.creates, others: batch.others }
      const parameters = parametersOf(batch, generation, parts)
      return Effect.mapError(sql.unsafe<{ readonly ord: number }>(statementOf(parts), parameters), (error) =>
        isFenced(error) ? fenced : failed(error)
      )
    }).pipe(
      Effect.map((rows): ReadonlySet<Commit> | undefined => new Set(rows.map(({ ord }) => commits[ord - 1]!))),
      Effect.catch((error) => (error === fenced ? Effect.undefined : Effect.fail(error)))
    )

  /** Of commits that were not appended now: in the log before, fenced, or in conflict. */
  const settle = Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>, view: FenceView) {
    const events = commits.flatMap((commit) => commit.events)
    const rows = yield* sql
      .unsafe<FoundRow>(findEvents, [
        texts(events.map((recorded) => recorded.walletId)),
        int8s(events.map((recorded) => BigInt(recorded.version))),
        uuids(events.map((recorded) => recorded.id))
      ])
      .pipe(Effect.mapError(readFailed))
    const current =
      rows[0]?.generation === view.generation ? view : yield* fence.refresh
    const found = new Map(rows.map((row) => [row.wallet_id, row.found]))
    return commits.map((commit): AppendOutcome => {
      if (found.get(commit.walletId) === commit.events.length) return appended
      const epoch = currentEpoch(current, commit)
      return epoch === commit.epoch ? conflict : { _tag: "Fenced", epoch }
    })
  })

  return Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    const ordered = [...commits].sort(byWallet)
    let view = yield* fence.view
    for (let tries = 0; tries < maxGenerations; tries++) {
      const current = view
      const standing = ordered.filter((commit) => currentEpoch(current, commit) === commit.epoch)
      const written = standing.length === 0 ? new Set<Commit>() : yield* send(standing, current)
      if (written === undefined) {
        view = yield* fence.refresh
        continue
      }
      const rest = commits.filter((commit) => !written.has(commit))
      if (rest.length === 0) return commits.map(() => appended)
      const settled = yield* Effect.mapError(settle(rest, current), (error) =>
        // Asked again, the commits that were just written answer that they are there.
        written.size === 0 ? error : new AppendUnknown({ reason: error.message })
      )
      const outcomes = new Map(rest.map((commit, index) => [commit, settled[index]!]))
      return commits.map((commit) => outcomes.get(commit) ?? appended)
    }
    return yield* Effect.fail(unavailable("log", `partitions were claimed ${maxGenerations} times during one append`))
  })
}

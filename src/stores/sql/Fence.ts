/**
 * The claims as a log adapter knows them: which epoch stands in each partition, as
 * of one generation. Both are read in one statement, and the statement of an append
 * names the generation, so what is decided here holds when the append lands, or it
 * does not land.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Claim } from "../EventStore.ts"
import { readFailure } from "./Failure.ts"
import { int4s, text, time } from "./Parameters.ts"
import { type ReadError, StoreDefect } from "../StoreError.ts"

export interface FenceView {
  readonly generation: bigint
  /** Partition → epoch of its last claim; none: never claimed, epoch 0. */
  readonly epochs: ReadonlyMap<number, number>
}

/** The epoch that stands in a partition. */
export const currentEpoch = (view: FenceView, partition: number): number => view.epochs.get(partition) ?? 0

export interface SqlFence {
  /** What is known; read when nothing is. */
  readonly view: Effect.Effect<FenceView, ReadError>
  /** Reads what stands now. */
  readonly refresh: Effect.Effect<FenceView, ReadError>
  readonly claim: (request: {
    readonly partitions: ReadonlyArray<number>
    readonly owner: string
    readonly time: number
  }) => Effect.Effect<ReadonlyArray<Claim>, ReadError>
}

interface ClaimsRow {
  readonly role: "log" | "copy" | null
  readonly log_id: string
  readonly generation: bigint
  readonly partitions: ReadonlyArray<number> | null
  readonly epochs: ReadonlyArray<bigint> | null
}

const readClaims = `
select role, log_id, generation, partitions, epochs
from log cross join (select array_agg(partition) as partitions, array_agg(epoch) as epochs from claims) c`

/**
 * From now on the events are the log. Locks the sequencer last: an append that has it is
 * then before the claim, one that waits for it is fenced.
 */
const takePartitions = `
with taken as (
  insert into claims (partition, epoch, owner, claimed_at)
  select p, 1, $2, $3 from (select distinct p from unnest($1::int4[]) p order by p) wanted
  where exists (select from log where role is distinct from 'copy')
  on conflict (partition)
    do update set epoch = claims.epoch + 1, owner = excluded.owner, claimed_at = excluded.claimed_at
  returning partition, epoch
),
fenced as (
  update log set generation = generation + 1, role = 'log'
  where role is distinct from 'copy' and exists (select from taken)
)
select partition, epoch from taken`

/** No log can be here. */
export const isCopy = (logId: string): StoreDefect =>
  new StoreDefect({
    store: "log",
    reason: `the events of this database are a copy of the log ${logId}, which lives elsewhere: connect to that log, too`
  })

const viewOf = ({ epochs, generation, partitions }: ClaimsRow): FenceView => ({
  generation,
  epochs: new Map((partitions ?? []).map((partition, index) => [partition, Number(epochs?.[index] ?? 0n)]))
})

export const make = (sql: SqlClient): SqlFence => {
  let known: FenceView | undefined
  const failed = readFailure("log")

  const refresh = Effect.flatMap(
    Effect.mapError(sql.unsafe<ClaimsRow>(readClaims), failed),
    ([row]): Effect.Effect<FenceView, ReadError> => {
      if (row === undefined) return Effect.fail(new StoreDefect({ store: "log", reason: "the table log has no row" }))
      if (row.role === "copy") return Effect.fail(isCopy(row.log_id))
      const read = viewOf(row)
      // Answers may overtake one another: a later view is never given up for an earlier one.
      if (known === undefined || read.generation >= known.generation) known = read
      return Effect.succeed(known)
    }
  )

  const claim: SqlFence["claim"] = Effect.fnUntraced(function* ({ owner, partitions, time: at }) {
    const rows = yield* sql
      .unsafe<{ readonly partition: number; readonly epoch: bigint }>(takePartitions, [
        int4s(partitions),
        text(owner),
        time(at)
      ])
      .pipe(Effect.mapError(failed))
    yield* refresh
    const epochs = new Map(rows.map(({ epoch, partition }) => [partition, Number(epoch)]))
    return partitions.map((partition) => ({ partition, epoch: epochs.get(partition) ?? 0 }))
  })

  return { view: Effect.suspend(() => (known === undefined ? refresh : Effect.succeed(known))), refresh, claim }
}

/**
 * Every claim of every partition with its place in the log. KurrentDB keeps them all; the
 * SQL log keeps the last of each, so that there a trigger of the test's own writes them down.
 */
import { KurrentDBClient, START, streamNameFilter } from "@kurrent/kurrentdb-client"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { positionAt } from "../../src/stores/kurrent/Position.ts"
import * as KurrentNames from "../../src/stores/kurrent/Names.ts"

export interface ClaimPlace {
  readonly partition: number
  readonly epoch: number
  /** All events before it are at this position of the log or below, all others above. */
  readonly position: bigint
  /** By the clock of who claimed, ms. */
  readonly time: number
}

const withSql = <A, E>(url: string, use: (sql: SqlClient) => Effect.Effect<A, E>): Effect.Effect<A> =>
  Effect.flatMap(SqlClient, use).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 })),
    Effect.orDie
  )

/**
 * The trigger runs at the end of the claim's statement, which has the log's one row by
 * then: no event comes between.
 */
const statements = [
  "create table claim_places (partition int4, epoch int8, position int8, claimed_at timestamptz)",
  `create function note_claim() returns trigger language plpgsql as $$
   begin
     insert into public.claim_places
       select new.partition, new.epoch, position, new.claimed_at from wallet.log;
     return null;
   end $$`,
  // From here on no claim can come between, until all this is done.
  "create trigger note_claim after insert or update on wallet.claims for each row execute function note_claim()",
  "insert into claim_places select partition, epoch, 0, claimed_at from wallet.claims"
]

/** Once the tables are there, and before there is any event. */
export const keepClaims = (databaseUrl: string): Effect.Effect<void> =>
  withSql(databaseUrl, (sql) =>
    sql.withTransaction(Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))
  )

export const sqlClaims = (databaseUrl: string): Effect.Effect<ReadonlyArray<ClaimPlace>> =>
  withSql(
    databaseUrl,
    (sql) => sql<{
      readonly partition: number
      readonly epoch: string
      readonly position: string
      readonly time: string
    }>`
      select partition, epoch::text, position::text, extract(epoch from claimed_at)::text as time from claim_places`
  ).pipe(
    Effect.map((rows) =>
      rows.map(({ epoch, partition, position, time }) => ({
        partition,
        epoch: Number(epoch),
        position: BigInt(position),
        time: Number(time) * 1_000
      }))
    )
  )

interface Claimed {
  readonly partition: number
  readonly time: number
}

export const kurrentClaims = (url: string): Effect.Effect<ReadonlyArray<ClaimPlace>> =>
  Effect.promise(async () => {
    const prefix = KurrentNames.make("wallet").claims(0).slice(0, -1)
    const client = KurrentDBClient.connectionString(url)
    const found: Array<ClaimPlace> = []
    const filter = streamNameFilter({ prefixes: [prefix] })
    for await (const { event } of client.readAll({ fromPosition: START, direction: "forwards", filter })) {
      if (event === undefined) continue
      // JSON of our own writing, which the client types as a string, bytes or any object.
      const { partition, time } = event.data as unknown as Claimed
      const epoch = Number(event.revision) + 1
      found.push({ partition, epoch, position: positionAt(event.position?.commit ?? 0n), time })
    }
    await client.dispose()
    return found
  })

/** As large as a wallet may be, on the databases: their messages take its snapshot. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { EventStore, maxSnapshotBytes } from "../../src/stores/EventStore.ts"
import type { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { layerEmbedded } from "../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { largestWallet } from "./largestWallet.ts"

const over = <E>(database: Layer.Layer<Layer.Success<ReturnType<typeof SqlDatabase.layerServer>>, E>) =>
  SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database))

describe("a wallet as large as it may be", () => {
  it.live(
    "is refused more, leaves memory, and comes back, on the embedded database",
    () => Effect.provide(largestWallet, over(layerEmbedded)),
    120_000
  )

  it.live.skipIf(!postgresPresent)(
    "is refused more, leaves memory, and comes back, on PostgreSQL",
    () => Effect.provide(largestWallet, over(TestPostgres.layerDatabase())),
    120_000
  )

  it.live.skipIf(!postgresPresent)(
    "passes over a snapshot that the driver could not take, and takes the one before",
    () =>
      Effect.gen(function* () {
        const log = yield* EventStore
        const sql = yield* SqlClient
        const snapshot = { walletId: "w", version: 1, time: 1, data: "x".repeat(maxSnapshotBytes) }
        yield* log.saveSnapshot(snapshot)
        yield* sql`insert into snapshots (wallet_id, version, time, data)
          values ('w', 2, now(), repeat('x', ${20 * 1024 * 1024}))`
        assert.deepStrictEqual(yield* log.loadSnapshot("w"), snapshot)
      }).pipe(Effect.provide(over(TestPostgres.layerDatabase()))),
    120_000
  )
})

/**
 * A process that writes rows 0, 1, 2 … into the embedded database of the folder
 * in its first argument and says each number after its row was answered.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"

const program = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`create schema if not exists wallet`
  yield* sql`create table if not exists rows (n bigint primary key, filler text)`
  const [last] = yield* sql<{ readonly n: bigint | null }>`select max(n) as n from rows`
  let n = (last?.n ?? -1n) + 1n
  for (;;) {
    yield* sql`insert into rows select n, repeat('x', 500) from generate_series(${n}::bigint, ${n + 49n}::bigint) n`
    n += 50n
    process.stdout.write(`${n - 1n}\n`)
  }
})

await Effect.runPromise(program.pipe(Effect.provide(SqlDatabase.layerEmbedded({ dataDir: process.argv[2] ?? "" }))))

/** What wallets keep in memory: an idle one, and one that has seen very many idempotency keys. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { PostgresServer } from "../servers/PostgresServer.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { figureOf, rowOf } from "../Figure.ts"
import { runModule } from "../NodeProcess.ts"

/** What is alive, V8's heap and what it owns outside, after collections with turns of the event loop between. */
export const aliveBytes = Effect.gen(function* () {
  if (globalThis.gc === undefined) return yield* Effect.die(new Error("start node with --expose-gc"))
  for (let i = 0; i < 4; i++) {
    globalThis.gc()
    yield* Effect.sleep("50 millis")
  }
  const { external, heapUsed } = process.memoryUsage()
  return external + heapUsed
})

/** Bytes per idle resident wallet, with one recent idempotency key and no hold. */
export const idleMemoryBench = Effect.fnUntraced(function* (settings: BenchSettings) {
  const values: Array<number> = []
  for (let round = 0; round < settings.rounds; round++) {
    values.push(
      Number(yield* runModule("bench/memory/IdleMemoryWorker", [String(settings.residentWallets)], ["--expose-gc"]))
    )
  }
  return [
    rowOf({
      name: `idle resident wallet, one recent key, ${settings.residentWallets.toLocaleString("en")} resident`,
      on: "no stores",
      engine: figureOf("bytes", values),
      bar: 4_096
    })
  ]
})

/** What `KeysWorker.ts` prints. */
export const KeysReport = Schema.fromJsonString(
  Schema.Struct({
    on: Schema.String,
    /** New keys per second, by tenths of all. */
    tenths: Schema.Array(Schema.Number),
    /** Retries of earlier keys in between, each answered from the first answer. */
    retries: Schema.Int,
    /** What the wallet holds at the end. */
    bytes: Schema.Number
  })
)

/**
 * Four bytes per key in filters that grow by doubling, which can be half empty, and the
 * keys that are kept in full.
 */
const bytesPerKey = 8
const fixedBytes = 1024 * 1024

/** Very many idempotency keys on one wallet: its memory has a bound, and it does not get slower. */
export const keysBench = Effect.fnUntraced(function* (settings: BenchSettings, server: PostgresServer | undefined) {
  const { distinctKeys } = settings
  const url = server === undefined ? "" : Redacted.value(server.url)
  const output = yield* runModule("bench/memory/KeysWorker", [String(distinctKeys), url], ["--expose-gc"])
  const { bytes, on, retries, tenths } = yield* Effect.orDie(Schema.decodeEffect(KeysReport)(output.trim()))
  const keys = distinctKeys.toLocaleString("en")
  return [
    rowOf({
      name: `one wallet, ${keys} keys, ${retries.toLocaleString("en")} retries of old ones: the last three tenths`,
      on,
      engine: figureOf("/s", tenths.slice(-3)),
      beside: { name: "the first three tenths", figure: figureOf("/s", tenths.slice(0, 3)) },
      ratioBar: 0.9
    }),
    rowOf({
      name: `memory of that wallet after ${keys} keys`,
      on,
      engine: figureOf("bytes", [bytes]),
      bar: fixedBytes + bytesPerKey * distinctKeys
    })
  ]
})

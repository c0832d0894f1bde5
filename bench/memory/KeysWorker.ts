/**
 * Sends very many commands with keys of their own to one wallet: `node --expose-gc
 * KeysWorker.ts KEYS [URL]` prints a `KeysReport`; without a URL on the embedded
 * database. A process of its own, so that nothing else comes and goes in its heap.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { databaseConditions, embedded, onServer } from "../Databases.ts"
import { createWallets } from "../EngineRounds.ts"
import { aliveBytes, KeysReport } from "./MemoryBench.ts"

const callers = 512

/** One of so many commands is the retry of an earlier one. */
const retryEvery = 1_000

/** Sends the keys `from … to − 1`, and retries between them. Answers the rate of new keys and the retries. */
const sendKeys = Effect.fnUntraced(function* (walletId: string, from: number, to: number) {
  const engine = yield* WalletEngine
  const random = yield* Random.Random
  let next = from
  let retries = 0
  const credit = (n: number, replay: boolean) =>
    Effect.flatMap(engine.credit({ walletId, amount: 1n, idempotencyKey: `k${n}` }), ({ replayed }) =>
      replayed === replay ? Effect.void : Effect.die(new Error(`key ${n} was answered with replayed ${replayed}`))
    )
  const caller = Effect.gen(function* () {
    while (next < to) {
      const n = next++
      yield* credit(n, false)
      // Far enough back to have been answered.
      if (n % retryEvery !== 0 || n < 2 * callers) continue
      retries++
      yield* credit(Math.floor(random.nextDoubleUnsafe() * (n - callers)), true)
    }
  })
  const started = performance.now()
  yield* Effect.all(
    Array.from({ length: callers }, () => caller),
    { concurrency: "unbounded", discard: true }
  )
  return { perSecond: ((to - from) * 1_000) / (performance.now() - started), retries }
})

const program = Effect.gen(function* () {
  const keys = Number(process.argv[2])
  const engine = yield* WalletEngine
  const [warm, walletId] = (yield* createWallets(2)) as [string, string]
  // Compilers and caches.
  yield* sendKeys(warm, 0, Math.min(100_000, keys))
  const before = yield* aliveBytes
  const tenths: Array<number> = []
  let retries = 0
  for (let tenth = 0; tenth < 10; tenth++) {
    const sent = yield* sendKeys(walletId, Math.floor((keys * tenth) / 10), Math.floor((keys * (tenth + 1)) / 10))
    tenths.push(sent.perSecond)
    retries += sent.retries
  }
  const bytes = (yield* aliveBytes) - before
  const { balance } = yield* engine.getWallet({ walletId })
  if (balance !== BigInt(keys)) return yield* Effect.die(new Error(`${keys} keys were sent, the wallet has ${balance}`))
  const report = { on: yield* databaseConditions, tenths, retries, bytes }
  yield* Console.log(yield* Effect.orDie(Schema.encodeEffect(KeysReport)(report)))
})

const url = process.argv[3] ?? ""

NodeRuntime.runMain(
  Effect.provide(program, url === "" ? embedded() : onServer(Redacted.make(url), "keys")()).pipe(
    // Standard output is the report's.
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
)

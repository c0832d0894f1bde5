import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { layer, TestServer } from "../http/TestServer.ts"

it.live("walk", () =>
  Effect.gen(function* () {
    const { url, secrets } = yield* TestServer
    yield* Effect.gen(function* () {
      const engine = yield* WalletEngine
      console.log(yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "k" }))
      console.log(yield* engine.credit({ walletId: "a", amount: 100n, idempotencyKey: "k2" }))
      console.log(yield* engine.credit({ walletId: "a", amount: 100n, idempotencyKey: "k2" }))
      console.log(yield* engine.debit({ walletId: "a", amount: 100n, dryRun: true }))
      console.log(yield* Effect.flip(engine.debit({ walletId: "a", amount: 1000n, idempotencyKey: "k3" })))
      console.log(yield* engine.events({ walletId: "a", after: -1, limit: 10 }))
      console.log(yield* Stream.runCollect(Stream.take(engine.feed(0n), 2)))
      console.log(yield* engine.feedHead, yield* engine.health)
      console.log(yield* engine.searchWallets({ limit: 5, walletIds: ["a"], currencies: ["EUR"] }))
    }).pipe(Effect.provide(WalletEngine.layerRemote({ url, apiKey: secrets.admin })))
  }).pipe(Effect.provide(layer()))
)

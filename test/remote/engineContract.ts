/** Runs the engine's contract against a layer. */
import { layer } from "@effect/vitest"
import type * as Layer from "effect/Layer"
import type { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { engineContract } from "../../src/testing/contract/EngineContract.ts"

export const runEngineContract = <E>(name: string, engine: Layer.Layer<WalletEngine, E>): void =>
  layer(engine, { excludeTestServices: true, timeout: 900_000 })(`the contract of an engine: ${name}`, (it) => {
    for (const { name, run } of engineContract) it.effect(name, () => run)
  })

/** The contract of an engine in memory, and of one that is asked over HTTP. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { layer, TestServer } from "../http/TestServer.ts"
import { runEngineContract } from "./engineContract.ts"

runEngineContract("in memory", WalletEngine.layerMemory)

/** Over a real server on the loopback. */
const remote = Layer.unwrap(
  Effect.map(TestServer, ({ secrets, url }) => WalletEngine.layerRemote({ url, apiKey: secrets.admin }))
).pipe(Layer.provide(layer()))

runEngineContract("remote, in memory", remote)

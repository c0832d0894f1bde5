import { Effect } from "effect"
import { MemoryStores } from "effect-wallet"
import { appendContract } from "effect-wallet/testing"

/** Put your own layer here. */
const stores = MemoryStores.layer()

const suite = Effect.forEach(appendContract, ({ run }) => run, { discard: true })

Effect.runPromise(suite.pipe(Effect.provide(stores))).then(() => console.log(`${appendContract.length} cases hold`))

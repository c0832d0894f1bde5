/** The KurrentDB server that a run shares; every test file writes under a prefix of its own. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"
import { kurrentFolder, startKurrent } from "../../bench/servers/KurrentServer.ts"
import * as KurrentEventStore from "../../src/stores/kurrent/KurrentEventStore.ts"
import { acceptOffer } from "./lazyServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The run's shared server, or where to ask for it; `null`: absent; `undefined`: the run has no global set-up. */
    kurrentUrl: string | null | undefined
  }
}

/** Whether tests against KurrentDB can run: `describe.skipIf(!kurrentPresent)`. */
export const kurrentPresent: boolean = typeof inject("kurrentUrl") === "string" || kurrentFolder !== undefined

/** The server that the run shares, or one of the scope's own. */
export const sharedKurrent = Effect.suspend(() => {
  const shared = inject("kurrentUrl")
  return typeof shared === "string"
    ? Effect.map(acceptOffer(shared), Redacted.make)
    : Effect.map(startKurrent(), (server) => server.url)
})

/** An installation's prefix that no other has. */
export const freshPrefix = (): string => `t${randomBytes(6).toString("hex")}`

/** A log of its own on the shared server. */
export const freshKurrentLog = (options: Omit<KurrentEventStore.KurrentEventStoreOptions, "url"> = {}) =>
  Layer.unwrap(Effect.map(sharedKurrent, (url) => KurrentEventStore.layer({ prefix: freshPrefix(), ...options, url })))

/** The policies of the engine's user, which the wallets' actors ask. Without any nothing is asked, folded or kept. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnyPolicy } from "../domain/Policy.ts"
import { type PolicyFault, PolicySet } from "../domain/PolicySet.ts"

export const WalletPolicies = Context.Reference<PolicySet | undefined>("effect-wallet/actors/WalletPolicies", {
  defaultValue: () => undefined
})

/** One, or several, asked in this order; `undefined` or none: nothing is asked. */
export type GivenPolicies = AnyPolicy | ReadonlyArray<AnyPolicy> | undefined

const isList = (given: AnyPolicy | ReadonlyArray<AnyPolicy>): given is ReadonlyArray<AnyPolicy> => Array.isArray(given)

/** Gives them to the actors of `self`. Two of one name, or one out of its bounds, are a defect of the layer. */
export const provide =
  (given: GivenPolicies) =>
  <A, E, R>(self: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    Layer.suspend(() => {
      const policies = given === undefined ? [] : isList(given) ? given : [given]
      return Layer.provide(
        self,
        Layer.succeed(WalletPolicies, policies.length === 0 ? undefined : new PolicySet(policies))
      )
    })

/** Its caller alone is told, and not why; the wallet goes on. */
export const reportFault = (walletId: string, { cause, policy }: PolicyFault): Effect.Effect<void> =>
  Effect.logError(`wallet ${walletId}: policy ${policy} has thrown`, Cause.die(cause)).pipe(
    Effect.annotateLogs({ walletId, policy })
  )

/**
 * What the policies of an engine know of a wallet that is being loaded: what its snapshot says, then each later
 * event. What the snapshot says nothing of, for the policy is new or has another version, is folded from the
 * events that the snapshot stands for, once: a snapshot follows at once.
 */
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../domain/Event.ts"
import type { KeptFacts, PolicyFault, PolicySet, WalletFacts } from "../domain/PolicySet.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { reportFault } from "./WalletPolicies.ts"

/** Reads events of a wallet, upwards, from the one after `after` to `upTo`, page by page. */
type Each<E> = (
  range: { readonly after: number; readonly upTo: number },
  use: (recorded: RecordedEvent) => boolean
) => Effect.Effect<void, E>

export class FactsHistory {
  facts: WalletFacts
  private readonly policies: PolicySet
  private readonly missing: ReadonlyArray<number>
  private readonly faults: Array<PolicyFault> = []

  constructor(policies: PolicySet, kept: KeptFacts) {
    this.policies = policies
    this.facts = kept.facts
    this.missing = kept.missing
  }

  add(recorded: RecordedEvent, only?: ReadonlyArray<number>): void {
    const { facts, faults } = this.policies.fold(this.facts, recorded, only)
    this.facts = facts
    this.faults.push(...faults)
  }

  /** Whether something is to be folded that the state after `wallet`'s last event stands for. */
  isBehind(wallet: Wallet | undefined): wallet is Wallet {
    return wallet !== undefined && this.missing.length > 0
  }

  /** Folds the missing up to `wallet`, which the snapshot has. */
  refold<E>({ updatedAt, version }: Wallet, each: Each<E>): Effect.Effect<void, E> {
    const reach = this.policies.reachOf(this.missing)
    const from = reach === Infinity ? Effect.succeed(-1) : lastBefore(updatedAt - reach, version, each)
    return Effect.flatMap(from, (after) =>
      each({ after, upTo: version }, (recorded) => {
        this.add(recorded, this.missing)
        return true
      })
    )
  }

  /** Policies that cannot judge the wallet any more are told. */
  report(walletId: string): Effect.Effect<void> {
    return Effect.forEach(this.faults, (fault) => reportFault(walletId, fault), { discard: true })
  }
}

/**
 * The last version whose event is before `time`, ms; `-1`: there is none. The event at `version` is not. By halves, for
 * times in a stream never go back: some 20 reads of one event for a million.
 */
export const lastBefore = Effect.fnUntraced(function* <E>(
  time: number,
  version: number,
  each: Each<E>
): Effect.fn.Return<number, E> {
  let before = -1
  let within = version
  while (within - before > 1) {
    const middle = before + Math.floor((within - before) / 2)
    let isBefore = false
    yield* each({ after: middle - 1, upTo: middle }, (recorded) => {
      isBefore = recorded.time < time
      return false
    })
    if (isBefore) before = middle
    else within = middle
  }
  return before
})

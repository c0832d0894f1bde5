/** An attempt that was answered, and how old what it was answered may be. */
import type { Attempt, TruthAtAnswer } from "./History.ts"
import type { Ledger } from "./Ledger.ts"
import type { Trial } from "./Trial.ts"

/** An attempt that was answered. */
export interface Answered extends Attempt {
  readonly outcome: NonNullable<Attempt["outcome"]>
  readonly truth: TruthAtAnswer
}

export const isAnswered = (attempt: Attempt): attempt is Answered =>
  attempt.outcome !== undefined && attempt.truth !== undefined

/**
 * The lowest version that a read may show, and a look at another wallet of a transfer: what anybody had been told of
 * when it was asked for. A node that was replaced and does not know it may be as old as its claim.
 */
export const toldVersion = ({ operation, stale, toldBefore }: Attempt, walletId = operation.walletId): number => {
  const told = toldBefore.get(walletId) ?? -1
  return stale === undefined ? told : Math.min(told, stale.told.get(walletId) ?? -1)
}

/** The lowest version that a decision may rest on: what was in the log when the call was made, but for what its node could not know. */
export const oldestVersion = (
  trial: Trial,
  attempt: Attempt,
  ledger: Ledger | undefined,
  walletId = attempt.operation.walletId
): number => {
  const { state } = trial
  let version = attempt.versionsBefore.get(walletId) ?? -1
  const { stale } = attempt
  if (stale !== undefined) {
    let known = -1
    for (let index = 0; index < stale.from; index++) {
      const { recorded } = state.log[index]!
      if (recorded.walletId === walletId) known = recorded.version
    }
    version = Math.min(version, known)
  }
  while (version >= 0 && ledger?.events[version]?.metadata.actor === "foreign") version--
  return version
}

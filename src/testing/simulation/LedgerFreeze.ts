/** What freezes do to the model of a wallet, and whether they may. */
import type { WalletEvent } from "../../domain/Event.ts"
import type { Freeze } from "../../domain/Wallet.ts"
import { soundMillis } from "./FaultPlan.ts"
import type { LedgerState } from "./LedgerState.ts"
import { isSame } from "./PlainData.ts"

export const moveFreeze = (
  before: LedgerState,
  state: LedgerState,
  event: Extract<WalletEvent, { _tag: "WalletFrozen" | "WalletUnfrozen" | "FreezeExpired" }>,
  { broken, landedAt }: { readonly broken: (law: string) => void; readonly landedAt: number }
): LedgerState => {
  if (before.status === "closed") broken("the wallet is closed")
  const thawed: LedgerState = { ...state, status: "active", freeze: null }
  switch (event._tag) {
    case "WalletFrozen": {
      const { reason, until } = event
      const freeze: Freeze = { direction: event.direction ?? "debits", reason, until }
      if (isSame(freeze, before.freeze)) broken("it changes nothing")
      // Unless the event before it was dated ahead: then its own time was earlier.
      const isOver = until !== null && state.updatedAt > before.updatedAt && until <= state.updatedAt
      if (isOver) broken("it is over as it begins")
      return { ...state, status: "frozen", freeze }
    }
    case "WalletUnfrozen":
      if (before.status !== "frozen") broken(`the wallet is ${before.status}`)
      return thawed
    case "FreezeExpired": {
      const until = before.freeze?.until ?? null
      if (until === null || state.updatedAt < until) broken(`the freeze ends at ${until}, it is ${state.updatedAt}`)
      else if (landedAt + soundMillis < until) broken(`the freeze ends at ${until}, it is ${landedAt} in truth`)
      return thawed
    }
  }
}

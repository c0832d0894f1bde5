/** Bugs of refunds. */
import { bug, change } from "./plantedBug.ts"

export const plantedRefunds = [
  bug(
    "refunds: each is bounded by its original alone, not by those before it",
    change("domain/RefundRules.ts", "  return amount <= refundable\n", "  return amount <= refund.bound.amount\n")
  ),
  bug(
    "refunds: what a wallet remembers of them is lost with a restart",
    change(
      "domain/WalletCodec.ts",
      "    ...(wallet.refunds === noRefunds ? {} : { refunds: recentRefunds.encode(wallet.refunds) })\n",
      ""
    )
  ),
  bug(
    "refunds: what has come after the rows is not added to them",
    change("domain/Refund.ts", "    if (change.version > version &&", "    if (change.version < since &&")
  ),
  bug(
    "refunds: what the rows have is added once more",
    change("domain/Refund.ts", "    if (change.version > version && ", "    if (")
  ),
  bug(
    "refunds: one that its destination has refused counts for ever",
    change(
      "domain/TransferRules.ts",
      "recorded, [{ refund, amount: -event.amount }])",
      "recorded, [{ refund: null, amount: refund === null ? 0n : -event.amount }])"
    )
  ),
  bug(
    "refunds: one that PostgreSQL has refused counts as long as it is remembered",
    change(
      "domain/ReversalRules.ts",
      "  withoutRefundsOf(restore(wallet, recorded, event), event.reversedVersion)\n",
      "  withoutRefundsOf(restore(wallet, recorded, event), -1)\n"
    )
  ),
  bug(
    "refunds: a leg is bounded at its home alone",
    change("domain/LegsRules.ts", "    overRefunded(wallet, command.legs) ??\n    ownShortage", "    ownShortage")
  )
]

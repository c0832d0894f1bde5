import { type Event, InsufficientFunds } from "effect-wallet"
import { given } from "effect-wallet/testing"

const created: Event.WalletCreated = {
  _tag: "WalletCreated",
  ownerId: "ann",
  currency: "EUR",
  overdraftLimit: 0n,
  metadata: {},
  balanceAfter: 0n,
  heldAfter: 0n
}

given([created])
  .when({
    _tag: "Debit",
    walletId: "wallet-1",
    amount: 5n,
    reference: null,
    metadata: {},
    effectiveAt: null,
    force: null
  })
  .thenRejected(new InsufficientFunds({ walletId: "wallet-1", currency: "EUR", available: 0n, required: 5n }))

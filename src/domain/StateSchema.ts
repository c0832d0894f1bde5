/** The JSON of the parts of a wallet's state that events and snapshots both carry. */
import type { OpenHold, TransferInFlight, WalletStatus } from "./Wallet.ts"
import {
  amount,
  amountOrZero,
  type Field,
  type Fields,
  fields,
  id,
  literals,
  metadata,
  nullable,
  text,
  time
} from "./Codec.ts"

export const status: Field<WalletStatus> = literals(["active", "frozen", "closed"])

const holdFields: Fields<OpenHold> = fields<OpenHold>({
  id,
  amount,
  captured: amountOrZero,
  remaining: amount,
  expiresAt: nullable(time),
  reference: nullable(text),
  metadata,
  createdAt: time
})

export const openHold: Field<OpenHold> = {
  write: holdFields.write,
  read: (value) => {
    const hold = holdFields.read(value)
    return hold !== undefined && hold.captured + hold.remaining === hold.amount ? hold : undefined
  }
}

export const transferInFlight: Field<TransferInFlight> = fields<TransferInFlight>({
  id,
  to: id,
  amount,
  reference: nullable(text),
  metadata,
  createdAt: time
})

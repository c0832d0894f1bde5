/** The reversal of an operation: the event that takes back exactly one earlier event of a wallet. */
import * as Schema from "effect/Schema"
import { absentOrNull, typed, unionCodec, withCodec } from "./Codec.ts"
import { HoldEvent, OpenHold } from "./Hold.ts"
import { LegsEvent } from "./Legs.ts"
import { LifecycleEvent } from "./Lifecycle.ts"
import { MovementEvent } from "./Movement.ts"
import { TransferEvent, TransferInFlight } from "./Transfer.ts"
import { Freeze, WalletStatus } from "./Wallet.ts"
import { after, AmountOrZero, Balance, Id, Metadata, Text, Version } from "./WireValues.ts"

const restored = Schema.TaggedUnion({
  Nothing: {},
  Hold: { hold: OpenHold },
  NoHold: { holdId: Id },
  Transfer: { transfer: TransferInFlight },
  NoTransfer: { transferId: Id },
  NoLegs: { transferId: Id },
  /** Of a capture to another wallet: the hold as it was, and nothing in flight. */
  NoCapture: { transferId: Id, hold: OpenHold },
  /** `freeze`: of one that is frozen. */
  Status: { status: WalletStatus, freeze: absentOrNull(Freeze) },
  OverdraftLimit: { overdraftLimit: AmountOrZero },
  Metadata: { metadata: Metadata }
})

/** What the undone event had taken away or replaced, in full, so that `evolve` stays total. */
export const Restored = withCodec(typed(restored), unionCodec(restored.cases))

export type Restored = typeof Restored.Type

/** The events that are about something of their own. */
export const operationCases = {
  ...LifecycleEvent.cases,
  ...MovementEvent.cases,
  ...HoldEvent.cases,
  ...TransferEvent.cases,
  ...LegsEvent.cases
}

type OperationType = keyof typeof operationCases

/** Any type of event, so that a reversal of a reversal would be read; none is ever made. */
const reversedTypes = [...(Object.keys(operationCases) as ReadonlyArray<OperationType>), "OperationReversed"] as const

export const ReversalEvent = Schema.TaggedUnion({
  /** Undoes exactly one earlier event of this wallet. */
  OperationReversed: {
    reversedVersion: Version,
    reversedType: Schema.Literals(reversedTypes),
    reason: Text,
    /** Signed change of the balance by this reversal. */
    balanceChange: Balance,
    restored: Restored,
    ...after
  }
})

export type OperationReversed = typeof ReversalEvent.cases.OperationReversed.Type

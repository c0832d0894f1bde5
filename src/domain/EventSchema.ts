/**
 * The wire shape of every event, field by field, in the order in which they are
 * written. Frozen: see `EventCodec.ts` for how a shape may change.
 */
import type { Restored, WalletEvent, WalletEventType } from "./Event.ts"
import { openHold, status, transferInFlight } from "./StateSchema.ts"
import {
  amount,
  amountOrZero,
  currency,
  type Field,
  type Fields,
  fields,
  id,
  integer,
  isJsonObject,
  literals,
  metadata,
  nullable,
  sum,
  text,
  time,
  version
} from "./Codec.ts"

type Data<T extends WalletEventType> = Omit<Extract<WalletEvent, { readonly _tag: T }>, "_tag">
type RestoredData<T extends Restored["_tag"]> = Omit<Extract<Restored, { readonly _tag: T }>, "_tag">

const after = { balanceAfter: integer, heldAfter: sum }
const note = { reference: nullable(text), metadata }

const restoredFields: { readonly [T in Restored["_tag"]]: Fields<RestoredData<T>> } = {
  Nothing: fields<RestoredData<"Nothing">>({}),
  Hold: fields<RestoredData<"Hold">>({ hold: openHold }),
  NoHold: fields<RestoredData<"NoHold">>({ holdId: id }),
  Transfer: fields<RestoredData<"Transfer">>({ transfer: transferInFlight }),
  NoTransfer: fields<RestoredData<"NoTransfer">>({ transferId: id }),
  Status: fields<RestoredData<"Status">>({ status }),
  OverdraftLimit: fields<RestoredData<"OverdraftLimit">>({ overdraftLimit: amountOrZero }),
  Metadata: fields<RestoredData<"Metadata">>({ metadata })
}

/** The table gives each tag its own fields, so what they read has that tag; TypeScript cannot follow the pair. */
const restoredShape = (tag: Restored["_tag"]): Fields<Restored> => restoredFields[tag] as unknown as Fields<Restored>

const isRestoredTag = (tag: unknown): tag is Restored["_tag"] =>
  typeof tag === "string" && Object.hasOwn(restoredFields, tag)

/** The tag is written as `type`. */
const restored: Field<Restored> = {
  write: (value) => ({
    type: value._tag,
    ...restoredShape(value._tag).write(value)
  }),
  read: (value) => {
    if (!isJsonObject(value)) return undefined
    const { type, ...data } = value
    return isRestoredTag(type) ? restoredShape(type).readInto({ _tag: type }, data) : undefined
  }
}

const holdClosed = { holdId: id, amount, capturedAfter: amountOrZero, ...after }
const statusChanged = { reason: nullable(text), ...after }

const reversedType: Field<WalletEventType> = {
  write: (value) => value,
  read: (value) => eventTypeNames.read(value)
}

const eventFields: { readonly [T in WalletEventType]: Fields<Data<T>> } = {
  WalletCreated: fields<Data<"WalletCreated">>({
    ownerId: id,
    currency,
    overdraftLimit: amountOrZero,
    metadata,
    ...after
  }),
  WalletCredited: fields<Data<"WalletCredited">>({ amount, ...note, ...after }),
  WalletDebited: fields<Data<"WalletDebited">>({ amount, ...note, ...after }),
  HoldPlaced: fields<Data<"HoldPlaced">>({ holdId: id, amount, expiresAt: nullable(time), ...note, ...after }),
  HoldCaptured: fields<Data<"HoldCaptured">>({
    holdId: id,
    amount,
    released: amountOrZero,
    capturedAfter: amount,
    remainingAfter: amountOrZero,
    ...after
  }),
  HoldReleased: fields<Data<"HoldReleased">>(holdClosed),
  HoldExpired: fields<Data<"HoldExpired">>(holdClosed),
  TransferSent: fields<Data<"TransferSent">>({ transferId: id, to: id, amount, currency, ...note, ...after }),
  TransferReceived: fields<Data<"TransferReceived">>({ transferId: id, from: id, amount, ...note, ...after }),
  TransferRefused: fields<Data<"TransferRefused">>({ transferId: id, from: id, amount, reason: text, ...after }),
  TransferSettled: fields<Data<"TransferSettled">>({ transferId: id, to: id, amount, ...after }),
  TransferReversed: fields<Data<"TransferReversed">>({ transferId: id, to: id, amount, reason: text, ...after }),
  WalletFrozen: fields<Data<"WalletFrozen">>(statusChanged),
  WalletUnfrozen: fields<Data<"WalletUnfrozen">>(statusChanged),
  WalletClosed: fields<Data<"WalletClosed">>(statusChanged),
  OverdraftLimitChanged: fields<Data<"OverdraftLimitChanged">>({
    overdraftLimit: amountOrZero,
    previousLimit: amountOrZero,
    ...after
  }),
  MetadataChanged: fields<Data<"MetadataChanged">>({ metadata, previousMetadata: metadata, ...after }),
  OperationReversed: fields<Data<"OperationReversed">>({
    reversedVersion: version,
    reversedType,
    reason: text,
    balanceChange: integer,
    restored,
    ...after
  })
}

export const eventTypes = Object.keys(eventFields) as ReadonlyArray<WalletEventType>

const eventTypeNames = literals(eventTypes)

/** The shape of one event, without its tag. As with `restoredShape`, the pair is right by the table's type. */
export const eventShape = (tag: WalletEventType): Fields<WalletEvent> =>
  eventFields[tag] as unknown as Fields<WalletEvent>

/**
 * A shop's payments on wallets: an order reserves its money, each parcel captures its part for the merchant, a
 * cancellation lets the rest go, a return gives back.
 *
 * Every command's key is made of the order, so whatever is run twice (a retry, a queue that delivers again, a program
 * that starts again after a crash) happens once and is answered as it was the first time.
 */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { isRetryable, WalletEngine } from "effect-wallet"

export interface Order {
  readonly id: string
  /** The customer's wallet. */
  readonly customer: string
  /** Minor units. */
  readonly total: bigint
}

/** Keep the hold's id with the order. */
export interface PlacedOrder extends Order {
  readonly holdId: string
}

export interface Parcel {
  /** Unique within its order. After `ShipmentRefused` a parcel goes out under another one. */
  readonly id: string
  readonly amount: bigint
  /** Nothing more will be sent: what is left of the order's money is let go. */
  readonly last: boolean
}

/** Keep the transfer's id with the parcel: by it a return is paid. */
export interface SentParcel extends Parcel {
  readonly transferId: string
}

export class PaymentDeclined extends Schema.TaggedError<PaymentDeclined>()("PaymentDeclined", {
  orderId: Schema.String,
  reason: Schema.String
}) {}

/** The order is shipped, cancelled, or has less left than the parcel costs. */
export class NotReserved extends Schema.TaggedError<NotReserved>()("NotReserved", {
  orderId: Schema.String,
  remaining: Schema.BigInt
}) {}

/** The merchant's wallet did not take the money. The order has it, as before. */
export class ShipmentRefused extends Schema.TaggedError<ShipmentRefused>()("ShipmentRefused", {
  orderId: Schema.String,
  reason: Schema.String
}) {}

export class ReturnTooLarge extends Schema.TaggedError<ReturnTooLarge>()("ReturnTooLarge", {
  parcelId: Schema.String,
  refundable: Schema.BigInt
}) {}

/** The merchant has not enough to pay the return. */
export class MerchantShort extends Schema.TaggedError<MerchantShort>()("MerchantShort", {
  shortage: Schema.BigInt
}) {}

/**
 * For longer than we try, or by a fault that no customer can do anything about: `cause` says. The same step again is
 * safe, whatever has become of this one.
 */
export class PaymentsUnavailable extends Schema.TaggedError<PaymentsUnavailable>()("PaymentsUnavailable", {
  cause: Schema.Defect()
}) {}

export class Shop extends Context.Service<
  Shop,
  {
    /** A wallet with money paid in once, by the payment's id. */
    readonly topUp: (wallet: string, payment: string, amount: bigint) => Effect.Effect<void, PaymentsUnavailable>
    readonly place: (order: Order) => Effect.Effect<PlacedOrder, PaymentDeclined | PaymentsUnavailable>
    readonly ship: (
      order: PlacedOrder,
      parcel: Parcel
    ) => Effect.Effect<SentParcel, NotReserved | ShipmentRefused | PaymentsUnavailable>
    readonly cancel: (order: PlacedOrder) => Effect.Effect<void, NotReserved | PaymentsUnavailable>
    /** Several returns of one parcel, each with an id of its own, up to what it cost. */
    readonly payReturn: (
      parcel: SentParcel,
      returnId: string,
      amount: bigint
    ) => Effect.Effect<void, ReturnTooLarge | MerchantShort | PaymentsUnavailable>
  }
>()("examples/shop/Shop") {
  static readonly layer = (merchant: string, currency: string) =>
    Layer.effect(
      Shop,
      Effect.gen(function* () {
        const wallets = yield* WalletEngine

        const open = (id: string) =>
          wallets.createWallet({ id, ownerId: id, currency, idempotencyKey: `open-${id}` }).pipe(
            tried,
            Effect.mapError((cause) => new PaymentsUnavailable({ cause }))
          )

        const topUp = Effect.fn("Shop.topUp")(function* (wallet: string, payment: string, amount: bigint) {
          yield* open(wallet)
          yield* tried(
            wallets.credit({ walletId: wallet, amount, reference: payment, idempotencyKey: `pay-in-${payment}` })
          ).pipe(Effect.mapError((cause) => new PaymentsUnavailable({ cause })))
        })

        const place = Effect.fn("Shop.place")(function* (order: Order) {
          const { hold } = yield* tried(
            wallets.placeHold({
              walletId: order.customer,
              amount: order.total,
              reference: `order ${order.id}`,
              idempotencyKey: `order-${order.id}`
            })
          ).pipe(
            Effect.mapError((error) => {
              switch (error._tag) {
                case "InsufficientFunds":
                case "PolicyRejected":
                case "WalletFrozen":
                  return new PaymentDeclined({ orderId: order.id, reason: error.message })
                default:
                  return new PaymentsUnavailable({ cause: error })
              }
            })
          )
          return { ...order, holdId: hold.id }
        })

        const ship = Effect.fn("Shop.ship")(function* (order: PlacedOrder, parcel: Parcel) {
          const { transfer } = yield* tried(
            wallets.captureHoldTo({
              walletId: order.customer,
              holdId: order.holdId,
              to: merchant,
              amount: parcel.amount,
              final: parcel.last,
              idempotencyKey: `order-${order.id}-parcel-${parcel.id}`
            })
          ).pipe(
            Effect.mapError((error) => {
              switch (error._tag) {
                case "HoldClosed":
                  return new NotReserved({ orderId: order.id, remaining: 0n })
                case "HoldAmountExceeded":
                  return new NotReserved({ orderId: order.id, remaining: error.remaining })
                case "TransferReversed":
                  return new ShipmentRefused({ orderId: order.id, reason: error.reason })
                default:
                  return new PaymentsUnavailable({ cause: error })
              }
            })
          )
          return { ...parcel, transferId: transfer.id }
        })

        const cancel = Effect.fn("Shop.cancel")(function* (order: PlacedOrder) {
          yield* tried(
            wallets.releaseHold({
              walletId: order.customer,
              holdId: order.holdId,
              idempotencyKey: `order-${order.id}-cancel`
            })
          ).pipe(
            Effect.mapError((error) =>
              error._tag === "HoldClosed"
                ? new NotReserved({ orderId: order.id, remaining: 0n })
                : new PaymentsUnavailable({ cause: error })
            )
          )
        })

        const payReturn = Effect.fn("Shop.payReturn")(function* (parcel: SentParcel, returnId: string, amount: bigint) {
          yield* tried(
            wallets.refundTransfer({
              transferId: parcel.transferId,
              amount,
              reference: `return ${returnId}`,
              idempotencyKey: `return-${parcel.transferId}-${returnId}`
            })
          ).pipe(
            Effect.mapError((error) => {
              switch (error._tag) {
                case "RefundExceeded":
                  return new ReturnTooLarge({ parcelId: parcel.id, refundable: error.refundable })
                case "InsufficientFunds":
                  return new MerchantShort({ shortage: error.shortage })
                default:
                  return new PaymentsUnavailable({ cause: error })
              }
            })
          )
        })

        yield* open(merchant)
        return { topUp, place, ship, cancel, payReturn }
      })
    )
}

/** Tries again, with the same key, what may succeed with nobody doing anything about it. */
const tried = <A, E extends { readonly _tag: string }>(command: Effect.Effect<A, E>) =>
  Effect.retry(command, {
    while: isRetryable,
    schedule: Schedule.exponential("100 millis").pipe(Schedule.upTo({ duration: "30 seconds" }))
  })

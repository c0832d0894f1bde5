/**
 * Credits for an API product: customers pay ahead, usage is metered and charged in batches, each month brings a grant,
 * and nobody burns more than so much an hour, whatever a loop of theirs does.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { Policies, WalletEngine } from "effect-wallet"

/** Credits that may be used within any hour. */
export const hourlyCredits = 10_000n

/** The rule, for the layer of the engine. It counts by the clock, in steps of a minute, whatever the books say. */
export const policy = Policies.velocity({
  amount: hourlyCredits,
  per: "1 hour",
  bucket: "1 minute",
  name: "hourly-credits"
})

export interface Purchase {
  readonly invoice: string
  readonly credits: bigint
  /** Milliseconds. */
  readonly paidAt: number
}

/** What a meter has counted since its last report. */
export interface Usage {
  readonly customer: string
  /** Of this report: the same when it is sent again. */
  readonly reportId: string
  /** The end of what it counts, milliseconds: the charge is booked there. */
  readonly until: number
  readonly calls: number
  readonly creditsPerCall: number
}

export class OutOfCredits extends Schema.TaggedError<OutOfCredits>()("OutOfCredits", {
  customer: Schema.String,
  shortage: Schema.BigInt
}) {}

/** Too much within an hour: the report is good again when the hour has gone on. */
export class TooFast extends Schema.TaggedError<TooFast>()("TooFast", {
  customer: Schema.String,
  reason: Schema.String
}) {}

/** The same call again is safe. `cause` says what is wrong. */
export class CreditsFailed extends Schema.TaggedError<CreditsFailed>()("CreditsFailed", { cause: Schema.Defect() }) {}

export interface MonthlyStatement {
  readonly opening: bigint
  /** Granted and bought. */
  readonly granted: bigint
  readonly used: bigint
  readonly closing: bigint
}

export class Credits extends Context.Service<Credits>()("examples/usage-credits/Credits", {
  make: Effect.gen(function* () {
    const wallets = yield* WalletEngine
    const walletOf = (customer: string) => `credits-${customer}`

    const open = Effect.fn("Credits.open")(function* (customer: string) {
      yield* wallets
        .createWallet({ id: walletOf(customer), ownerId: customer, currency: "CREDIT", idempotencyKey: "open" })
        .pipe(Effect.mapError((cause) => new CreditsFailed({ cause })))
    })

    const buy = Effect.fn("Credits.buy")(function* (customer: string, { credits, invoice, paidAt }: Purchase) {
      yield* wallets
        .credit({
          walletId: walletOf(customer),
          amount: credits,
          reference: `invoice ${invoice}`,
          effectiveAt: paidAt,
          idempotencyKey: `invoice-${invoice}`
        })
        .pipe(Effect.mapError((cause) => new CreditsFailed({ cause })))
    })

    /** Counts from the first moment of its month (`2026-01`, UTC), whenever the job that gives it runs. */
    const grant = Effect.fn("Credits.grant")(function* (customer: string, month: string, credits: bigint) {
      yield* wallets
        .credit({
          walletId: walletOf(customer),
          amount: credits,
          reference: `grant ${month}`,
          effectiveAt: Date.parse(`${month}-01T00:00:00Z`),
          idempotencyKey: `grant-${month}`
        })
        .pipe(Effect.mapError((cause) => new CreditsFailed({ cause })))
    })

    /** One debit for a report, not one a call. All of it is charged or nothing. */
    const charge = Effect.fn("Credits.charge")(function* ({ calls, creditsPerCall, customer, reportId, until }: Usage) {
      const { wallet } = yield* wallets
        .debit({
          walletId: walletOf(customer),
          amount: BigInt(calls) * BigInt(creditsPerCall),
          reference: "usage",
          metadata: { calls: String(calls), report: reportId },
          effectiveAt: until,
          idempotencyKey: `usage-${reportId}`
        })
        .pipe(
          Effect.mapError((error) => {
            switch (error._tag) {
              case "InsufficientFunds":
                return new OutOfCredits({ customer, shortage: error.shortage })
              case "PolicyRejected":
                return new TooFast({ customer, reason: error.reason })
              default:
                return new CreditsFailed({ cause: error })
            }
          })
        )
      return wallet.available
    })

    const statement = Effect.fn("Credits.statement")(function* (customer: string, from: string, to: string) {
      const { closingBalance, openingBalance, totals } = yield* wallets
        .statement({ walletId: walletOf(customer), from, to, limit: 1 })
        .pipe(Effect.mapError((cause) => new CreditsFailed({ cause })))
      return {
        opening: openingBalance,
        granted: totals.credit ?? 0n,
        used: totals.debit ?? 0n,
        closing: closingBalance
      } satisfies MonthlyStatement
    })

    return { open, buy, grant, charge, statement }
  })
}) {
  static readonly layer = Layer.effect(Credits, Credits.make)
}

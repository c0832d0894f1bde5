import { Effect, Schema } from "effect"
import { WalletClient } from "effect-wallet/client"
import { bodyOf, respond } from "../../../../../lib/wallets.ts"

interface Context {
  readonly params: Promise<{ readonly id: string }>
}

/** `payment` names what it is about: by it the wallet is credited once, however often this is sent. */
const Credit = Schema.Struct({ payment: Schema.String, amount: Schema.BigIntFromString })

/** `POST /api/wallets/alice/credit` `{"payment": "invoice-9", "amount": "2500"}` */
export async function POST(request: Request, { params }: Context): Promise<Response> {
  const { id } = await params
  return respond(
    Effect.gen(function* () {
      const { amount, payment } = yield* bodyOf(request, Credit)
      const { wallets } = yield* WalletClient
      const { transaction, wallet } = yield* wallets.credit({
        params: { id },
        headers: { "idempotency-key": `credit-${payment}` },
        query: {},
        payload: { amount, reference: payment }
      })
      return { transaction: transaction.id, balance: `${wallet.balance}` }
    }),
    201
  )
}

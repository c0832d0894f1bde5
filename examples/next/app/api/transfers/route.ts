import { Effect, Schema } from "effect"
import { WalletClient } from "effect-wallet/client"
import { bodyOf, respond } from "../../../lib/wallets.ts"

const Transfer = Schema.Struct({
  order: Schema.String,
  from: Schema.String,
  to: Schema.String,
  amount: Schema.BigIntFromString
})

/** `POST /api/transfers` `{"order": "17", "from": "alice", "to": "bob", "amount": "1200"}` */
export async function POST(request: Request): Promise<Response> {
  return respond(
    Effect.gen(function* () {
      const { amount, from, order, to } = yield* bodyOf(request, Transfer)
      const { transfers } = yield* WalletClient
      const { transfer } = yield* transfers.send({
        headers: { "idempotency-key": `order-${order}` },
        query: {},
        payload: { from, to, amount, reference: `order ${order}` }
      })
      return { transfer: transfer.id, status: transfer.status }
    }),
    201
  )
}

import { Effect } from "effect"
import { WalletClient } from "effect-wallet/client"
import { respond } from "../../../../lib/wallets.ts"

interface Context {
  readonly params: Promise<{ readonly id: string }>
}

/** A balance is never cached. */
export const dynamic = "force-dynamic"

/** `GET /api/wallets/alice` */
export async function GET(_request: Request, { params }: Context): Promise<Response> {
  const { id } = await params
  return respond(
    Effect.gen(function* () {
      const { wallets } = yield* WalletClient
      const { available, balance, currency, version } = yield* wallets.get({ params: { id }, query: {} })
      return { id, currency, version, balance: `${balance}`, available: `${available}` }
    })
  )
}

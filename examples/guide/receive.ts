import { Effect } from "effect"
import { Webhooks } from "effect-wallet"

/** What a server hands to its handler; the body as it came, not parsed. */
interface Request {
  readonly headers: Record<string, string>
  readonly body: string
}

const seen = new Set<string>()

/** Answers the status. Anything but 200 to 299 has it sent again. */
export const receive = (request: Request, secret: string) =>
  Webhooks.verify(request, secret).pipe(
    Effect.map(({ data, id, type }) => {
      if (!seen.has(id)) console.log(type, data)
      seen.add(id)
      return 204
    }),
    Effect.catchTag("WebhookNotVerified", () => Effect.succeed(401))
  )

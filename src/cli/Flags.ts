/** Flags that several commands share, and the form of a wallet's id in what tools take. */
import * as Flag from "effect/cli/Flag"
import * as Schema from "effect/Schema"
import { isId } from "../domain/Limits.ts"

export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print one JSON document on standard output, for programs"),
  Flag.withDefault(false)
)

/** A service to work through, also on another machine. */
export const url = Flag.String("url").pipe(
  Flag.withSchema(Schema.URLFromString),
  Flag.withMetavar("URL"),
  Flag.withDescription("Work through the service at this address, with the admin key in WALLET_API_KEY"),
  Flag.optional
)

/** Of tools that run an engine of their own. */
export const takeover = Flag.Boolean("takeover").pipe(
  Flag.withDescription("Work on the database itself although a service runs on it; that service stops"),
  Flag.withDefault(false)
)

/** Of tools that can work on one wallet alone. */
export const wallet = (description: string) =>
  Flag.String("wallet").pipe(
    Flag.withMetavar("ID"),
    Flag.withDescription(description),
    Flag.filter(isId, (id) => `${JSON.stringify(id)} is not an id: 1 to 64 of A-Z a-z 0-9 _ -`),
    Flag.optional
  )

/** Of a wallet, in what the service's tools are asked for. */
export const WalletId = Schema.String.check(
  Schema.makeFilter((id: string) => isId(id) || "an id is 1 to 64 of A-Z a-z 0-9 _ -")
)

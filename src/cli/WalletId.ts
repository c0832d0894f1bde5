/** A wallet's id in what tools take. */
import * as Schema from "effect/Schema"
import { isId } from "../domain/Limits.ts"

export const WalletId = Schema.String.check(
  Schema.makeFilter((id: string) => isId(id) || "an id is 1 to 64 of A-Z a-z 0-9 _ -")
)

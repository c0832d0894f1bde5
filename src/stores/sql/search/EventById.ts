/**
 * A transaction by its id, without an index of ids: the id says whose it is and when it was, and
 * the wallet's stream is looked into at that time.
 */
import type { EventPlace } from "./Words.ts"
import { type Conditions, text, time, uuid } from "../Parameters.ts"

/** `from`: names the rows `r`. */
export const eventById = (
  id: string,
  { tag, time: at }: EventPlace,
  values: Conditions
): { readonly from: string; readonly condition: string } => {
  const [from, to] = [values.parameter(time(at - 1)), values.parameter(time(at))]
  const ofWallet = `
    select * from events e
    where e.wallet_id = w.id and e.id = ${values.parameter(uuid(id))} and e.amount is not null
      and e.version >= version_after_time(w.id, ${from}) and e.version < version_after_time(w.id, ${to})
    offset 0`
  return {
    from: `wallets w cross join lateral (${ofWallet}) r`,
    condition: `w.tag = ${values.parameter(text(tag))}`
  }
}

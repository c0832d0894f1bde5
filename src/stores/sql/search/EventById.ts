/**
 * A transaction by its id, without an index of ids: the id says whose it is and when it was, and
 * the wallet's stream is looked into at that time.
 */
import type { EventPlace } from "./Words.ts"
import { type Conditions, text, time, uuid } from "../Parameters.ts"

interface Found {
  readonly from: string
  readonly condition: string
}

/** In a table of transactions. */
const byId = (table: string, id: string, { tag, time: at }: EventPlace, values: Conditions): Found => {
  const [from, to] = [values.parameter(time(at - 1)), values.parameter(time(at))]
  const ofWallet = `
    select * from ${table} e
    where e.wallet_id = w.id and e.id = ${values.parameter(uuid(id))} and e.amount is not null
      and e.version >= version_after_time(w.id, ${from}) and e.version < version_after_time(w.id, ${to})
    offset 0`
  return {
    from: `wallets w cross join lateral (${ofWallet}) r`,
    condition: `w.tag = ${values.parameter(text(tag))}`
  }
}

/** `from`: names the rows `r`. */
export const eventById = (id: string, place: EventPlace, values: Conditions): Found => byId("events", id, place, values)

/** The same of one that a transfer of several legs has made. */
export const legById = (id: string, place: EventPlace, values: Conditions): Found =>
  byId("leg_transactions", id, place, values)

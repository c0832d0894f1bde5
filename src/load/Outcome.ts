/**
 * How a command was answered, as whoever measures asks, and whether it took place, as whoever checks the money
 * asks. The two are apart: a gateway's 502 is a failure, and the command may well have happened.
 */

/**
 * `accepted`: done. `rejected`: by the rules or for its form. `refused`: the service had too much to do, or a store
 * was away (429, 503). `failed`: it could not be sent, or the service broke down over it. `unknown`: no answer, or one
 * that says that it is not known.
 */
export const outcomes = ["accepted", "rejected", "refused", "failed", "unknown"] as const
export type Outcome = (typeof outcomes)[number]

/** Whether it has taken place. `maybe`: it may have, or is there and undone, or still on its way. */
export type TookPlace = "yes" | "no" | "maybe"

export interface Judgement {
  readonly outcome: Outcome
  readonly tookPlace: TookPlace
}

const judged = (outcome: Outcome, tookPlace: TookPlace): Judgement => ({ outcome, tookPlace })

const accepted = judged("accepted", "yes")
const rejected = judged("rejected", "no")
const undone = judged("rejected", "maybe")
const refused = judged("refused", "no")
const unknown = judged("unknown", "maybe")
const broken = judged("failed", "maybe")
const unsent = judged("failed", "no")

/** By the tag of the library's error, which is the code of the service's problem. All others are the rules'. */
const byCode: ReadonlyMap<string, Judgement> = new Map([
  ["MailboxFull", refused],
  ["RateLimited", refused],
  ["StoreUnavailable", refused],
  ["VersionNotReached", refused],
  ["OutcomeUnknown", unknown],
  ["IdempotencyInProgress", unknown],
  ["OperationReversed", undone],
  ["TransferReversed", undone],
  ["PolicyDefect", unsent],
  ["StoreDefect", broken],
  ["InternalError", broken],
  // No connection: nothing was sent. One that broke had the request.
  ["ConnectionRefused", unsent],
  ["ConnectionBroken", unknown],
  ["NoAnswer", unknown]
])

/** Of a failure of the library's or of a connection. */
export const judgeFailure = (code: string): Judgement => byCode.get(code) ?? rejected

/** Of a status of HTTP and a problem's code; `undefined`: no problem of ours, of a gateway perhaps. */
export const judgeStatus = (status: number, code: string | undefined): Judgement => {
  if (status >= 200 && status < 300) return accepted
  const known = code === undefined ? undefined : byCode.get(code)
  if (known !== undefined) return known
  if (status === 429 || status === 503) return judged("refused", "maybe")
  return status >= 400 && status < 500 ? rejected : broken
}

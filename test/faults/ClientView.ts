/**
 * What a client may believe of a command that it has sent: what the answers have told
 * it, taken together. Every answer that contradicts an earlier one is kept.
 */

export type Body = Readonly<Record<string, unknown>>

export type Kind = "create" | "credit" | "debit" | "hold" | "capture" | "release" | "transfer"

/**
 * - `Open`: nobody has said what became of it.
 * - `Acknowledged`: done; `persisted`: some answer said that PostgreSQL has it, too.
 * - `Rejected`: by the rules; a retry may still succeed.
 * - `Reversed`: done and undone.
 */
export type ClientView =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Acknowledged"; readonly body: Body; readonly persisted: boolean }
  | { readonly _tag: "Rejected"; readonly code: string }
  | { readonly _tag: "Reversed"; readonly code: string }

/** How a command came about and went: by whom, when, after how many tries. */
export interface Trail {
  /** Each sends one request after the other. */
  readonly caller: number
  /** Of all callers; the commands of one turn are sent in one request. */
  readonly turn: number
  /** In its turn's request. */
  readonly place: number
  /** `performance.now()`, ms. */
  readonly askedAt: number
  /** When somebody said what became of it; `undefined`: nobody has. */
  settledAt: number | undefined
  /** The try that it was settled by, from 1; the others were not answered, or not for good. */
  round: number
  /** Some try did nothing: it was refused; or nobody knows, and then it may have been a rejection, which leaves no trace. */
  refused: boolean
  /** Another caller has sent it, too. */
  shared: boolean
}

export interface SentCommand {
  readonly key: string
  readonly kind: Kind
  /** Whose key it is: of a transfer the source. */
  readonly walletId: string
  readonly path: string
  readonly body: Body
  /** A rule of the user's refuses it: it may be in the log, and is then reversed. */
  readonly forbidden?: true
  /** Of those that the load makes. */
  trail?: Trail
  view: ClientView
  /** Requests with it that have had no answer, or have none yet. */
  unanswered: number
  /** It was sent while an earlier request with it might have been at work: one may be rejected and the other done. */
  overlapped: boolean
}

/** Before each request with it. */
export const sending = (command: SentCommand): void => {
  if (command.unanswered > 0) command.overlapped = true
  command.unanswered++
}

/** How good an answer is for a caller: all that was asked for, a part, none for now, or no answer. */
export type AnswerClass = "full" | "accepted" | "unavailable" | "none"

interface Told {
  readonly class: AnswerClass
  /** The answer contradicts what was told before, or must never be given. */
  readonly untrue: string | undefined
}

const fieldOf = (body: Body, name: string): Body => (body[name] ?? {}) as Body

const isPersisted = (body: Body): boolean => fieldOf(body, "durability")["persisted"] === true

const lastingLeg = ({ receivedTransactionId: _r, sentTransactionId: _s, ...leg }: Body): Body => leg

/** What never changes of an answer: all but how durable it is by now, and how far a transfer has come. */
const lasting = (body: Body): string => {
  const { durability: _, transfer, ...rest } = body
  if (transfer === undefined) return JSON.stringify(rest)
  const { leg: _l, legs, reason: _r, status: _s, updatedAt: _u, ...sent } = transfer as Body
  return JSON.stringify({ ...rest, sent, legs: (legs as ReadonlyArray<Body>).map(lastingLeg) })
}

const acknowledge = (command: SentCommand, body: Body): string | undefined => {
  const { view } = command
  if (view._tag === "Reversed") return "acknowledged after it was told reversed"
  const persisted = isPersisted(body)
  if (view._tag !== "Acknowledged") {
    command.view = { _tag: "Acknowledged", body, persisted }
    return undefined
  }
  const [first, now] = [lasting(view.body), lasting(body)]
  command.view = { _tag: "Acknowledged", body, persisted: persisted || view.persisted }
  return first === now ? undefined : `first ${first}, then ${now}`
}

/** Nothing builds on what may be reversed, but it may be told: as committed only. */
const reverse = (command: SentCommand, code: string): string | undefined => {
  const { view } = command
  command.view = { _tag: "Reversed", code }
  return view._tag === "Acknowledged" && view.persisted && code === "OperationReversed"
    ? "reversed after it was told persisted"
    : undefined
}

const reject = (command: SentCommand, code: string): string | undefined => {
  if (command.view._tag === "Acknowledged" || command.view._tag === "Reversed") {
    if (command.overlapped) return undefined
    return `answered ${code} after it was told ${command.view._tag}`
  }
  command.view = { _tag: "Rejected", code }
  return undefined
}

/** Takes one answer into account. */
export const learn = (command: SentCommand, status: number, body: Body): Told => {
  const code = String(body["code"])
  command.unanswered--
  switch (status) {
    case 200:
    case 201:
      return { class: "full", untrue: acknowledge(command, body) }
    case 202:
      return { class: "accepted", untrue: acknowledge(command, body) }
    case 429:
    case 503:
      return { class: "unavailable", untrue: undefined }
    case 404:
    case 409:
    case 422:
      if (code === "IdempotencyInProgress") return { class: "unavailable", untrue: undefined }
      return {
        class: "full",
        untrue:
          code === "OperationReversed" || code === "TransferReversed" ? reverse(command, code) : reject(command, code)
      }
    default:
      return { class: "full", untrue: `answered ${status} ${JSON.stringify(body)}` }
  }
}

/** Of what an acknowledged command has said: the version after it. Transfers say none. */
export const versionOf = (body: Body): number | undefined => {
  const version = fieldOf(body, "wallet")["version"]
  return typeof version === "number" ? version : undefined
}

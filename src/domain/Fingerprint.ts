/**
 * Fingerprints: which command an idempotency key was used for.
 *
 * The same request gives the same fingerprint, now and in any later release of
 * this version; another request gives another one. It is made of what the caller
 * said: not of ids and times that the engine adds, not of the wallet (keys are
 * kept per wallet), and a default is the same as nothing said.
 *
 * The text is the kind and its fields, separated by `|`, with every string as a
 * JSON string, so that no two commands share one. Up to 64 characters it is the
 * fingerprint; a longer one is hashed. No kind is called `sha256:…`.
 */
import { createHash } from "node:crypto"
import type { Command, FreezeCommand, SendTransfer } from "./Command.ts"
import type { HoldCommand } from "./Hold.ts"
import type { AskedLeg } from "./Legs.ts"
import { type Metadata, noMetadata } from "./Limits.ts"

const version = "1:"
const maxPlainLength = 64

/** At most 66 characters, ASCII unless the command's own texts are not. Changes to it need a new version. */
export const fingerprintOf = (command: Command): string => {
  const text = canonicalText(command)
  if (text.length <= maxPlainLength) return flat(version, text)
  return `${version}sha256:${createHash("sha256").update(text, "utf8").digest("base64url")}`
}

/** Put together as one string: kept for each key, one that consists of its parts takes three times as much. */
const flat = (first: string, second: string): string => [first, second].join("")

const canonicalText = (command: Command): string => {
  switch (command._tag) {
    case "Credit":
      return `credit|${command.amount}|${note(command.reference, command.metadata)}${effective(command)}`
    case "Debit":
      return (
        `debit|${command.amount}|${note(command.reference, command.metadata)}${effective(command)}` +
        (command.force === true ? "|force" : "")
      )
    case "RefundTransaction":
      return (
        `refund|${quoted(command.transactionId)}|${command.amount ?? ""}|${note(command.reference, command.metadata)}` +
        effective(command)
      )
    case "PlaceHold":
    case "CaptureHold":
    case "CaptureHoldTo":
    case "ChangeHold":
    case "ReleaseHold":
    case "ExpireHold":
      return holdText(command)
    case "SendTransfer":
      if (command.refund !== null) {
        const { all, asked, of } = command.refund
        return transferRefund(of, asked, all ? null : command.amount, command)
      }
      return (
        `send|${quoted(command.to)}|${command.amount}|${note(command.reference, command.metadata)}` + effective(command)
      )
    // One question to the destination, whatever it answers: a later attempt meets the recorded outcome.
    case "ReceiveTransfer":
    case "RefuseTransfer":
      return `arrive|${quoted(command.transferId)}|${quoted(command.from)}|${command.amount}`
    case "SettleTransfer":
      return `settle|${quoted(command.transferId)}`
    case "ReverseTransfer":
      return `reverse|${quoted(command.transferId)}`
    case "BeginLegs":
      if (command.refundOf !== null) return transferRefund(command.refundOf, null, null, command)
      return `legs|${command.legs.map(legText).join("|")}|${note(command.reference, command.metadata)}${effective(command)}`
    // As with one leg: one question, whatever the answer.
    case "PrepareLegs":
    case "RefuseLegs":
      return `prepare|${quoted(command.transferId)}|${quoted(command.home)}`
    // And one decision.
    case "ApplyLegs":
    case "ReleaseLegs":
      return `decide|${quoted(command.transferId)}`
    case "SettleLegs":
      return `settle|${quoted(command.transferId)}`
    case "CreateWallet":
      return (
        `create|${quoted(command.ownerId)}|${quoted(command.currency)}|${command.overdraftLimit}|` +
        metadataText(command.metadata)
      )
    case "Freeze":
      return freezeText(command)
    case "ExpireFreeze":
      return `thaw|${command.until}`
    case "Unfreeze":
      return `unfreeze|${text(command.reason)}`
    case "Close":
      return `close|${text(command.reason)}`
    case "UpdateWallet":
      return `update|${command.overdraftLimit ?? ""}|${givenMetadata(command.metadata)}`
    case "ReverseOperation":
      return `compensate|${quoted(command.operation.id)}`
  }
}

/** Which legs it takes and how much of each is not what its caller has said. */
const transferRefund = (
  transferId: string,
  leg: number | null,
  amount: bigint | null,
  command: Pick<SendTransfer, "reference" | "metadata" | "effectiveAt">
): string =>
  `refundTransfer|${quoted(transferId)}|${leg ?? ""}|${amount ?? ""}|${note(command.reference, command.metadata)}` +
  effective(command)
const freezeText = ({ direction, reason, until }: FreezeCommand): string =>
  `freeze|${text(reason)}` +
  (direction === null || direction === "debits" ? "" : `|direction=${quoted(direction)}`) +
  (until === null ? "" : `|until=${until}`)

const holdText = (command: HoldCommand): string => {
  switch (command._tag) {
    case "PlaceHold":
      return `hold|${command.amount}|${command.expiresAt ?? ""}|${note(command.reference, command.metadata)}`
    case "CaptureHold":
      return (
        `capture|${quoted(command.holdId)}|${command.amount ?? ""}|${command.final ? "final" : ""}` + effective(command)
      )
    case "CaptureHoldTo":
      return (
        `capture|${quoted(command.holdId)}|${command.amount ?? ""}|${command.final ? "final" : ""}` +
        `${effective(command)}|to=${quoted(command.to)}`
      )
    case "ChangeHold":
      return (
        `change|${quoted(command.holdId)}|${command.amount ?? ""}|` +
        (command.expiry === null ? "" : (command.expiry.at ?? "never"))
      )
    case "ReleaseHold":
      return `release|${quoted(command.holdId)}`
    case "ExpireHold":
      return `expire|${quoted(command.holdId)}`
  }
}

const legText = ({ amount, from, metadata, reference, to }: AskedLeg): string =>
  `${quoted(from)}|${quoted(to)}|${amount}|${note(reference, metadata)}`

const quoted = (value: string): string => JSON.stringify(value)

const text = (value: string | null): string => (value === null ? "" : JSON.stringify(value))

/** Reference and metadata, most often neither. */
const note = (reference: string | null, metadata: Metadata): string =>
  reference === null && metadata === noMetadata ? "|" : `${text(reference)}|${metadataText(metadata)}`

/** When it counts for the books, where that was said. */
const effective = ({ effectiveAt }: { readonly effectiveAt: number | null }): string =>
  effectiveAt === null ? "" : `|effectiveAt=${effectiveAt}`

/** No pair: nothing. Pairs are sorted by key, so that their order does not matter. */
const metadataText = (metadata: Metadata): string => {
  if (metadata === noMetadata) return ""
  const keys = Object.keys(metadata)
  return keys.length === 0 ? "" : sortedPairs(metadata, keys)
}

/** To empty the metadata is not the same as to leave them alone (`null`). */
const givenMetadata = (metadata: Metadata | null): string =>
  metadata === null ? "" : sortedPairs(metadata, Object.keys(metadata))

const sortedPairs = (metadata: Metadata, keys: Array<string>): string =>
  JSON.stringify(keys.sort().map((key) => [key, metadata[key]]))

/** The form of each act: its fields, and the command that they make. Pure. */
import { isoExponents } from "../../../src/cli/import/CurrencyExponents.ts"
import { formatAmount, parseAmount } from "../format/Money.ts"
import { readTime } from "../format/Time.ts"
import { looksLikeId } from "../format/Filters.ts"
import type { Command, Hold, Transaction, Transfer, Wallet } from "./Command.ts"

/** What an act is about. */
export type Subject =
  | { readonly act: "create" }
  | {
      readonly act: "credit" | "debit" | "hold" | "transfer" | "freeze" | "unfreeze" | "close"
      readonly wallet: Wallet
    }
  | { readonly act: "capture" | "release"; readonly wallet: Wallet; readonly hold: Hold }
  | { readonly act: "refundTransaction"; readonly transaction: Transaction }
  | { readonly act: "refundTransfer"; readonly transfer: Transfer }

type FieldKind = "amount" | "id" | "currency" | "text" | "time" | "metadata" | "flag" | "direction"

export interface Field {
  readonly name: string
  readonly label: string
  readonly kind: FieldKind
  readonly optional: boolean
  readonly hint?: string
}

export interface Form {
  readonly title: string
  /** On the button that does it. */
  readonly verb: string
  readonly danger: boolean
  /** Of its amounts. */
  readonly currency: string
  readonly fields: ReadonlyArray<Field>
}

export type Values = Readonly<Record<string, string>>

const field = (name: string, label: string, kind: FieldKind, optional = false, hint?: string): Field => ({
  name,
  label,
  kind,
  optional,
  ...(hint === undefined ? {} : { hint })
})

const amount = field("amount", "Amount", "amount")
const reference = field("reference", "Reference", "text", true)
const metadata = field("metadata", "Metadata", "metadata", true, "one key=value in each line")
const reason = field("reason", "Reason", "text", true)
const force = field("force", "Force: pass over missing funds (needs an admin key)", "flag", true)

const all = (left: bigint, currency: string): Field =>
  field("amount", "Amount", "amount", true, `nothing: all that is left, ${formatAmount(left, currency)} ${currency}`)

const form = (title: string, verb: string, currency: string, fields: ReadonlyArray<Field>, danger = false): Form => ({
  title,
  verb,
  danger,
  currency,
  fields
})

const untilField = field("until", "Until", "time", true, "UTC, like 2026-12-31 18:00; nothing: until it is unfrozen")
const expires = field("expiresAt", "Expires", "time", true, "UTC, like 2026-12-31 18:00; nothing: never")

const ofWallet = (act: (Subject & { wallet: Wallet })["act"], { currency, id }: Wallet): Form => {
  switch (act) {
    case "credit":
      return form(`Credit ${id}`, "Credit", currency, [amount, reference, metadata])
    case "debit":
      return form(`Debit ${id}`, "Debit", currency, [amount, reference, metadata, force])
    case "hold":
      return form(`Hold money of ${id}`, "Hold", currency, [amount, expires, reference, metadata])
    case "transfer":
      return form(`Transfer from ${id}`, "Transfer", currency, [
        field("to", "To wallet", "id"),
        amount,
        reference,
        metadata
      ])
    case "freeze":
      return form(
        `Freeze ${id}`,
        "Freeze",
        currency,
        [field("direction", "What stops", "direction"), reason, untilField],
        true
      )
    case "unfreeze":
      return form(`Unfreeze ${id}`, "Unfreeze", currency, [reason])
    case "close":
      return form(`Close ${id} for good`, "Close for good", currency, [reason], true)
    default:
      return form(id, act, currency, [])
  }
}

export const formOf = (subject: Subject): Form => {
  switch (subject.act) {
    case "create":
      return form("New wallet", "Create", "", [
        field("ownerId", "Owner", "id"),
        field("currency", "Currency", "currency", false, "like EUR; it cannot be changed later"),
        field("id", "Id", "id", true, "nothing: one is made")
      ])
    case "capture": {
      const { hold, wallet } = subject
      return form(`Capture hold ${hold.id}`, "Capture", wallet.currency, [
        all(hold.remaining, wallet.currency),
        field("final", "Final: release what it leaves", "flag", true),
        field("to", "To wallet", "id", true, "nothing: the money leaves the engine")
      ])
    }
    case "release":
      return form(`Release hold ${subject.hold.id}`, "Release", subject.wallet.currency, [])
    case "refundTransaction": {
      const { amount: of, currency, id, refunded } = subject.transaction
      return form(`Refund ${id}`, "Refund", currency, [all(of - refunded, currency), reference])
    }
    case "refundTransfer": {
      const { amount: of, currency, id, refunded } = subject.transfer
      const fields = of === null || currency === null ? [] : [all(of - (refunded ?? 0n), currency)]
      return form(`Refund transfer ${id}`, "Refund", currency ?? "", [...fields, reference])
    }
    default:
      return ofWallet(subject.act, subject.wallet)
  }
}

type Read = { readonly value: unknown } | { readonly fault: string }

const maxText = 255

/** Names and values by line; the first `=` is between them. */
const readMetadata = (text: string): Read => {
  const pairs: Array<readonly [string, string]> = []
  for (const line of text.split("\n").filter((one) => one.trim() !== "")) {
    const at = line.indexOf("=")
    if (at < 1) return { fault: `key=value is expected, not ${JSON.stringify(line.slice(0, 40))}` }
    pairs.push([line.slice(0, at).trim(), line.slice(at + 1).trim()])
  }
  if (pairs.length > 20) return { fault: "at most 20 of them" }
  const metadata = Object.fromEntries(pairs)
  if (Object.keys(metadata).length < pairs.length) return { fault: "a key stands there twice" }
  const tooLong = pairs.some(([key, value]) => key.length > 64 || value.length > 512)
  return tooLong ? { fault: "keys up to 64 characters, values up to 512" } : { value: metadata }
}

const readField = ({ kind }: Field, text: string, currency: string): Read => {
  switch (kind) {
    case "amount": {
      const parsed = parseAmount(text, currency)
      return "fault" in parsed ? parsed : { value: parsed.amount.toString() }
    }
    case "id":
      return looksLikeId(text.trim()) ? { value: text.trim() } : { fault: "1 to 64 of A-Z, a-z, 0-9, _ and -" }
    case "currency": {
      const code = text.trim().toUpperCase()
      return /^[A-Z][A-Z0-9]{2,15}$/.test(code)
        ? { value: code }
        : { fault: "3 to 16 of A-Z and 0-9, the first a letter" }
    }
    case "time": {
      const time = readTime(text)
      return time === undefined ? { fault: "a time like 2026-12-31 18:00 is expected" } : { value: time }
    }
    case "metadata":
      return readMetadata(text)
    case "flag":
      return { value: true }
    default:
      return text.length > maxText ? { fault: `at most ${maxText} characters` } : { value: text }
  }
}

const fixedOf = (subject: Subject): Readonly<Record<string, unknown>> => {
  switch (subject.act) {
    case "create":
      return { act: "create" }
    case "transfer":
      return { act: "transfer", from: subject.wallet.id }
    case "capture":
    case "release":
      return { act: subject.act, walletId: subject.wallet.id, holdId: subject.hold.id }
    case "refundTransaction":
      return { act: subject.act, transactionId: subject.transaction.id }
    case "refundTransfer":
      return { act: subject.act, transferId: subject.transfer.id }
    default:
      return { act: subject.act, walletId: subject.wallet.id }
  }
}

export type Made = { readonly command: Command } | { readonly faults: Readonly<Record<string, string>> }

/** A field that is left empty is left out. The API looks at all of it again. */
export const commandOf = (subject: Subject, values: Values): Made => {
  const { currency, fields } = formOf(subject)
  const faults: Record<string, string> = {}
  const command: Record<string, unknown> = { ...fixedOf(subject) }
  for (const one of fields) {
    const text = values[one.name] ?? (one.kind === "direction" ? "debits" : "")
    if (text.trim() === "") {
      if (!one.optional) faults[one.name] = "this is needed"
      continue
    }
    const read = readField(one, text, currency)
    if ("fault" in read) faults[one.name] = read.fault
    else command[one.name] = read.value
  }
  return Object.keys(faults).length > 0 ? { faults } : { command: command as Command }
}

/** For the field of the currency: what most installations have. */
export const commonCurrencies: ReadonlyArray<string> = ["EUR", "USD", "GBP", "CHF", "JPY", "CZK"].filter((code) =>
  isoExponents.has(code)
)

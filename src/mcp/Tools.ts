/**
 * The tools that an agent is given: reads, commands and a dry run of each command. What they take is what the
 * endpoints of the API take, under the names that they have there.
 */
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { idempotencyKeyPattern } from "../domain/Limits.ts"
import { Amount, Cursor, Id, Metadata, Text, Time, TransactionType } from "../http/api/SchemaValues.ts"
import { Answer, Caller, Refusal } from "./WalletService.ts"

const MinorUnits = Schema.toEncoded(Amount).annotate({
  description: 'Minor units of the wallet\'s currency as a decimal string: "1250" is 12.50 EUR, and 1250 JPY'
})

const Instant = Schema.toEncoded(Time)

const IdempotencyKey = Schema.String.check(
  Schema.isPattern(new RegExp(idempotencyKeyPattern.source, "u"), { expected: "1 to 255 visible ASCII characters" })
).annotate({
  description:
    "Names this one command. Choose a new one for each new intention, and repeat the same one for every retry: " +
    "with it nothing happens twice"
})

const walletId = { walletId: Id }
const texts = { reference: Schema.optionalKey(Text), metadata: Schema.optionalKey(Metadata) }
const amount = { amount: MinorUnits }
const someOfIt = { amount: Schema.optionalKey(MinorUnits) }

/** What each command takes, but for its key. */
export const commandFields = {
  credit: { ...walletId, ...amount, ...texts },
  debit: { ...walletId, ...amount, ...texts },
  place_hold: { ...walletId, ...amount, expiresAt: Schema.optionalKey(Instant), ...texts },
  capture_hold: {
    ...walletId,
    holdId: Id,
    ...someOfIt,
    final: Schema.optionalKey(Schema.Boolean),
    to: Schema.optionalKey(Id)
  },
  release_hold: { ...walletId, holdId: Id },
  transfer: { from: Id, to: Id, ...amount, ...texts },
  refund_transaction: { transactionId: Id, ...someOfIt, ...texts },
  refund_transfer: { transferId: Id, ...someOfIt, ...texts }
}

export type CommandName = keyof typeof commandFields

const asked = { success: Answer, failure: Refusal, dependencies: [Caller] }

const read = <const Name extends string, Parameters extends Schema.Top>(
  name: Name,
  description: string,
  parameters: Parameters
) =>
  Tool.make(name, { description, parameters, ...asked })
    .annotate(Tool.Strict, true)
    .annotate(Tool.Readonly, true)
    .annotate(Tool.Destructive, false)
    .annotate(Tool.Idempotent, true)
    .annotate(Tool.OpenWorld, false)

/** `takes`: money leaves a wallet by it. */
const command = <const Name extends CommandName, const Fields extends Schema.Struct.Fields>(
  name: Name,
  fields: Fields,
  description: string,
  takes: boolean
) =>
  Tool.make(name, {
    description,
    parameters: Schema.Struct({ ...fields, idempotencyKey: IdempotencyKey }),
    ...asked
  })
    .annotate(Tool.Strict, true)
    .annotate(Tool.Readonly, false)
    .annotate(Tool.Destructive, takes)
    .annotate(Tool.Idempotent, true)
    .annotate(Tool.OpenWorld, false)

const page = {
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))),
  cursor: Schema.optionalKey(Schema.toEncoded(Cursor))
}

const tried = <const Name extends CommandName, const Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Schema.Struct({ command: Schema.Literal(name), ...fields })

/** A command as `dry_run` takes it. */
export const TriedCommand = Schema.Union([
  tried("credit", commandFields.credit),
  tried("debit", commandFields.debit),
  tried("place_hold", commandFields.place_hold),
  tried("capture_hold", commandFields.capture_hold),
  tried("release_hold", commandFields.release_hold),
  tried("transfer", commandFields.transfer),
  tried("refund_transaction", commandFields.refund_transaction),
  tried("refund_transfer", commandFields.refund_transfer)
])

export const WalletTools = Toolkit.make(
  read(
    "get_wallet",
    "A wallet now: balance, what is held, what is available, its status and version.",
    Schema.Struct(walletId)
  ),
  read(
    "list_transactions",
    "What happened to a wallet's money, newest first; `next` is the cursor of the next page.",
    Schema.Struct({
      ...walletId,
      from: Schema.optionalKey(Instant),
      to: Schema.optionalKey(Instant),
      type: Schema.optionalKey(TransactionType),
      ...page
    })
  ),
  read(
    "list_holds",
    "A wallet's holds, newest first.",
    Schema.Struct({
      ...walletId,
      status: Schema.optionalKey(Schema.Literals(["active", "captured", "released", "expired"])),
      ...page
    })
  ),
  read("get_transfer", "A transfer between wallets, with how it ended.", Schema.Struct({ transferId: Id })),
  read("get_key", "What the key of these calls may do: its scopes, and what it is restricted to.", Tool.EmptyParams),
  read(
    "dry_run",
    "What a command would be answered now. Nothing is recorded and no money moves: ask this first where you are not sure.",
    Schema.Struct({ try: TriedCommand })
  ),
  command("credit", commandFields.credit, "Money comes into a wallet.", false),
  command("debit", commandFields.debit, "Money leaves a wallet, as far as it is available.", true),
  command(
    "place_hold",
    commandFields.place_hold,
    "Sets money of a wallet aside, to be captured or released later.",
    true
  ),
  command(
    "capture_hold",
    commandFields.capture_hold,
    "Takes money that a hold has set aside: all that remains, or `amount` of it.",
    true
  ),
  command("release_hold", commandFields.release_hold, "Gives back what a hold has set aside.", false),
  command(
    "transfer",
    commandFields.transfer,
    "Moves money from one wallet to another of the same currency: all of it, or nothing.",
    true
  ),
  command(
    "refund_transaction",
    commandFields.refund_transaction,
    "Gives back a debit or capture, or takes back a credit: what is left of it, or `amount`.",
    true
  ),
  command(
    "refund_transfer",
    commandFields.refund_transfer,
    "Sends back a transfer: what is left of it, or `amount`.",
    true
  )
)

/**
 * Commands as JSON, for the way from one node to another.
 *
 * A command travels as its caller gave it, well formed or not: the rules judge it
 * where the wallet is, so that an answer does not depend on the way it took. So only
 * the kind of a value is read strictly here, not its form. As with events, a shape is
 * readable one release before it is first written: nodes of two releases run side by
 * side while they are replaced one by one.
 */
import * as Result from "effect/Result"
import type { Command, ReverseOperation, SendTransfer } from "./Command.ts"
import { type Metadata, noMetadata } from "./Limits.ts"
import { type Field, type Fields, fields, isJsonObject, type JsonObject, literals, nullable } from "./Codec.ts"

/** All but the reversal of an operation, which the owner asks of itself. */
export type RemoteCommand = Exclude<Command, ReverseOperation>

type Tag = RemoteCommand["_tag"]
type Data<T extends Tag> = Omit<Extract<RemoteCommand, { readonly _tag: T }>, "_tag">

const anyText: Field<string> = {
  write: (value) => value,
  read: (value) => (typeof value === "string" ? value : undefined)
}

const flag: Field<boolean> = {
  write: (value) => value,
  read: (value) => (typeof value === "boolean" ? value : undefined)
}

/** Ten times the digits that any amount may have. More is damage, and would be dear to read. */
const integerPattern = /^-?[0-9]{1,360}$/

/** A larger one is written as the largest, which every rule refuses as well. */
const largest = 10n ** 360n - 1n

const anyInteger: Field<bigint> = {
  write: (value) => (value > largest ? largest : value < -largest ? -largest : value).toString(),
  read: (value) => (typeof value === "string" && integerPattern.test(value) ? BigInt(value) : undefined)
}

const wayward = literals(["NaN", "Infinity", "-Infinity"])

const anyTime: Field<number> = {
  write: (value) => (Number.isFinite(value) ? value : String(value)),
  read: (value) => {
    if (typeof value === "number") return value
    const named = wayward.read(value)
    return named === undefined ? undefined : Number(named)
  }
}

const anyMetadata: Field<Metadata> = {
  write: (value) => value,
  read: (value) => {
    if (!isJsonObject(value)) return undefined
    // The rules judge the values.
    const read = value as Metadata
    return Object.keys(read).length === 0 ? noMetadata : read
  }
}

const wallet = { walletId: anyText }
const note = { reference: nullable(anyText), metadata: anyMetadata }
const hold = { ...wallet, holdId: anyText }
const transfer = { ...wallet, transferId: anyText }
const change = { ...wallet, reason: nullable(anyText) }

/** The destination's state has no field of its own when nothing rules it out. */
interface SendTransferRecord extends Omit<SendTransfer, "_tag" | "destination"> {
  readonly destination: NonNullable<SendTransfer["destination"]> | null
}

const sendTransferFields = fields<SendTransferRecord>({
  ...transfer,
  to: anyText,
  amount: anyInteger,
  currency: anyText,
  destination: nullable(literals(["missing", "closed"])),
  ...note
})

const sendTransfer: Fields<Data<"SendTransfer">> = {
  ...sendTransferFields,
  write: ({ destination = null, ...rest }) => sendTransferFields.write({ ...rest, destination }),
  read: (value) => sendTransfer.readInto({}, value),
  readInto: (target, value) => {
    const record = sendTransferFields.read(value)
    if (record === undefined) return undefined
    const { destination, ...rest } = record
    return Object.assign(target, rest, destination === null ? {} : { destination })
  }
}

const commandFields: { readonly [T in Tag]: Fields<Data<T>> } = {
  CreateWallet: fields<Data<"CreateWallet">>({
    ...wallet,
    ownerId: anyText,
    currency: anyText,
    overdraftLimit: anyInteger,
    metadata: anyMetadata
  }),
  Credit: fields<Data<"Credit">>({ ...wallet, amount: anyInteger, ...note }),
  Debit: fields<Data<"Debit">>({ ...wallet, amount: anyInteger, ...note }),
  PlaceHold: fields<Data<"PlaceHold">>({ ...hold, amount: anyInteger, expiresAt: nullable(anyTime), ...note }),
  CaptureHold: fields<Data<"CaptureHold">>({ ...hold, amount: nullable(anyInteger), final: flag }),
  ReleaseHold: fields<Data<"ReleaseHold">>(hold),
  ExpireHold: fields<Data<"ExpireHold">>(hold),
  SendTransfer: sendTransfer,
  ReceiveTransfer: fields<Data<"ReceiveTransfer">>({
    ...transfer,
    from: anyText,
    amount: anyInteger,
    currency: anyText,
    ...note
  }),
  RefuseTransfer: fields<Data<"RefuseTransfer">>({ ...transfer, from: anyText, amount: anyInteger, reason: anyText }),
  SettleTransfer: fields<Data<"SettleTransfer">>(transfer),
  ReverseTransfer: fields<Data<"ReverseTransfer">>({ ...transfer, reason: anyText }),
  Freeze: fields<Data<"Freeze">>(change),
  Unfreeze: fields<Data<"Unfreeze">>(change),
  Close: fields<Data<"Close">>(change),
  UpdateWallet: fields<Data<"UpdateWallet">>({
    ...wallet,
    overdraftLimit: nullable(anyInteger),
    metadata: nullable(anyMetadata)
  })
}

/** The table gives each tag its own fields, so what they read has that tag; TypeScript cannot follow the pair. */
const commandShape = (tag: Tag): Fields<RemoteCommand> => commandFields[tag] as unknown as Fields<RemoteCommand>

const isTag = (tag: unknown): tag is Tag => typeof tag === "string" && Object.hasOwn(commandFields, tag)

/** JSON-able; the tag is written as `type`. */
export const encodeCommand = (command: RemoteCommand): JsonObject => ({
  type: command._tag,
  ...commandShape(command._tag).write(command)
})

/** The failure says what cannot be read. */
export const decodeCommand = (value: unknown): Result.Result<RemoteCommand, string> => {
  if (!isJsonObject(value)) return Result.fail("command: not an object")
  const { type, ...data } = value
  if (!isTag(type)) return Result.fail("command: unknown type")
  const shape = commandShape(type)
  const command = shape.readInto({ _tag: type }, data)
  return command === undefined ? Result.fail(`${type}: ${shape.complaint(data)}`) : Result.succeed(command)
}

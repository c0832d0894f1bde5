/**
 * Bodies of the commands that come most, by hand: what is plainly right is taken without its schema, which decodes all
 * else. So what is taken here is exactly what the schema would make of it; a test holds both against each other.
 */
import { amountPattern, idPattern, isId, isMetadata, isText, maxTextLength, type Metadata } from "../domain/Limits.ts"
import { isAnyRepeated, parseText } from "./JsonBody.ts"

export interface PlainMovement {
  readonly amount: bigint
  readonly reference?: string | null
  readonly metadata?: Metadata
}

export interface PlainTransfer extends PlainMovement {
  readonly from: string
  readonly to: string
}

/*
 * Bodies as most clients write them: these fields, in this order, reference and metadata without an escape. Beside its
 * metadata, which are taken as their text, such a one can say nothing twice.
 */

/** A string of such a form, caught without its quotes. */
const quoted = ({ source }: RegExp): string => `"(${source.slice("^".length, -"$".length)})"`

const id = quoted(idPattern)
const amount = quoted(amountPattern)
const note = String.raw`(?:, ?"reference": ?"([ !#-[\]-\uffff]{0,${maxTextLength}})")?(?:, ?"metadata": ?(\{[^{}\\]*\}))?`
const movementBody = new RegExp(String.raw`^\{"amount": ?${amount}${note}\}$`)
const transferBody = new RegExp(String.raw`^\{"from": ?${id}, ?"to": ?${id}, ?"amount": ?${amount}${note}\}$`)

type Written<Body> = { -readonly [Name in keyof Body]: Body[Name] }

/** `false`: the metadata are not plainly right. */
const addNote = (body: Written<PlainMovement>, reference: string | undefined, pairs: string | undefined): boolean => {
  if (reference !== undefined) body.reference = reference
  if (pairs === undefined) return true
  const metadata = parseText(pairs)
  if (!isMetadata(metadata as Metadata) || isAnyRepeated(pairs, metadata)) return false
  body.metadata = metadata as Metadata
  return true
}

/** Of a movement, in any order and any spelling; what is not one of its fields is for `other`, which may refuse it. */
const plainFields = <Body extends Written<PlainMovement>>(
  text: string,
  body: Body,
  other: (body: Body, name: string, given: unknown) => boolean
): Body | undefined => {
  const value = parseText(text)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const fields = value as Readonly<Record<string, unknown>>
  for (const name in fields) {
    const given = fields[name]
    if (name === "amount") {
      if (typeof given !== "string" || !amountPattern.test(given)) return undefined
      body.amount = BigInt(given)
    } else if (name === "reference") {
      if (given !== null && !(typeof given === "string" && isText(given, maxTextLength))) return undefined
      body.reference = given
    } else if (name === "metadata") {
      if (!isMetadata(given as Metadata)) return undefined
      body.metadata = given as Metadata
    } else if (!other(body, name, given)) {
      return undefined
    }
  }
  return body.amount === 0n || isAnyRepeated(text, value) ? undefined : body
}

const refuse = (): boolean => false

/** Of a credit or a debit; `undefined`: not plainly right. Else what the schema would decode. */
export const plainMovement = (text: string): PlainMovement | undefined => {
  const plain = movementBody.exec(text)
  if (plain === null) return plainFields(text, { amount: 0n }, refuse)
  const [, amount, reference, pairs] = plain
  const movement: Written<PlainMovement> = { amount: BigInt(amount!) }
  return addNote(movement, reference, pairs) ? movement : undefined
}

const takeWallet = (body: Written<PlainTransfer>, name: string, given: unknown): boolean => {
  if ((name !== "from" && name !== "to") || typeof given !== "string" || !isId(given)) return false
  body[name] = given
  return true
}

/** Of a transfer in one leg; `undefined`: not plainly right. Else what the schema would decode. */
export const plainTransfer = (text: string): PlainTransfer | undefined => {
  const plain = transferBody.exec(text)
  if (plain === null) {
    const fields = plainFields<Written<PlainTransfer>>(text, { from: "", to: "", amount: 0n }, takeWallet)
    return fields === undefined || fields.from === "" || fields.to === "" ? undefined : fields
  }
  const [, from, to, amount, reference, pairs] = plain
  const transfer: Written<PlainTransfer> = { from: from!, to: to!, amount: BigInt(amount!) }
  return addNote(transfer, reference, pairs) ? transfer : undefined
}

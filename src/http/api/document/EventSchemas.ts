/**
 * Events in the OpenAPI document: one schema for each type, told apart by `type`, made of the schemas by
 * which the log is written, as `PublicEvent.ts` shows them.
 */
import * as Schema from "effect/Schema"
import { eventCases, type WalletEventType } from "../../../domain/Event.ts"
import { maxTime } from "../../../domain/Limits.ts"
import { isObject, type Json, mapValues, objectAt, rewrite, schemaRef, without } from "./JsonTree.ts"

const eventTypes = Object.keys(eventCases) as ReadonlyArray<WalletEventType>

const eventSchemaName = (type: WalletEventType): string => `${type}Event`
/** What readers do not see: the type stands beside the data, what a reversal restores is the log's own. */
const hidden = ["_tag", "restored"]

const dataName = (type: WalletEventType): string => `${type}Data`

/** The schemas of the log do not show the forms of strings; the same name means the same in all events. */
const forms: Readonly<Record<string, string>> = {
  transferId: "Id",
  holdId: "Id",
  ownerId: "Id",
  home: "Id",
  from: "Id",
  to: "Id",
  counterparty: "Id",
  refundOf: "Id",
  of: "Id",
  currency: "Currency",
  amount: "Amount",
  previousAmount: "Amount",
  overdraftLimit: "AmountOrZero",
  previousLimit: "AmountOrZero",
  rest: "AmountOrZero",
  capturedAfter: "AmountOrZero",
  remainingAfter: "AmountOrZero",
  released: "Balance",
  held: "Balance",
  balanceChange: "Balance",
  balanceAfter: "Balance",
  heldAfter: "Balance",
  metadata: "Metadata",
  previousMetadata: "Metadata"
}

/** Lists and objects within an event, by the names that they stand under. */
const parts: Readonly<Record<string, string>> = {
  legs: "EventLeg",
  refund: "RefundedLeg",
  transactions: "LegTransactions"
}

const isTime = (node: unknown): boolean => isObject(node) && node["type"] === "integer" && node["maximum"] === maxTime

const isText = (node: unknown): boolean => isObject(node) && (node["type"] === "string" || node["type"] === "object")

const shownMember = (node: unknown, name: string, found: Map<string, Json>): unknown => {
  const form = forms[name]
  if (isTime(node)) return schemaRef("Time")
  if (Array.isArray(objectOf(node)["anyOf"])) {
    return { anyOf: (objectOf(node)["anyOf"] as ReadonlyArray<unknown>).map((one) => shownMember(one, name, found)) }
  }
  if (form !== undefined && isText(node) && objectOf(node)["enum"] === undefined) return schemaRef(form)
  const part = parts[name]
  if (part === undefined || !isObject(node)) return node
  if (node["type"] === "array") return { ...node, items: shownPart(objectOf(node["items"]), part, found) }
  return node["type"] === "object" ? shownPart(node, part, found) : node
}

const objectOf = (node: unknown): Json => (isObject(node) ? node : {})

/** Of one wallet's own legs, or of all. */
const partName = (node: Json, name: string): string =>
  name === "EventLeg" && objectAt(node, "properties")["side"] !== undefined ? "OwnEventLeg" : name

const shownPart = (node: Json, part: string, found: Map<string, Json>): Json => {
  const name = partName(node, part)
  found.set(name, shownObject(node, found))
  return schemaRef(name)
}

const shownObject = (node: Json, found: Map<string, Json>): Json => ({
  ...without(node, "additionalProperties"),
  properties: mapValues(objectAt(node, "properties"), (member, name) => shownMember(member, name, found))
})

const withoutMember = (node: Json, name: string): Json => ({
  ...node,
  properties: without(objectAt(node, "properties"), name),
  required: (node["required"] as ReadonlyArray<string>).filter((one) => one !== name)
})

const dataSchema = (type: WalletEventType, found: Map<string, Json>): Json => {
  const { schema } = Schema.toJsonSchemaDocument(eventCases[type])
  return shownObject(hidden.reduce<Json>(withoutMember, schema), found)
}

const version: Json = { type: "integer", format: "int64", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }

const eventSchema = (type: WalletEventType): Json => ({
  type: "object",
  required: ["version", "type", "time", "data"],
  properties: {
    version: { ...version, description: "Of the wallet, after it." },
    type: { type: "string", const: type },
    time: schemaRef("Time"),
    data: schemaRef(dataName(type))
  }
})

const union = (description: string, nameOf: (type: WalletEventType) => string): Json => ({
  description,
  oneOf: eventTypes.map((type) => schemaRef(nameOf(type))),
  discriminator: {
    propertyName: "type",
    mapping: Object.fromEntries(eventTypes.map((type) => [type, schemaRef(nameOf(type)).$ref]))
  }
})

/** Not a schema with a name: no generator makes a type of a union with one member more. */
const feedData: Json = {
  description: "The event, and whose it is.",
  allOf: [schemaRef("Event"), { type: "object", required: ["walletId"], properties: { walletId: schemaRef("Id") } }]
}

/** In the place of the generator's schemas, which leave an event's data open. */
export const withEventSchemas = (schemas: Json): Json => {
  const parts = new Map<string, Json>()
  const data = Object.fromEntries(eventTypes.map((type) => [dataName(type), dataSchema(type, parts)]))
  const feedEvent = objectAt(schemas, "FeedEvent")
  return {
    ...schemas,
    Event: union(
      "An event of a wallet. New types may come: take one that you do not know for none of yours.",
      eventSchemaName
    ),
    FeedEvent: rewrite(feedEvent, (node) =>
      node["contentSchema"] === undefined ? node : { ...node, contentSchema: feedData }
    ),
    ...Object.fromEntries(eventTypes.map((type) => [eventSchemaName(type), eventSchema(type)])),
    ...data,
    ...Object.fromEntries(parts)
  }
}

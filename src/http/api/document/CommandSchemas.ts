/**
 * Bodies and answers of commands in the OpenAPI document: the rules between the members of a body, the
 * commands of a batch and what each of them answers.
 */
import { isObject, type Json, listAt, mapValues, objectAt, rewrite, schemaRef, without } from "./JsonTree.ts"

/** By `type`. */
export const batchCommands = {
  credit: "BatchCredit",
  debit: "BatchDebit",
  hold: "BatchHold",
  capture: "BatchCapture",
  change_hold: "BatchChangeHold",
  release: "BatchRelease",
  transfer: "BatchTransfer",
  refund: "BatchRefund"
} as const

/** All of these members, whatever they and the others are; said in full, as linters ask for it. */
const having = (...names: ReadonlyArray<string>): Json => ({
  properties: Object.fromEntries(names.map((name) => [name, {}])),
  required: names,
  unevaluatedProperties: true
})

const none = (...names: ReadonlyArray<string>): Json => ({ not: { anyOf: names.map((name) => having(name)) } })

/** Rules between members; as `if`, which generators of clients pass over, where a union would be a type of its own. */
const rules: Readonly<Record<string, Json>> = {
  UpdateWallet: { minProperties: 1, description: "`metadata`, `overdraftLimit` or both." },
  ChangeHold: { minProperties: 1, description: "`amount`, `expiresAt` or both." },
  UpdateWebhook: { minProperties: 1, description: "At least one of these." },
  SendTransfer: {
    description: "`from`, `to` and `amount`, or `legs` in their place.",
    if: having("legs"),
    dependentSchemas: { legs: none("from", "to", "amount") },
    else: having("from", "to", "amount")
  },
  BatchChangeHold: {
    // What every command has, the hold, and one of these at least.
    minProperties: 5,
    description: "`amount`, `expiresAt` or both."
  },
  BatchTransfer: {
    description: "`to` and `amount`, or in their place `legs`, of which the first is from `walletId`.",
    if: having("legs"),
    dependentSchemas: { legs: none("to", "amount") },
    else: having("to", "amount")
  },
  BatchRefund: {
    description:
      "`transactionId`, or `transferId`, which may have a `leg`. `walletId`: the transaction's wallet, or the one that " +
      "received the transfer, of several legs the first of which something is left.",
    if: having("transactionId"),
    dependentSchemas: { transactionId: none("transferId", "leg") },
    else: having("transferId")
  }
}

const typeOf = (item: unknown): string => String(listAt(objectAt(objectAt(item, "properties"), "type"), "enum")[0])

const isBatchType = (type: string): type is keyof typeof batchCommands => Object.hasOwn(batchCommands, type)

/** A key is asked of every command of a batch, as of every other. */
const batchCommand = (item: Json, type: string): Json => ({
  ...item,
  required: [
    "type",
    "walletId",
    "idempotencyKey",
    ...listAt(item, "required").filter((name) => name !== "type" && name !== "walletId")
  ],
  properties: {
    ...objectAt(item, "properties"),
    type: { type: "string", const: type },
    idempotencyKey: schemaRef("IdempotencyKey")
  }
})

const withBatchCommands = (schemas: Json): Json => {
  const batch = objectAt(schemas, "Batch")
  const commands = objectAt(objectAt(batch, "properties"), "commands")
  const items = listAt(objectAt(commands, "items"), "anyOf").filter(isObject)
  const found: Json = {}
  for (const item of items) {
    const type = typeOf(item)
    if (isBatchType(type)) found[batchCommands[type]] = batchCommand(item, type)
  }
  const mapping = mapValues(batchCommands, (name) => schemaRef(String(name)).$ref)
  return {
    ...schemas,
    ...found,
    BatchCommand: {
      description: "A command of a batch. One that is malformed gets a 400 of its own.",
      oneOf: Object.keys(found).map(schemaRef),
      discriminator: { propertyName: "type", mapping }
    },
    Batch: {
      ...batch,
      properties: { commands: { ...commands, items: schemaRef("BatchCommand") } }
    }
  }
}

/** What is answered by each kind of command; the dry run's has a name of its own. */
const answers = ["Capture", "Transaction", "Hold", "Transfer", "Wallet"] as const

export const outcomeName = (answer: string): string => answer.replace(/Answer$/, "Outcome")

const outcomes: Json = Object.fromEntries(
  answers.map((kind) => [
    `${kind}Outcome`,
    {
      description: "With `dryRun=true` what the command would come to, else its answer.",
      anyOf: [schemaRef(`DryRun${kind}Answer`), schemaRef(`${kind}Answer`)]
    }
  ])
)

const batchKinds = answers.filter((kind) => kind !== "Wallet")

/** The most special first: a reader that takes the first that fits takes the right one. */
const batchBody: Json = {
  description: "What the command alone would have answered.",
  anyOf: [
    ...batchKinds.map((kind) => schemaRef(`DryRun${kind}Answer`)),
    ...batchKinds.map((kind) => schemaRef(`${kind}Answer`)),
    schemaRef("Problem")
  ]
}

const withBatchResult = (schemas: Json): Json => {
  const result = objectAt(schemas, "BatchResult")
  return {
    ...schemas,
    BatchResultBody: batchBody,
    BatchResult: {
      ...result,
      properties: {
        ...objectAt(result, "properties"),
        status: { type: "integer", format: "int32", minimum: 200, maximum: 599 },
        body: schemaRef("BatchResultBody")
      }
    }
  }
}

const withRules = (schemas: Json): Json =>
  mapValues(schemas, (schema, name) => ({ ...(isObject(schema) ? schema : {}), ...rules[name] }))

export const withCommandSchemas = (schemas: Json): Json => ({
  ...withRules(withBatchResult(withBatchCommands(schemas))),
  ...outcomes
})

const isClosed = (node: Json): boolean => node["additionalProperties"] === false

/** Answers take new members at any time; bodies with members that are not known are refused. */
export const withOpenAnswers = (schemas: Json, sent: ReadonlySet<string>): Json =>
  mapValues(schemas, (schema, name) =>
    sent.has(name) ? schema : rewrite(schema, (node) => (isClosed(node) ? without(node, "additionalProperties") : node))
  )
